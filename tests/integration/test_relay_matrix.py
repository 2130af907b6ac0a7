# SPDX-License-Identifier: MIT
"""Every relay trick, from every kind of client, by every way that an address
can come to Postfix: a sink proves that nothing left."""
import base64
import ipaddress
import socket
import struct

import pytest

from lab import message
from test_relay import BOTH, INGRESS, OUTSIDE, TRICKS, TRUSTED, Site

PROXY_PORT = 10125
# who they are when they do not come by themselves
CLAIMED = {INGRESS: '10.0.0.2', OUTSIDE: '198.51.100.7', BOTH: '10.0.0.9',
           TRUSTED: '192.0.2.7'}


class Session:
    """SMTP by hand: what comes first may be a PROXY header."""

    def __init__(self, site, source, port, header=b''):
        self.socket = socket.create_connection(
            (site.postfix.address, port), 20, (source, 0))
        self.stream = self.socket.makefile('rwb')
        self.stream.write(header)
        self.stream.flush()
        assert self.reply() == 220
        assert self.say('EHLO client.test') == 250

    def reply(self):
        while True:
            line = self.stream.readline()
            if line[3:4] != b'-':
                return int(line[:3] or 0)

    def say(self, line):
        self.stream.write(line.encode() + b'\r\n')
        self.stream.flush()
        return self.reply()

    def send(self, recipient, sender='x@example.com'):
        """The code for the recipient; what is taken is sent."""
        assert self.say(f'MAIL FROM:<{sender}>') == 250
        code = self.say(f'RCPT TO:<{recipient}>')
        if code == 250:
            assert self.say('DATA') == 354
            self.stream.write(message('x@example.com', 'y@z.test'))
            assert self.say('\r\n.') == 250
        assert self.say('RSET') == 250
        return code

    def close(self):
        self.stream.close()
        self.socket.close()


def proxy_v1(source, dest):
    return f'PROXY TCP4 {source} {dest} 1111 25\r\n'.encode()


def proxy_v2(source, dest):
    addresses = ipaddress.ip_address(source).packed + \
        ipaddress.ip_address(dest).packed + struct.pack('>HH', 1111, 25)
    return b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + \
        struct.pack('>H', len(addresses)) + addresses


# PROXY's LOCAL: the address is that of the connection
LOCAL_V2 = b'\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00'


def arrive(site, way, host, claims=''):
    """A session that Postfix sees as coming from the host, by that way;
    claims: more for XCLIENT."""
    address, server = CLAIMED[host], '192.0.2.25'
    proxy = site.lab.address(INGRESS)
    if way == 'direct':
        return Session(site, site.lab.address(host), site.postfix.port)
    if way == 'PROXY v1':
        return Session(site, proxy, PROXY_PORT, proxy_v1(address, server))
    if way == 'PROXY v2':
        return Session(site, proxy, PROXY_PORT, proxy_v2(address, server))
    session = Session(site, proxy, site.postfix.port)
    assert session.say(
        f'XCLIENT ADDR={address} DESTADDR={server}{claims}') == 220
    assert session.say('EHLO client.test') == 250
    return session


@pytest.fixture
def site(lab):
    """As wrong as it gets: the whole lab is in mynetworks, may use XCLIENT
    and may send PROXY headers."""
    net = lab.net
    return Site(lab, policy={
        'ingress_networks': f'{net}.64/26, 10.0.0.0/24',
        'trusted_networks': f'{net}.192/26, {net}.{BOTH}, 10.0.0.9, '
                            '192.0.2.0/28'}, postfix={
        'mynetworks': '0.0.0.0/0', 'inet_protocols': 'ipv4',
        'smtpd_authorized_xclient_hosts': f'{net}.0/24',
        'smtpd_soft_error_limit': '1000', 'smtpd_hard_error_limit': '1000',
        'smtpd_client_connection_count_limit': '0'},
        ports={PROXY_PORT: ['smtpd_upstream_proxy_protocol=haproxy']})


@pytest.mark.parametrize('way', ['direct', 'PROXY v1', 'PROXY v2', 'XCLIENT'])
def test_no_trick_relays(site, way):
    for host in (INGRESS, OUTSIDE, BOTH):
        # a login that XCLIENT claims is none
        session = arrive(site, way, host, ' LOGIN=alice')
        assert session.send('victim@external.test') == 554
        for trick in TRICKS:
            code = session.send(trick)
            assert code == 250 or 500 <= code < 560, (host, trick, code)
        assert session.send('user@example.com') == 250
        session.close()
    assert site.left() == 0, site.world.messages()
    # what must pass does: a trusted client, and whoever has logged in
    session = arrive(site, way, TRUSTED)
    assert session.send('victim@external.test') == 250
    session.close()
    session = arrive(site, way, INGRESS)
    plain = base64.b64encode(b'\0alice\0secret').decode()
    assert session.say(f'AUTH PLAIN {plain}') == 235
    assert session.send('victim@external.test') == 250
    session.close()
    site.world.wait(2)


def test_proxy_without_an_address(site):
    """LOCAL: the balancer's own address, which is in the ingress network."""
    session = Session(site, site.lab.address(INGRESS), PROXY_PORT, LOCAL_V2)
    assert session.send('victim@external.test') == 554
    session.close()
    site.policyd.log.wait_for('rule=ingress ')
    assert site.left() == 0
