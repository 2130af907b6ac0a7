# SPDX-License-Identifier: MIT
"""The agent's protocol (docs/agent-protocol.md), spoken raw, and a look at
what the agent shows to others: the lease page, its process, Redis."""
import pwd
import socket
import struct
import time
from types import SimpleNamespace

from lab import Dovecot, wait_until

TTL = 2  # seconds, of the nodes of these tests
MARGIN = 0.2
HELLO = b'VERSION\troost-agent\t1\t0\n'
FOREVER = 2 ** 64 - 1
ESCAPES = {'\x01': '\x011', '\t': '\x01t', '\r': '\x01r', '\n': '\x01n'}


def node(lab, name, redis=None, **settings):
    """A node with the agent, and without the mail plugin."""
    if redis:
        settings = {'redis': f'{redis.address}:{redis.port}',
                    'lease_ttl': f'{TTL}s'} | settings
    return Dovecot(lab, name, users={'alice': 'pw'}, roost=settings,
                   extra={'mail_plugins': None})


def escape(word):
    return ''.join(ESCAPES.get(c, c) for c in str(word))


class Agent:
    """A connection. role: '' (mail), 'auth' or 'admin'."""

    def __init__(self, node, role='', hello=HELLO, timeout=35):
        path = node.base / ('roost-agent' + (role and f'-{role}'))
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile('rwb')
        self.id = 0
        self.waiting = {}
        self.write(hello)
        if hello == HELLO:
            assert self.stream.readline() == HELLO

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def write(self, data):
        self.stream.write(data)
        self.stream.flush()

    def send(self, *words):
        """Returns the ID of the request."""
        self.id += 1
        line = '\t'.join([str(self.id), *map(escape, words)]) + '\n'
        self.write(line.encode())
        return self.id

    def line(self):
        """The next line as (ID, reply)."""
        line = self.stream.readline()
        if not line:
            raise ConnectionError('the agent closed the connection')
        number, word, *fields = line.decode().rstrip('\n').split('\t')
        pairs = (field.partition('=') for field in fields)
        keys = {key: value if sep else True for key, sep, value in pairs}
        return int(number), SimpleNamespace(
            ok=word == 'OK', code=keys.get('code'), keys=keys,
            self='self' in keys, owner=keys.get('owner'),
            epoch=int(keys.get('epoch', 0)), boot=int(keys.get('boot', 0)))

    def reply(self, number):
        while number not in self.waiting:
            got, reply = self.line()
            self.waiting[got] = reply
        return self.waiting.pop(number)

    def call(self, *words):
        return self.reply(self.send(*words))

    def is_closed(self):
        """Waits for the end of the connection."""
        try:
            return not self.stream.read()
        except ConnectionError:
            return True


def call(node, role, *words):
    with Agent(node, role) as agent:
        return agent.call(*words)


def claim(node, user, *words):
    return call(node, 'auth', 'CLAIM', user, 'imap', *words)


def status(node):
    return call(node, 'admin', 'STATUS').keys


def wait_lease(*nodes, state='held', timeout=TTL * 3):
    for each in nodes:
        wait_until(lambda: status(each)['lease'] == state, timeout,
                   lambda: f'lease of {each.name} {state}: {status(each)}')


def wait_grace(redis, timeout=TTL * 3):
    """Until every shard grants again."""
    def over():
        last = redis.call('HGET', 'roost:{255}:gen', 'from')
        seconds, micros = redis.call('TIME')
        return last and int(seconds) * 10 ** 6 + int(micros) > int(last)
    wait_until(over, timeout, 'grace over')


def user_placed_on(asked, name):
    """A user without a pin whom the rendezvous would send there."""
    with Agent(asked, 'auth') as agent:
        for number in range(1000):
            user = f'placed{number}'
            reply = agent.call('LOOKUP', user, 'imap')
            if reply.owner == name and 'pinned' not in reply.keys:
                return user


def page(node):
    """The lease page: (boot, ns until the deadline; None without end)."""
    data = (node.base / 'roost-lease').read_bytes()
    boot, deadline = struct.unpack_from('<QQ', data, 16)
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return boot, None if deadline == FOREVER else deadline - now


def agent_pid(node):
    def find():
        for pid in node.processes():
            try:
                with open(f'/proc/{pid}/comm') as f:
                    if f.read() == 'roost-agent\n':
                        return pid
            except OSError:
                pass
    wait_until(find, 10, f'agent of {node.name}')
    return find()


def process_status(pid, key):
    with open(f'/proc/{pid}/status') as f:
        return next(line.split()[1:] for line in f
                    if line.startswith(f'{key}:'))


def uid_of(name):
    return pwd.getpwnam(name).pw_uid
