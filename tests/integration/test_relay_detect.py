# SPDX-License-Identifier: MIT
"""A swarm's ingress mesh in network namespaces: roost-policyd finds by itself
which addresses are masks."""
import contextlib
import ctypes
import os
import smtplib
import subprocess

import pytest

from lab import Daemon, Dovecot, LabError, Lab, Postfix, SmtpSink, wait_until
from lab.process import Component

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

# outside: clients and the mesh; here: Postfix, on two networks
OUTSIDE = '''
ip link set lo up
ip addr add 203.0.113.1/24 dev lo
ip addr add 10.0.0.2/24 dev mesh
ip addr add 172.20.0.1/16 dev app
ip addr add 172.20.0.7/16 dev app
ip link set mesh up
ip link set app up
'''
HERE = '''
ip link set lo up
ip link add eth0 type veth peer name mesh
ip link add eth1 type veth peer name app
ip link set mesh netns {pid}
ip link set app netns {pid}
ip addr add 10.0.0.5/24 dev eth0
ip addr add 172.20.0.3/16 dev eth1
ip link set eth0 up
ip link set eth1 up
ip route add default via 172.20.0.9
'''
HAPROXY = '''
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen smtp
    bind 203.0.113.1:25
    source 10.0.0.2
    server postfix 10.0.0.5:10025
'''


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def in_network(path):
    """This thread, and what it starts, in another network namespace."""
    with open('/proc/self/ns/net', 'rb') as before, open(path, 'rb') as there:
        check(libc.setns(there.fileno(), CLONE_NEWNET))
        try:
            yield
        finally:
            check(libc.setns(before.fileno(), CLONE_NEWNET))


def shell(script, network=None):
    enter = ['nsenter', f'--net={network}'] if network else []
    subprocess.run([*enter, 'sh', '-ec', script], check=True, timeout=30)


@pytest.fixture
def outside():
    """Moves the test into a network namespace of its own, and yields the
    path of the one outside."""
    with open('/proc/self/ns/net', 'rb') as before:
        check(libc.unshare(CLONE_NEWNET))
        holder = subprocess.Popen(['unshare', '-n', 'sleep', '600'])
        try:
            path = f'/proc/{holder.pid}/ns/net'
            ours = os.readlink('/proc/thread-self/ns/net')
            wait_until(lambda: os.readlink(path) != ours, 5, 'namespace')
            shell(HERE.format(pid=holder.pid))
            shell(OUTSIDE, path)
            yield path
        finally:
            holder.kill()
            holder.wait()
            check(libc.setns(before.fileno(), CLONE_NEWNET))


class Mesh(Component):
    """HAProxy as the mesh: whoever comes to 203.0.113.1 arrives at Postfix
    with the address 10.0.0.2."""

    def __init__(self, lab, network):
        super().__init__(lab, 'haproxy')
        self.network = network
        self.conf = self.dir / 'conf'

    def prepare(self):
        self.conf.write_text(HAPROXY)

    def command(self):
        return ['nsenter', f'--net={self.network}', 'haproxy', '-db', '-f',
                self.conf]

    def is_ready(self):
        try:
            return rcpt(self.network, '203.0.113.1', '203.0.113.1',
                        'user@example.com', port=25)[0] == 250
        except (OSError, smtplib.SMTPException):
            return False


def rcpt(network, source, server, recipient, port=10025, login=None):
    """The answer to RCPT for a client outside."""
    with in_network(network):
        client = smtplib.SMTP(server, port, 'client.test', 10, (source, 0))
    with client:
        client.ehlo()
        if login:
            client.login(*login)
        assert client.docmd('MAIL', 'FROM:<x@elsewhere.test>')[0] == 250
        code, text = client.docmd('RCPT', f'TO:<{recipient}>')
        if code == 250 and 'victim' in recipient:
            client.data(b'Subject: test\r\n\r\n')
        return code, text.decode()


def test_mesh_gateway_and_trusted_client(outside):
    relay = 'victim@external.test'
    with Lab() as lab:
        node = Dovecot(lab, users={'alice': 'secret'}).start()
        world = SmtpSink(lab).start()
        policyd = Daemon(lab, 'policy/roost-policyd', {
            'listen': f'unix:{lab.dir}/policy.sock', 'socket_mode': '0666',
            'user': 'nobody', 'trusted_networks': '172.20.0.0/16'}).start()
        for found in ('kind=ingress network=10.0.0.0/24',
                      'kind=gateway network=172.20.0.1/32',
                      'kind=gateway network=172.20.0.9/32',
                      'kind=own network=10.0.0.5/32',
                      'kind=own network=172.20.0.3/32'):
            assert policyd.log.lines(f'event=network_detected {found}$'), found
        postfix = Postfix(lab, sink=world)
        postfix.address = '0.0.0.0'
        postfix.settings = postfix.sasl(node) | {
            'inet_interfaces': 'all',
            # as wrong as it gets
            'mynetworks': '0.0.0.0/0',
            'smtpd_relay_restrictions':
                f'check_policy_service unix:{lab.dir}/policy.sock '
                'permit_mynetworks permit_sasl_authenticated '
                'reject_unauth_destination'}
        postfix.start()
        Mesh(lab, outside).start()

        def relays(source, server, rule, **options):
            mark = policyd.log.mark()
            code = rcpt(outside, source, server, relay, **options)[0]
            assert code in (250, 554)
            policyd.log.wait_for(f'rule={rule} ', since=mark)
            return code == 250

        through = {'source': '203.0.113.1', 'server': '203.0.113.1',
                   'port': 25}
        assert not relays(rule='ingress client=10.0.0.2 server=10.0.0.5',
                          **through)
        assert not relays('172.20.0.1', '172.20.0.3', 'gateway')
        assert not relays('172.20.0.7', '10.0.0.5', 'ingress-server')
        assert not relays('10.0.0.2', '172.20.0.3', 'ingress')
        wait_until(lambda: 'queue is empty' in postfix.queued(), 20, 'queue')
        assert not world.messages()
        assert relays('172.20.0.7', '172.20.0.3', 'trusted')
        assert relays(rule='authenticated', login=('alice', 'secret'),
                      **through)
        world.wait(2)

        # another network appears, and nobody tells the daemon
        mark = policyd.log.mark()
        shell('ip addr add 10.255.3.4/16 dev eth0')
        policyd.log.wait_for('event=network_detected kind=ingress '
                             'network=10.255.0.0/16', since=mark)
        mark = policyd.log.mark()
        shell('ip route replace default via 172.20.0.7')
        policyd.log.wait_for('event=network_detected kind=gateway '
                             'network=172.20.0.7/32', since=mark)
        assert not relays('172.20.0.7', '172.20.0.3', 'gateway')

        # the operator knows better
        mark = policyd.log.mark()
        policyd.write_conf(detect_except='172.20.0.7')
        policyd.reload()
        policyd.log.wait_for('event=reloaded', since=mark)
        assert not policyd.log.lines('kind=gateway network=172.20.0.7/32',
                                     since=mark)
        assert relays('172.20.0.7', '172.20.0.3', 'trusted')


def test_start_needs_the_routing_table(lab):
    """What cannot be looked at is unknown: the daemon does not start."""
    policyd = Daemon(lab, 'policy/roost-policyd', {
        'listen': f'unix:{lab.dir}/policy.sock', 'user': 'nobody'})
    empty = lab.dir / 'empty'
    empty.mkdir()
    policyd.mounts = [(empty, '/proc')]
    with pytest.raises(LabError):
        policyd.start()
    policyd.out.wait_for('detect_networks: /proc/net/route: No such file')
