# SPDX-License-Identifier: MIT
"""Whatever a client of the milter's socket does, the milter lives, does not
grow, and goes on signing for others."""
import random
import socket
import struct

import pytest

from lab import wait_until
from milter_client import MilterClient
from milter_site import (ACCEPT, Keys, assert_growth, client, headers,
                         is_closed, metric, milter, rss_kib, signed_by)

COMMANDS = b'ABCDEHIKLMNOQRTUXxyz\0\xff'


@pytest.fixture
def site(lab):
    keys, folder = Keys(), lab.dir / 'keys'
    folder.mkdir()
    keys.write(folder, 'example.org', 'r')
    daemon = milter(lab, key_directory=folder).start()
    daemon.keys = keys
    pid = daemon.pid
    yield daemon
    assert daemon.popen.poll() is None and daemon.pid == pid
    assert signed_by(daemon, keys) == {'r'}
    wait_until(lambda: metric(daemon, 'roost_milter_connections') == 0, 10,
               'connections closed')
    assert metric(daemon, 'roost_milter_messages_active') == 0


def packet(command, data=b''):
    return struct.pack('!I', len(data) + 1) + command + data


def session():
    """The bytes of one whole session."""
    return [packet(b'O', struct.pack('!III', 6, 0x1FF, 0x1FFFFF)),
            packet(b'D', b'C{daemon_name}\0smtpd\0'),
            packet(b'C', b'host\0004' + b'\x10\xe1' + b'127.0.0.1\0'),
            packet(b'M', b'<a@example.org>\0'),
            packet(b'L', b'From\0 a@example.org\0'),
            packet(b'L', b'Subject\0 x\0'),
            packet(b'D', b'Ni\0Q1\0'), packet(b'N'),
            packet(b'B', b'Hello\r\n'), packet(b'D', b'Ei\0Q1\0'),
            packet(b'E'), packet(b'Q')]


def throw(daemon, data, read=True):
    """Sends bytes, then our end of the stream; waits for its end."""
    connection = MilterClient(daemon.where)
    try:
        connection.raw(data)
        connection.socket.shutdown(socket.SHUT_WR)
        if read:
            assert is_closed(connection), data[:200]
    except ConnectionError:
        pass
    finally:
        connection.close()


def test_every_truncation_of_a_session(site):
    whole = b''.join(session())
    for end in range(len(whole)):
        throw(site, whole[:end], read=end % 5 == 0)


def test_packets_out_of_order(site):
    rng = random.Random(1)
    start = session()[0]
    for round_ in range(200):
        packets = rng.choices(session(), k=rng.randint(1, 12))
        throw(site, (start if round_ % 4 else b'') + b''.join(packets))


def test_end_of_body_before_anything(site):
    for first in (b'E', b'B', b'N', b'L', b'A', b'Q', b'K'):
        throw(site, session()[0] + packet(first, b'x'))
        throw(site, packet(first))
        throw(site, session()[0] + session()[2] + session()[3] +
              packet(first, b'x') * 3)


def test_garbage(site):
    rng = random.Random(2)
    for _ in range(200):
        data = bytes(rng.choices(range(256), k=rng.randint(1, 400)))
        throw(site, data)
    for _ in range(300):
        packets = [packet(bytes([rng.choice(COMMANDS)]),
                          bytes(rng.choices(b'ab\0\n:@<>{}\xff', k=rng.randint(
                              0, 60)))) for _ in range(rng.randint(1, 10))]
        throw(site, session()[0] + b''.join(packets))


@pytest.mark.parametrize('size', [0, 0x10000 * 64, 0x7FFFFFFF, 0xFFFFFFFF])
def test_impossible_lengths(site, size):
    before = rss_kib(site)
    for command in b'OLB':
        throw(site, struct.pack('!I', size) + bytes([command]) + b'x' * 1000)
        throw(site, session()[0] + struct.pack('!I', size) +
              bytes([command]) + b'x' * 1000)
    assert_growth(site, before, 20000)


def test_header_bomb(site):
    """More fields than are kept: refused at the end, memory bounded."""
    with client(site) as connection:
        before = rss_kib(site)
        assert connection.mail()[0] == b'c'
        connection.header(b'From', b' a@example.org')
        for _ in range(2000):
            connection.header(b'To', b' ' + b'x' * 10000)
        assert_growth(site, before, 8000)
        assert connection.end_headers()[0] == b'y'
    site.log.wait_for('event=dkim_refused .*too many header fields')


def test_a_huge_body_is_not_kept(site):
    with client(site) as connection:
        before = rss_kib(site)
        assert connection.mail()[0] == b'c'
        for name, value in headers():
            connection.header(name, value)
        assert connection.end_headers()[0] == b'c'
        for _ in range(1000):
            connection.body(b'x' * 65535)
        assert_growth(site, before, 4000)
        assert connection.end()[1][0] == ACCEPT


def test_nul_and_newlines_in_header_names(site):
    with client(site) as connection:
        assert connection.mail()[0] == b'c'
        for name, value in ((b'From\nX', b' a'), (b':', b':'),
                            (b'a b', b' \n\n\r\r\n'), (b'\xff', b'\xff')):
            connection.header(name, value)
        connection.header(b'From', b' a@example.org')
        assert connection.end_headers()[0] == b'c'
        connection.body(b'\r\n')
        assert connection.end()[1][0] == ACCEPT


def test_idle_and_half_open_connections_disturb_nobody(site):
    """Each stands still at another place of a session. libmilter's pool of
    threads alone would let others wait for as long as the packets last."""
    packets, idle = session(), []
    for count in range(100):
        connection = MilterClient(site.where)
        connection.raw(b''.join(packets[:count % len(packets)]))
        if count % 3 == 0:
            connection.raw(struct.pack('!I', 500) + b'B')
        idle.append(connection)
    for _ in range(20):
        assert signed_by(site, site.keys) == {'r'}
    for connection in idle:
        connection.close()
