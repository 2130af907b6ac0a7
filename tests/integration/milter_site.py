# SPDX-License-Identifier: MIT
"""What the milter tests share: key pairs, a running roost-milter, checks."""
import functools
import re
import socket
import subprocess
import urllib.error
import urllib.request

from lab import Daemon, dkim_results, public_record
from milter_client import MilterClient

ACCEPT, REJECT_CODE = b'a', b'y'
BODY = b'Hello,\r\n\r\nthis  is a\ttest. \r\n\r\n'


@functools.lru_cache(maxsize=None)
def key_pair(name, kind='rsa'):
    """(private PEM, TXT record); the same for the same name."""
    del name
    args = ['-algorithm', 'ed25519'] if kind == 'ed25519' else \
        ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
    pem = subprocess.run(['openssl', 'genpkey', *args], check=True,
                         capture_output=True).stdout
    return pem, public_record(pem)


class Keys:
    """Keys as they are published: DNS name -> TXT."""

    def __init__(self):
        self.records = {}

    def add(self, domain, selector, kind='rsa'):
        """Publishes a new key and returns its PEM."""
        pem, record = key_pair((domain, selector, kind), kind)
        self.records[f'{selector}._domainkey.{domain}'] = record
        return pem

    def write(self, folder, domain, selector, kind='rsa', mode=0o600):
        """The same, put into a key directory."""
        path = folder / f'{domain}.{selector}.key'
        path.write_bytes(self.add(domain, selector, kind))
        path.chmod(mode)
        return path

    def signatures(self, message):
        """{selector: (domain, algorithm)} of the signatures; all must
        verify."""
        results = dkim_results(message, self.records)
        assert all(good for *_, good in results), (results, message)
        return {selector: (domain, algorithm)
                for domain, selector, algorithm, _ in results}


class Milter(Daemon):
    """Ready when its keys are read; its socket is open before that."""

    def start(self):
        self.since = self.log.mark()
        return super().start()

    def is_ready(self):
        return 'event=started' in self.log.text(self.since)


def milter(lab, tcp=False, **settings):
    """A roost-milter that is not started yet; .where is its socket, .http
    the URL of its health port."""
    address = lab.address(40)
    conf = {'http_listen': f'inet:{address}:19991', 'user': 'root'}
    daemon = Milter(lab, 'milter/roost-milter', conf)
    daemon.where = f'inet:{address}:18891' if tcp else \
        f'unix:{daemon.dir}/sock'
    daemon.settings |= {'listen': daemon.where, 'socket_mode': '0666',
                        'key_poll_interval': '500ms'} | settings
    daemon.http = f'http://{address}:19991'
    return daemon


def get(daemon, path):
    """(status, text) of the health port."""
    try:
        with urllib.request.urlopen(daemon.http + path, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(daemon, name):
    """The value of a metric, given with its labels."""
    text = get(daemon, '/metrics')[1]
    return float(re.search(rf'^{re.escape(name)} (\S+)$', text,
                           re.MULTILINE)[1])


def client(daemon, address='127.0.0.1', **kwargs):
    """A connection, up to and with the client's address."""
    connection = MilterClient(daemon.where)
    connection.negotiate(**kwargs)
    assert connection.connect(address)[0] == b'c'
    return connection


def headers(author=b' Author <a@example.org>', *more):
    return [(b'From', author), (b'To', b' b@example.net'),
            (b'Subject', b' test'), *more]


def sign(daemon, fields=None, body=BODY, address='127.0.0.1', login=None):
    """Sends one message on its own connection: (answer, data, message)."""
    with client(daemon, address) as connection:
        (answer, data), message = connection.message(
            fields or headers(), body, login)
    return answer, data, message


def signed_by(daemon, keys, **kwargs):
    """The selectors of a message that must be accepted."""
    answer, data, message = sign(daemon, **kwargs)
    assert answer == ACCEPT, (answer, data)
    return set(keys.signatures(message)) if message else set()


def reply_of(daemon, **kwargs):
    """The SMTP reply of a message that must be refused."""
    answer, data, _ = sign(daemon, **kwargs)
    assert answer == REJECT_CODE, (answer, data)
    return data.rstrip(b'\0').decode()


def fails_to_start(daemon, timeout=10):
    """Runs it; returns what it says when it ends with a failure."""
    daemon.prepare()
    done = subprocess.run(daemon.command(), capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 1, done
    return done.stderr


def rss_kib(daemon):
    with open(f'/proc/{daemon.pid}/status') as status:
        return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1])


def assert_growth(daemon, before, limit):
    """Its memory has not grown by more than `limit` KiB. A sanitizer keeps
    what is freed: then there is nothing to see."""
    with open(f'/proc/{daemon.pid}/maps') as maps:
        if re.search('lib[at]san', maps.read()):
            return
    assert rss_kib(daemon) - before < limit


def is_closed(connection):
    """Whether the other side has closed, or does within the timeout."""
    try:
        while connection.socket.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False
