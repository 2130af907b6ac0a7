# SPDX-License-Identifier: MIT
"""What an agent sent over a connection that it has given up may reach Redis
late: after the agent has connected again and the user is in use again."""
import selectors
import socket
import threading

import pytest

from agent_socket import TTL, Agent, call, claim, node, status, \
    user_placed_on, wait_grace, wait_lease
from lab import Redis, wait_until

PORT = 16380


class Delay(threading.Thread):
    """Passes connections on to Redis. hold() keeps back what those of now
    send, and their ends; deliver() sends it after all."""

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.redis, self.address, self.port = redis, redis.address, PORT
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server((self.address, PORT))
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers, self.held, self.lock = {}, {}, threading.Lock()
        self.start()

    def run(self):
        while True:
            for key, _ in self.selector.select():
                with self.lock:
                    self.handle(key.fileobj)

    def handle(self, source):
        if source is self.listener:
            client, _ = source.accept()
            try:
                server = socket.create_connection((self.address,
                                                   self.redis.port))
            except OSError:
                client.close()  # the test is over
                return
            for one, other, up in ((client, server, True),
                                   (server, client, False)):
                self.peers[one] = (other, up)
                self.selector.register(one, selectors.EVENT_READ)
            return
        try:
            data = source.recv(65536)
        except OSError:
            data = b''
        if not data:
            self.selector.unregister(source)
        if source in self.held:
            self.held[source] += data
        else:
            try:
                if data:
                    self.peers[source][0].sendall(data)
                else:
                    self.peers[source][0].shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the other side has gone

    def hold(self):
        with self.lock:
            self.held = {one: b'' for one, (_, up) in self.peers.items() if up}

    def deliver(self):
        with self.lock:
            for source, data in self.held.items():
                if data:
                    self.peers[source][0].sendall(data)


@pytest.fixture
def pair(lab):
    redis = Redis(lab).start()
    delay = Delay(redis)
    n1 = node(lab, 'n1', delay).start()
    n2 = node(lab, 'n2', redis).start()
    wait_grace(redis)
    wait_lease(n1, n2)
    wait_until(lambda: n2.doveadm('roost', 'nodes').stdout.count('up') == 2,
               TTL * 3, 'both known')
    n1.redis, n1.delay = redis, delay
    return n1, n2


@pytest.mark.parametrize('words', [['RELEASE'], ['MOVE', 'n2']],
                         ids=lambda words: words[0].lower())
def test_a_late_release_takes_no_user_away(pair, words):
    n1, n2 = pair
    user = user_placed_on(n1, 'n1')
    first = claim(n1, user)
    assert first.self
    command, *rest = words
    n1.delay.hold()
    with Agent(n1, 'admin') as admin:
        admin.send(command, user, *rest)
        n1.log.wait_for('Redis at .* is away: no answer')
        wait_until(lambda: status(n1)['redis'] == 'up', 5, 'up again')
    with Agent(n1) as mail:
        opened = mail.call('OPEN', user, 'imap', 77)
        assert opened.ok and opened.epoch > first.epoch
        n1.delay.deliver()
        # it has been dealt with when the next command is
        key = next(key for key in n1.redis.call('KEYS', 'roost:*:u:*'))
        for _ in range(3):
            n1.redis.call('PING')
        assert n1.redis.call('HMGET', key, 'node', 'epoch') == [
            'n1', str(opened.epoch)]
        assert claim(n2, user).owner == 'n1'
        assert call(n2, '', 'OPEN', user, 'imap', 78).code == 'owner'


def test_a_missing_record_is_no_death(pair):
    """A wipe may have taken it, and the node be about to assert it."""
    n1, n2 = pair
    user = user_placed_on(n1, 'n1')
    assert claim(n1, user).self
    n1.kill()
    key = 'roost:node:{n1}'
    record = n1.redis.call('HGETALL', key)
    n1.redis.call('DEL', key)
    wait_until(lambda: 'n1' not in n2.doveadm('roost', 'nodes').stdout, TTL,
               'forgotten')
    with Agent(n2, 'auth') as auth:
        claimed = auth.send('CLAIM', user, 'imap')
        looked = auth.send('LOOKUP', user, 'imap')
        auth.socket.settimeout(TTL + 1)
        with pytest.raises(TimeoutError):
            auth.socket.recv(1)
        auth.socket.settimeout(35)
        n1.redis.call('HSET', key, *record)  # it has expired meanwhile
        assert auth.reply(claimed).self
        assert auth.reply(looked).ok
