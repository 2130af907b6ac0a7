# SPDX-License-Identifier: MIT
"""A real Postfix that asks roost-policyd: who relays, who does not, with
mynetworks wrong on purpose; a sink proves what really left."""
import json
import os
import socket
import subprocess

import pytest

from lab import Daemon, Dovecot, Postfix, SmtpSink, message, smtp, wait_until

INGRESS, TRUSTED, OUTSIDE, BOTH, LISTS = 70, 200, 10, 80, 210
# (default_action keeps our own mail flowing while the daemon is away)
SERVICE = 'check_policy_service {{ unix:{}, default_action=' \
          'defer_unauth_destination }}'


class Site:
    """Postfix for example.com; own mail goes to one sink, the rest of the
    world to the other. mynetworks holds the whole lab."""

    def __init__(self, lab, policy=None, postfix=None, ports=None):
        self.lab = lab
        self.node = Dovecot(lab, users={'alice': 'secret'}).start()
        self.world = SmtpSink(lab, 'world').start()
        self.own = SmtpSink(lab, 'own', host=27).start()
        self.socket = lab.dir / 'policy.sock'
        net = lab.net
        self.policyd = Daemon(lab, 'policy/roost-policyd', {
            'listen': f'unix:{self.socket}', 'socket_mode': '0666',
            'user': 'nobody', 'detect_networks': 'no',
            'ingress_networks': f'{net}.64/26',
            'trusted_networks': [f'{net}.192/26', f'{net}.{BOTH}'],
            'trusted_senders': f'{net}.{LISTS}=lists.example.com',
        } | (policy or {})).start()
        self.postfix = Postfix(lab, sink=self.world, ports=ports)
        self.postfix.settings = self.postfix.sasl(self.node) | {
            'mynetworks': f'{net}.0/24',
            'virtual_transport':
                f'smtp:[{self.own.address}]:{self.own.port}',
            'smtpd_relay_restrictions':
                SERVICE.format(self.socket) + ' permit_mynetworks '
                'permit_sasl_authenticated reject_unauth_destination',
        } | (postfix or {})
        self.postfix.start()

    def rcpt(self, host, recipient, sender='x@elsewhere.test', login=None,
             xclient=None):
        """The answer to RCPT, as (code, text); a message that is let in is
        sent."""
        with smtp(self.postfix, source=self.lab.address(host),
                  login=login) as client:
            if xclient:
                code, text = client.docmd('XCLIENT', xclient)
                assert code == 220, text
                client.ehlo('client.test')
            assert client.docmd('MAIL', f'FROM:<{sender}>')[0] == 250
            code, text = client.docmd('RCPT', f'TO:<{recipient}>')
            if code == 250:
                assert client.data(message('x@elsewhere.test',
                                           'y@z.test'))[0] == 250
            return code, text.decode()

    def settle(self):
        """Waits until nothing is on its way."""
        wait_until(lambda: 'queue is empty' in self.postfix.queued(), 30,
                   lambda: self.postfix.queued())

    def left(self):
        self.settle()
        return len(self.world.messages())


@pytest.fixture
def site(lab):
    return Site(lab)


def test_who_relays(site):
    relay = 'victim@external.test'
    for host in (INGRESS, BOTH, OUTSIDE):
        code, text = site.rcpt(host, relay)
        assert code == 554 and 'Relay access denied' in text
        # mail to our own domain still comes in
        assert site.rcpt(host, 'user@example.com')[0] == 250
    assert site.left() == 0
    site.own.wait(3)
    assert site.rcpt(INGRESS, relay, login=('alice', 'secret'))[0] == 250
    assert site.rcpt(OUTSIDE, relay, login=('alice', 'secret'))[0] == 250
    assert site.rcpt(TRUSTED, relay)[0] == 250
    assert len(site.world.wait(3)) == 3
    for rule in ('ingress', 'not-trusted', 'authenticated', 'trusted'):
        site.policyd.log.wait_for(f'event=policy_decision .*rule={rule} ')


def test_without_the_daemon_in_the_list_it_is_an_open_relay(lab):
    """The control: what the tests here would see if Roost did nothing."""
    site = Site(lab, postfix={'smtpd_relay_restrictions':
                              'permit_mynetworks reject_unauth_destination'})
    assert site.rcpt(INGRESS, 'victim@external.test')[0] == 250
    site.world.wait(1)


TRICKS = [
    'victim%external.test',
    'victim%external.test@example.com',
    'victim%external.test@mx.example.com',
    'external.test!victim',
    'external.test!victim@example.com',
    'external.test!example.com!victim',
    '@example.com:victim@external.test',
    '@example.com,@mx.example.com:victim@external.test',
    '"victim@external.test"',
    '"victim@external.test"@example.com',
    '"victim%external.test"@example.com',
    '"external.test!victim"@example.com',
    '"external.test!victim%other.test"@example.com',
    'victim@external.test@example.com',
    'victim@example.com@external.test',
    'victim%external.test%example.com@example.com',
    '@example.com:victim%external.test@example.com',
    'victim@[127.0.0.1]',
    'victim%external.test@[127.0.0.1]',
    'victim@external.test.',
    'victim@EXTERNAL.test',
    'victim@external.test,user@example.com',
    ' victim@external.test',
    'victim@external.test%example.com',
]


def test_relay_tricks_from_the_ingress(site):
    for trick in TRICKS:
        # a bounce of what Postfix took for local goes to our own sink
        code, text = site.rcpt(INGRESS, trick, sender='x@example.com')
        # Postfix may take it for a local part of ours: that is no relaying
        assert code == 250 or 500 <= code < 560, (trick, code, text)
    assert site.left() == 0, site.world.messages()
    # the way out works: the same tricks are not harmless by accident
    assert site.rcpt(TRUSTED, 'victim%external.test')[0] == 250
    site.world.wait(1)


def test_xclient_login_is_no_login(lab):
    net = lab.net
    site = Site(lab, postfix={'smtpd_authorized_xclient_hosts': f'{net}.0/24'})
    relay = 'victim@external.test'
    assert site.rcpt(INGRESS, relay, xclient='LOGIN=alice')[0] == 554
    site.policyd.log.wait_for('rule=ingress .*sasl=yes')
    assert site.rcpt(TRUSTED, relay,
                     xclient=f'LOGIN=alice ADDR={net}.{OUTSIDE}')[0] == 554
    assert site.rcpt(TRUSTED, relay, xclient='ADDR=[UNAVAILABLE]')[0] == 554
    assert site.left() == 0
    site.policyd.write_conf(trust_xclient_logins='yes')
    site.policyd.reload()
    site.policyd.log.wait_for('event=reloaded')
    assert site.rcpt(INGRESS, relay, xclient='LOGIN=alice')[0] == 250
    site.world.wait(1)


def test_forged_proxy_header(lab):
    """Postfix takes a PROXY header from anybody: a forged loopback address
    at a server address that is not loopback must not relay."""
    site = Site(lab, policy={'trusted_networks': '127.0.0.0/8'}, postfix={
        'mynetworks': '127.0.0.0/8, 192.0.2.0/24'}, ports={
            10125: ['smtpd_upstream_proxy_protocol=haproxy']})
    for source, dest, code in (('127.0.0.1', '192.0.2.25', 554),
                               ('192.0.2.7', '192.0.2.25', 554),
                               (f'{lab.net}.{INGRESS}', '192.0.2.25', 554),
                               ('192.0.2.7', f'{lab.net}.{INGRESS}', 554),
                               ('127.0.0.1', '127.0.0.1', 250)):
        with socket.create_connection((site.postfix.address, 10125),
                                      15) as connection:
            stream = connection.makefile('rwb')
            stream.write(f'PROXY TCP4 {source} {dest} 1111 25\r\n'.encode())
            answer = b''
            for line in ('', 'HELO x', 'MAIL FROM:<x@elsewhere.test>',
                         'RCPT TO:<victim@external.test>'):
                if line:
                    stream.write(f'{line}\r\n'.encode())
                stream.flush()
                answer = stream.readline()
            assert int(answer[:3]) == code, (source, dest, answer)
    assert site.left() == 0
    site.policyd.log.wait_for('rule=loopback-mask')
    site.policyd.log.wait_for('rule=ingress-server')


def test_grant_for_some_sender_domains(site):
    relay = 'member@external.test'
    for sender, code in (('x-bounces@lists.example.com', 250),
                         ('x@example.com', 554), ('', 554)):
        assert site.rcpt(LISTS, relay, sender=sender)[0] == code, sender
    assert site.left() == 1


def test_daemon_away_relays_nothing_and_loses_nothing(site):
    site.policyd.stop()
    relay = 'victim@external.test'
    for options in ({}, {'login': ('alice', 'secret')}):
        for host in (INGRESS, TRUSTED, OUTSIDE):
            code, text = site.rcpt(host, relay, **options)
            assert 400 <= code < 500, (host, code, text)
    assert site.rcpt(OUTSIDE, 'user@example.com')[0] == 250
    site.own.wait(1)
    assert site.left() == 0
    site.policyd.start()
    assert site.rcpt(TRUSTED, relay)[0] == 250
    site.world.wait(1)


def test_daemon_away_with_plain_check_policy_service(lab):
    site = Site(lab)
    site.postfix.stop()
    site.postfix.settings['smtpd_relay_restrictions'] = \
        f'check_policy_service unix:{site.socket} permit_mynetworks ' \
        'reject_unauth_destination'
    site.postfix.write_conf()
    site.postfix.start()
    site.policyd.kill()
    code, text = site.rcpt(TRUSTED, 'victim@external.test')
    assert code == 451 and '4.3.5' in text
    assert site.left() == 0


def test_observe_never_relays_what_postfix_refuses(lab):
    site = Site(lab, policy={'mode': 'observe'},
                postfix={'mynetworks': f'{lab.net}.{TRUSTED}/32'})
    relay = 'victim@external.test'
    assert site.rcpt(INGRESS, relay)[0] == 554
    assert site.rcpt(TRUSTED, relay)[0] == 250
    assert site.left() == 1
    site.policyd.log.wait_for('verdict=reject rule=ingress .*observe')


def test_explain_gives_the_verdict_of_the_daemon(site):
    roostctl = lab_program(site.lab, 'tools/roostctl')
    site.rcpt(INGRESS, 'victim@external.test')
    line = site.policyd.log.lines('event=policy_decision')[0]
    fields = dict(field.split('=', 1) for field in line.split())
    done = subprocess.run(
        [roostctl, 'explain', '-c', site.policyd.conf,
         f'client_address={fields["client"]}',
         f'server_address={fields["server"]}'],
        text=True, capture_output=True, check=True)
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert said['verdict'] == fields['verdict'] == 'reject'
    assert said['rule'] == fields['rule'] == 'ingress'
    assert said['network'] == fields['network']
    assert said['answer'] == 'reject_unauth_destination'


def lab_program(lab, name):
    program = lab.build.program(name)
    assert program, f'{name} is not built'
    return program


def run_check(site, *options):
    return subprocess.run(
        [lab_program(site.lab, 'tools/roostctl'), 'check', *options, '-c',
         site.policyd.conf, '-p', site.postfix.conf],
        text=True, capture_output=True, check=False)


def test_check_names_what_is_wrong(lab):
    net = lab.net
    site = Site(lab, postfix={'smtpd_authorized_xclient_hosts': f'{net}.70'})
    done = run_check(site)
    assert done.returncode == 1, done
    assert f'mynetworks: {net}.0/24 overlaps the ingress network ' \
           f'{net}.64/26' in done.stdout
    assert 'smtpd_authorized_xclient_hosts: ' in done.stdout
    assert 'smtpd_relay_restrictions' not in done.stdout

    site.postfix.settings |= {
        'mynetworks': f'{net}.200/32', 'smtpd_authorized_xclient_hosts': '',
        'smtpd_relay_restrictions':
            f'permit_mynetworks check_policy_service unix:{site.socket} '
            'reject_unauth_destination'}
    site.postfix.write_conf()
    done = run_check(site)
    assert done.returncode == 1
    assert 'permit_mynetworks stands before' in done.stdout

    site.postfix.settings['smtpd_relay_restrictions'] = \
        'check_policy_service inet:127.0.0.1:10023 permit_mynetworks ' \
        'reject_unauth_destination'
    site.postfix.write_conf()
    assert 'roost-policyd is not asked' in run_check(site).stdout

    site.postfix.settings['smtpd_relay_restrictions'] = \
        SERVICE.format(site.socket) + ' permit_mynetworks reject'
    site.postfix.ports = {10587: [
        'smtpd_relay_restrictions=permit_mynetworks,reject']}
    site.postfix.write_conf()
    done = run_check(site)
    assert done.returncode == 1
    assert ':10587/inet: smtpd_relay_restrictions: ' in done.stdout

    site.postfix.ports = {10587: [
        'smtpd_relay_restrictions=permit_sasl_authenticated,reject']}
    site.postfix.write_conf()
    done = run_check(site)
    # the daemon's own settings overlap too, which is only a warning
    assert done.returncode == 0
    assert done.stdout.startswith('warning trusted_networks: ')
    assert done.stdout.endswith('\n0 errors, 1 warnings\n')


def test_check_looks_further(lab):
    net = lab.net
    (lab.dir / 'nets').write_text(f'# ours\n{net}.64/27\n')
    (lab.dir / 'nets.cidr').write_text(f'{net}.96/27 anything\n')
    socket_path = lab.dir / 'policy.sock'
    site = Site(lab, policy={
        'postgres': 'postgresql://mail:changeme@192.0.2.9/mail',
        'redis_password': 'redis'},
        postfix={
        'mynetworks': f'{lab.dir}/nets, cidr:{lab.dir}/nets.cidr, hash:/x',
        'allow_untrusted_routing': 'yes',
        'smtpd_relay_restrictions':
            'check_policy_service { unix:%s, default_action=DUNNO } '
            'permit_mynetworks reject' % socket_path})
    done = run_check(site, '--json')
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found['errors'] == sum(
        entry['level'] == 'error' for entry in found['findings']) == 3
    texts = [f"{entry['where']}: {entry['text']}"
             for entry in found['findings']]

    def has(*parts):
        return any(all(part in text for part in parts) for text in texts)
    assert has('mynetworks: ', f'{net}.64/27 overlaps')
    assert has('mynetworks: the table hash:/x is not looked into')
    assert has('allow_untrusted_routing: yes lets mail')
    assert has("smtpd_relay_restrictions: 'DUNNO' lets mail pass while")
    assert has('postgres: a password') and has('redis_password: a password')
    assert 'changeme' not in done.stdout

    site.postfix.settings |= {
        'mynetworks': f'{net}.200/32', 'allow_untrusted_routing': 'no',
        'smtpd_policy_service_default_action': 'OK',
        'smtpd_relay_restrictions':
            f'check_policy_service unix:{socket_path} reject'}
    site.postfix.ports = {
        10465: ['smtpd_upstream_proxy_protocol=haproxy'],
        10587: ['allow_untrusted_routing=yes',
                'smtpd_authorized_xclient_hosts=10.0.0.0/8']}
    site.postfix.write_conf()
    text = run_check(site).stdout
    assert "smtpd_policy_service_default_action: 'OK' lets mail" in text
    assert ':10587/inet: allow_untrusted_routing: yes' in text
    assert 'smtpd_authorized_xclient_hosts: 10.0.0.0/8 is a very wide' in text


def test_check_gives_up_on_a_postconf_that_hangs(lab, tmp_path):
    (tmp_path / 'postconf').write_text('#!/bin/sh\nexec sleep 100\n')
    (tmp_path / 'postconf').chmod(0o755)
    done = subprocess.run(
        [lab_program(lab, 'tools/roostctl'), 'check'], text=True,
        capture_output=True, check=False, timeout=60,
        env=os.environ | {'PATH': f'{tmp_path}:{os.environ["PATH"]}'})
    assert done.returncode == 2
    assert 'postconf takes longer than' in done.stderr


def run_probe(site, *options, port=10025):
    return subprocess.run(
        [lab_program(site.lab, 'tools/roostctl'), 'probe', '--json',
         '-d', 'example.com', '-e', 'external.test', *options,
         f'{site.postfix.address}:{port}'],
        text=True, capture_output=True, check=False, timeout=120)


def test_probe(lab):
    """Through the daemon nothing relays, whatever is claimed; without it the
    probe sees the open relay. It sends no mail."""
    relay = ['smtpd_relay_restrictions=permit_mynetworks,'
             'reject_unauth_destination']
    site = Site(lab, postfix={'mynetworks': '127.0.0.0/8'}, ports={
        10465: ['smtpd_upstream_proxy_protocol=haproxy'],
        10587: relay,
        10588: relay + ['smtpd_upstream_proxy_protocol=haproxy']})
    for port, options in ((10025, ()), (10465, ('-P', '127.0.0.1'))):
        done = run_probe(site, *options, port=port)
        found = json.loads(done.stdout)
        assert done.returncode == 0 and found['relays'] == 0, done
        assert found['refused'] >= 4
    for port, options in ((10587, ()), (10588, ('-P', '127.0.0.1'))):
        done = run_probe(site, *options, port=port)
        found = json.loads(done.stdout)
        assert done.returncode == 1 and found['relays'] >= 3, done
        assert {'result': 'relays', 'code': 250,
                'recipient': 'roost-probe@external.test'} \
            in found['recipients']
    assert json.loads(run_probe(
        site, '-P', '198.51.100.7', port=10588).stdout)['relays'] == 0
    done = run_probe(site, port=1)
    assert done.returncode == 2 and 'error' in json.loads(done.stdout)
    assert site.left() == 0 and not site.own.messages()


def test_json_of_explain_and_health(site):
    roostctl = lab_program(site.lab, 'tools/roostctl')
    done = subprocess.run(
        [roostctl, 'explain', '--json', '-c', site.policyd.conf,
         f'client_address={site.lab.net}.70', 'server_address=192.0.2.25'],
        text=True, capture_output=True, check=True)
    assert json.loads(done.stdout) == {
        'verdict': 'reject', 'rule': 'ingress',
        'network': f'{site.lab.net}.64/26', 'mode': 'enforce',
        'answer': 'reject_unauth_destination'}


def test_check_without_postfix_settings(lab, tmp_path):
    done = subprocess.run(
        [lab_program(lab, 'tools/roostctl'), 'check', '-p', tmp_path / 'no'],
        text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert 'roostctl check: postconf failed' in done.stderr


def test_health_command(lab):
    roostctl = lab_program(lab, 'tools/roostctl')
    policyd = Daemon(lab, 'policy/roost-policyd', {
        'listen': f'unix:{lab.dir}/p.sock', 'user': 'nobody',
        'http_listen': f'inet:{lab.address(40)}:10041'}).start()
    url = f'http://{lab.address(40)}:10041'
    for path, status, text in (('/readyz', 0, 'ready\n'), ('', 0, 'ready\n'),
                               ('/no', 1, 'not found\n')):
        done = subprocess.run([roostctl, 'health', url + path], text=True,
                              capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (status, text)
    policyd.stop()
    done = subprocess.run([roostctl, 'health', url], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 1 and 'no answer' in done.stderr
