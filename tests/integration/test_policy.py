# SPDX-License-Identifier: MIT
"""roost-policyd on its sockets: answers, bad input, limits, reload."""
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import urllib.error
import urllib.request

import pytest

from lab import Daemon, LabError, wait_until

REJECT = b'action=reject_unauth_destination\n\n'
DUNNO = b'action=DUNNO\n\n'


def request(client='198.51.100.7', **attrs):
    """One request as Postfix sends it."""
    attrs = {'request': 'smtpd_access_policy', 'protocol_state': 'RCPT',
             'protocol_name': 'ESMTP', 'client_address': client,
             'server_address': '192.0.2.25', 'sender': 'a@b.example',
             'recipient': 'c@d.example', 'sasl_method': '',
             'sasl_username': '', 'instance': '1.2.3'} | attrs
    return ''.join(f'{name}={value}\n'
                   for name, value in attrs.items()).encode() + b'\n'


class Policyd(Daemon):
    number = 1

    def __init__(self, lab, **settings):
        self.address = lab.address(39 + self.number)
        self.sockets = lab.dir / f'sockets{self.number}'
        self.sockets.mkdir()
        shutil.chown(self.sockets, 'nobody')
        self.unix = self.sockets / 'policy.sock'
        self.tcp = (self.address, 10040)
        super().__init__(lab, 'policy/roost-policyd', {
            'listen': [f'unix:{self.unix}', f'inet:{self.address}:10040'],
            'http_listen': f'inet:{self.address}:10041',
            'user': 'nobody', 'socket_mode': '0666', 'detect_networks': 'no',
            'ingress_networks': '10.0.0.0/24',
            'trusted_networks': '192.0.2.0/24'} | settings,
            name=f'policyd{self.number}')

    def connect(self):
        return socket.create_connection(self.tcp, 10)

    def get(self, path):
        """(status, body) of the health port."""
        url = f'http://{self.address}:10041{path}'
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        body = self.get('/metrics')[1]
        return int(re.search(f'^{re.escape(name)} (\\d+)$', body,
                             re.MULTILINE)[1])

    def rss_kib(self):
        with open(f'/proc/{self.pid}/status') as f:
            return int(re.search(r'VmRSS:\s+(\d+)', f.read())[1])


@pytest.fixture
def policyd(lab):
    return Policyd(lab).start()


def read_all(connection):
    """What comes until the other side closes."""
    data = b''
    while chunk := connection.recv(65536):
        data += chunk
    return data


def ask(connection, data):
    connection.sendall(data)
    answer = b''
    while not answer.endswith(b'\n\n'):
        chunk = connection.recv(4096)
        assert chunk, f'closed after {answer}'
        answer += chunk
    return answer


def test_answers_on_both_sockets(policyd):
    assert stat.S_IMODE(os.stat(policyd.unix).st_mode) == 0o666
    with socket.socket(socket.AF_UNIX) as local, policyd.connect() as tcp:
        local.connect(str(policyd.unix))
        for connection in (local, tcp):
            connection.settimeout(10)
            assert ask(connection, request()) == REJECT
            assert ask(connection, request('192.0.2.7')) == DUNNO
            assert ask(connection, request('10.0.0.2')) == REJECT
            assert ask(connection, request(
                '10.0.0.2', sasl_method='PLAIN', sasl_username='me')) == DUNNO
    line = policyd.log.lines('rule=ingress')[0]
    for field in ('event=policy_decision', 'verdict=reject', 'client=10.0.0.2',
                  'server=192.0.2.25', 'sasl=no', 'network=10.0.0.0/24',
                  'recipient_domain=d.example', 'mode=enforce'):
        assert field in line
    assert policyd.metric(
        'roost_policy_decisions_total{verdict="reject"}') == 4


def test_pipelined_requests_are_answered_in_order(policyd):
    clients = ['192.0.2.7', '198.51.100.7', '10.0.0.2'] * 200
    with policyd.connect() as connection:
        connection.sendall(b''.join(map(request, clients)))
        connection.shutdown(socket.SHUT_WR)
        answers = read_all(connection)
    assert answers == b''.join(
        DUNNO if client == '192.0.2.7' else REJECT for client in clients)


def test_request_in_small_pieces(policyd):
    with policyd.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = request('192.0.2.7')
        for i in range(len(data) - 1):
            connection.sendall(data[i:i + 1])
        assert ask(connection, data[-1:]) == DUNNO


MALFORMED = {
    'no request': request().replace(b'request=smtpd_access_policy\n', b''),
    'another request': request(request='junk'),
    'no state': request(protocol_state=''),
    'no address': request(''),
    'bad address': request('192.0.2.7 '),
    'two addresses': b'client_address=192.0.2.7\n' + request(),
    'two logins': b'sasl_username=\n' + request(),
    'two recipients': b'recipient=x@y.example\n' + request(),
    'NUL': request(sender='a\0b'),
    'CR': request().replace(b'\n', b'\r\n'),
    'no equals sign': b'nonsense\n' + request(),
    'empty request': b'\n',
    'long name': b'x' * 257 + b'=y\n' + request(),
    'long value': b'x=' + b'y' * 16385 + b'\n' + request(),
    'long line': b'x' * 100000,
    'many attributes': b'x=y\n' * 257 + request(),
    'long request': b''.join(b'x%d=' % i + b'y' * 16000 + b'\n'
                             for i in range(5)) + request(),
    'binary': bytes(range(256)) * 8 + b'\n\n',
    'HTTP': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_is_closed_without_an_answer(policyd, name):
    with policyd.connect() as connection:
        # the good one before it is answered, the one after it is not
        connection.sendall(request('192.0.2.7') + MALFORMED[name]
                           + request('192.0.2.7'))
        try:
            answers = read_all(connection)
        except ConnectionResetError:
            answers = DUNNO
        assert answers == DUNNO
    line = policyd.log.wait_for('event=policy_malformed .*')[0]
    assert f'peer={policyd.lab.net}.' in line or 'peer=127.0.0.1' in line
    assert policyd.metric('roost_policy_malformed_total') == 1
    with policyd.connect() as connection:
        assert ask(connection, request('192.0.2.7')) == DUNNO


def test_no_input_forges_a_log_line(policyd):
    with policyd.connect() as connection:
        ask(connection, request(
            recipient='x@y\x1b[31m" event=forged é', instance='a b=c'))
    line = policyd.log.lines('policy_decision')[0]
    assert 'recipient_domain="y\\x1b[31m\\" event=forged \\xc3\\xa9"' in line
    assert 'instance="a b=c"' in line


def test_slow_requests_end_and_idle_ones_stay(lab):
    policyd = Policyd(lab, request_timeout='1s', idle_timeout='4s').start()
    with policyd.connect() as slow, policyd.connect() as idle, \
            socket.socket(socket.AF_UNIX) as deaf:
        # a byte now and then does not help
        slow.sendall(b'request=smtpd')
        # asks on and on and reads no answer
        deaf.connect(str(policyd.unix))
        deaf.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                deaf.send(request() * 100)

        def slow_ended():
            try:
                slow.send(b'_')
                return False
            except OSError:
                return True

        wait_until(slow_ended, 5, 'the slow connection closed')
        policyd.log.wait_for('event=policy_timeout .*request did not arrive')
        policyd.log.wait_for('event=policy_timeout .*answer was not read')
        assert ask(idle, request('192.0.2.7')) == DUNNO
        idle.settimeout(8)
        assert idle.recv(1) == b''
    assert policyd.metric('roost_policy_timeouts_total{kind="idle"}') == 1
    assert policyd.metric('roost_policy_timeouts_total{kind="request"}') == 2


def test_reload_keeps_connections_and_bad_settings_keep_the_old(policyd):
    with policyd.connect() as connection:
        assert ask(connection, request('192.0.2.7')) == DUNNO
        policyd.write_conf(trusted_networks='198.51.100.0/24')
        policyd.reload()
        policyd.log.wait_for('event=reloaded')
        assert ask(connection, request('192.0.2.7')) == REJECT
        assert ask(connection, request('198.51.100.7')) == DUNNO

        policyd.write_conf(trusted_networks='192.0.2.1/24')
        policyd.reload()
        line = policyd.log.wait_for('event=reload_failed .*')[0]
        assert f'{policyd.conf}:7: trusted_networks: ' in line
        assert 'the network is 192.0.2.0/24' in line
        assert ask(connection, request('192.0.2.7')) == REJECT
        assert ask(connection, request('198.51.100.7')) == DUNNO
        assert policyd.metric('roost_config_reload_ok') == 0

        policyd.write_conf(trusted_networks='192.0.2.0/24')
        mark = policyd.log.mark()
        policyd.reload()
        policyd.log.wait_for('event=reloaded', since=mark)
        assert ask(connection, request('192.0.2.7')) == DUNNO
        assert policyd.metric('roost_config_reload_ok') == 1


def test_observe_logs_the_verdict_and_leaves_it_to_postfix(lab):
    policyd = Policyd(lab, mode='observe').start()
    with policyd.connect() as connection:
        assert ask(connection, request('10.0.0.2')) == DUNNO
    line = policyd.log.lines('policy_decision')[0]
    assert 'verdict=reject' in line and 'mode=observe' in line


@pytest.mark.parametrize('settings, message', [
    ({'trusted_network': '10.0.0.0/8'}, "unknown setting 'trusted_network'"),
    ({'mode': 'enforced'}, "mode: 'enforced' is none of: enforce, observe"),
    ({'listen': []}, 'listen: must name a socket at least'),
    ({'listen': 'inet:192.0.2.1:10040'}, 'listen: inet:192.0.2.1:10040: bind'),
    ({'user': 'no-such-user'}, "user 'no-such-user': does not exist"),
    ({'socket_owner': ':no-such-group'},
     "socket_owner: group 'no-such-group' does not exist"),
    ({'trusted_senders': '192.0.2.7'}, 'is not network=domain'),
])
def test_does_not_start_with_bad_settings(lab, settings, message):
    policyd = Policyd(lab, **settings)
    with pytest.raises(LabError):
        policyd.start()
    assert message in policyd.log.text()
    assert not os.path.exists(policyd.unix)


def test_two_daemons_do_not_share_a_socket(lab, policyd):
    other = Daemon(lab, 'policy/roost-policyd',
                   {'listen': f'unix:{policyd.unix}', 'user': 'nobody'},
                   name='other')
    other.prepare()
    done = other.run(*other.command(), check=False)
    assert done.returncode == 1
    assert 'another process listens there' in done.stderr
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(policyd.unix))
        assert ask(connection, request()) == REJECT


def test_socket_of_a_killed_daemon_is_replaced(policyd):
    policyd.kill()
    assert os.path.exists(policyd.unix)
    policyd.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(policyd.unix))
        assert ask(connection, request()) == REJECT


def test_privileges_are_dropped(policyd):
    policyd.log.wait_for('event=started')
    with open(f'/proc/{policyd.pid}/status') as f:
        status = f.read()
    uids = re.search(r'^Uid:(.*)$', status, re.MULTILINE)[1].split()
    groups = re.search(r'^Groups:(.*)$', status, re.MULTILINE)[1].split()
    assert set(uids) == {'65534'} and '0' not in groups
    assert re.search(r'^NoNewPrivs:\s+1$', status, re.MULTILINE)
    assert re.search(r'^CapEff:\s+0+$', status, re.MULTILINE)


def test_health_port(policyd):
    assert policyd.get('/livez') == (200, 'alive\n')
    assert policyd.get('/readyz') == (200, 'ready\n')
    assert policyd.get('/elsewhere')[0] == 404
    # a thousand silent connections do not keep it from answering for long
    silent = [socket.create_connection((policyd.address, 10041))
              for _ in range(100)]
    wait_until(lambda: _answers(policyd), 15, 'the health port answers')
    for connection in silent:
        connection.close()
    with socket.create_connection((policyd.address, 10041)) as c:
        c.sendall(b'POST /livez HTTP/1.1\r\n\r\n')
        assert read_all(c).startswith(b'HTTP/1.1 405 ')
    with socket.create_connection((policyd.address, 10041)) as c:
        c.sendall(b'GET / HTTP/1.1\r\n' + b'x' * 5000)
        assert read_all(c).startswith(b'HTTP/1.1 431 ')


def _answers(policyd):
    try:
        return policyd.get('/livez')[0] == 200
    except OSError:
        return False


def test_a_thousand_idle_connections(policyd):
    idle = [policyd.connect() for _ in range(1000)]
    wait_until(lambda: policyd.metric('roost_policy_connections') >= 1000, 5,
               '1000 connections')
    with policyd.connect() as connection:
        for _ in range(2000):
            assert ask(connection, request('192.0.2.7')) == DUNNO
    for connection in idle[::100]:
        assert ask(connection, request()) == REJECT
    for connection in idle:
        connection.close()


def test_at_the_descriptor_limit_the_newest_is_refused(lab):
    policyd = Policyd(lab)
    policyd.command = lambda: ['prlimit', '--nofile=200:200',
                               policyd.program, '-c', policyd.conf]
    policyd.start()
    old = [policyd.connect() for _ in range(130)]
    assert all(ask(connection, request()) == REJECT for connection in old)
    new = [policyd.connect() for _ in range(200)]
    assert new[-1].recv(1) == b''
    policyd.log.wait_for('event=policy_full')
    assert all(ask(connection, request()) == REJECT for connection in old)
    assert policyd.get('/readyz')[0] == 200
    for connection in new + old:
        connection.close()
    wait_until(lambda: policyd.metric('roost_policy_connections') == 0, 5,
               'all closed')
    with policyd.connect() as connection:
        assert ask(connection, request()) == REJECT


def test_garbage_does_not_grow_memory(lab, monkeypatch):
    # a sanitizer would keep freed memory back
    options = os.environ.get('ASAN_OPTIONS', '')
    monkeypatch.setenv('ASAN_OPTIONS', options + ':quarantine_size_mb=0'
                       ':thread_local_quarantine_size_kb=0')
    policyd = Policyd(lab).start()
    junk = os.urandom(200000)

    def throw(times):
        for i in range(times):
            with policyd.connect() as connection:
                try:
                    connection.sendall(junk[i:] if i % 2 else
                                       b'x=' + b'y' * 16000)
                except OSError:
                    pass

    throw(50)
    before = policyd.rss_kib()
    throw(1500)
    assert policyd.rss_kib() - before < 4096


def test_command_line(lab):
    policyd = Policyd(lab, trusted_networks='192.0.2.0/24,\n 2001:db8::/32')
    policyd.write_conf()

    def run(*args, **env):
        return subprocess.run(
            [policyd.program, '-c', policyd.conf, *args], text=True,
            capture_output=True, timeout=10,
            env={'PATH': os.environ['PATH'], **env})

    shown = run('-n', '-o', 'mode=observe',
                ROOST_POLICY_IDLE_TIMEOUT='5m').stdout
    assert 'mode = observe\n' in shown
    assert 'idle_timeout = 5m\n' in shown
    assert 'trusted_networks = 192.0.2.0/24, 2001:db8::/32\n' in shown
    assert run('-t').returncode == 0
    wrong = run('-t', '-o', 'detect_networks=maybe')
    assert wrong.returncode == 1 and 'neither yes' in wrong.stderr
    wrong = run('-t', ROOST_POLICY_MOD='observe')
    assert wrong.returncode == 1
    assert "ROOST_POLICY_MOD: unknown setting 'mod'" in wrong.stderr
    assert run('-x').returncode == 2


def test_sigterm_ends_it_and_removes_the_socket(policyd):
    policyd.signal(signal.SIGTERM)
    assert policyd.popen.wait(10) == 0
    assert not os.path.exists(policyd.unix)
