# SPDX-License-Identifier: MIT
"""doveadm roost: kick, move, drain, undrain, weight, with real clients."""
import json
import os
import signal
import time

import pytest

from agent_socket import TTL, Agent, agent_pid, call, claim, node, status, \
    user_placed_on, wait_grace, wait_lease
from lab import Dovecot, Redis, imap, wait_until

USERS = {f'user{n}': 'pw' for n in range(8)}


@pytest.fixture
def redis(lab):
    return Redis(lab).start()


def know_each_other(nodes, redis):
    wait_grace(redis)
    wait_lease(*nodes)
    for each in nodes:
        wait_until(lambda: len(table(each, 'nodes')) == len(nodes), TTL * 3,
                   f'{each.name} knows all')


@pytest.fixture
def pair(lab, redis):
    """Two agents, no mail: references are what the test says."""
    nodes = [node(lab, name, redis).start() for name in ('n1', 'n2')]
    know_each_other(nodes, redis)
    return nodes


@pytest.fixture
def mail(lab, redis):
    """Two whole nodes."""
    nodes = [Dovecot(lab, name, users=USERS,
                     roost={'redis': f'{redis.address}:{redis.port}',
                            'lease_ttl': f'{TTL}s'}).start()
             for name in ('n1', 'n2')]
    know_each_other(nodes, redis)
    return nodes


def roost(each, *args, code=0):
    done = each.doveadm('-f', 'json', 'roost', *args, check=False, timeout=40)
    assert done.returncode == code, done
    return done


def table(each, *args):
    return json.loads(roost(each, *args).stdout)


def login(each, user):
    return imap(each, user, 'pw')


def owner(each, user):
    return table(each, 'status', user)[0]['owner']


def state_of(asked, name):
    return next(row['state'] for row in table(asked, 'nodes')
                if row['node'] == name)


def is_gone(client):
    try:
        client.noop()
    except (client.abort, OSError):
        return True
    return False


def pinned(nodes, user):
    """The node that has the user, and the other."""
    first = next(n for n in nodes if n.name == owner(nodes[0], user))
    return first, next(n for n in nodes if n is not first)


def test_a_kicked_client_comes_back(mail):
    client = login(mail[0], 'user0')
    other = login(mail[0], 'user1')
    here, away = pinned(mail, 'user0')
    assert roost(away, 'kick', 'user0', code=68).stderr
    assert table(here, 'kick', 'user0') == [{'kicked': '1'}]
    wait_until(lambda: is_gone(client), 5, 'kicked')
    other.noop()
    here.log.wait_for('roost: the session is ended: an admin ended it')
    login(mail[1], 'user0').noop()
    assert owner(mail[0], 'user0') == here.name


def test_a_moved_user_is_on_the_other_node(mail):
    client = login(mail[0], 'user0')
    client.append('INBOX', None, None, b'Subject: one\r\n\r\n')
    here, there = pinned(mail, 'user0')
    epoch = call(here, 'admin', 'STATUS', 'user0').epoch
    [moved] = table(here, 'move', 'user0', there.name)
    assert moved['owner'] == there.name and int(moved['epoch']) > epoch
    assert is_gone(client)
    for each in mail:
        again = login(each, 'user0')
        assert again.select('INBOX') == ('OK', [b'1'])
        assert owner(each, 'user0') == there.name
    here.log.wait_for(f'User user0 moved to node {there.name}')
    there.log.wait_for('roost_user_opened user=user0')
    # not held here any more; nowhere to go
    assert roost(here, 'move', 'user0', there.name, code=68)
    assert 'not up' in roost(there, 'move', 'user0', 'n9', code=75).stderr


def test_logins_wait_while_a_user_moves(pair):
    n1, n2 = pair
    user = user_placed_on(n1, 'n1')
    # a delivery is let finish
    with Agent(n1) as lmtp, Agent(n1, 'admin') as admin, \
            Agent(n1, 'auth') as auth:
        opened = lmtp.send('OPEN', user, 'lmtp', 77)
        assert lmtp.reply(opened).ok
        move = admin.send('MOVE', user, 'n2')
        wait_until(lambda: status(n1)['leaving'] == '1', 5, 'leaving')
        waiting = auth.send('CLAIM', user, 'imap')
        assert call(n1, 'admin', 'MOVE', user, 'n2').code == 'busy'
        auth.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            auth.stream.read(1)
        assert lmtp.call('CLOSE', opened).ok
        assert admin.reply(move).owner == 'n2'
    assert waiting and claim(n1, user).owner == 'n2'
    assert call(n2, '', 'OPEN', user, 'imap', 77).ok
    assert call(n1, '', 'OPEN', user, 'imap', 77).code == 'owner'


def test_clients_are_asked_to_end_and_deliveries_are_not(pair):
    n1 = pair[0]
    user = user_placed_on(n1, 'n1')
    with Agent(n1) as first, Agent(n1) as second:
        imap_open = first.send('OPEN', user, 'imap', 77)
        assert first.reply(imap_open).ok
        assert second.call('OPEN', user, 'lmtp', 78).ok
        assert call(n1, 'admin', 'KICK', user).keys['kicked'] == '1'
        pushed = first.reply(imap_open)
        assert pushed.code == 'kick' and 'admin' in pushed.keys['reason']


def test_a_drained_node_is_empty_and_gets_nobody(mail):
    clients = {user: login(mail[0], user) for user in USERS}
    n1, n2 = mail
    assert {owner(n1, user) for user in USERS} == {'n1', 'n2'}
    began = time.monotonic()
    done = roost(n1, 'drain')
    assert json.loads(done.stdout) == [{'node': 'n1', 'users': '0'}]
    print(f'drained in {time.monotonic() - began:.2f} s')
    n1.log.wait_for('Drained: ')
    for each in mail:
        for user in USERS:
            login(each, user).noop()
            assert owner(n1, user) == 'n2'
    assert status(n1)['state'] == 'drain' and status(n1)['users'] == '0'
    assert sum(is_gone(client) for client in clients.values()) > 0
    # the last one is not drained
    wait_until(lambda: state_of(n2, 'n1') == 'drain', TTL * 2, 'n2 knows')
    assert 'no other node' in roost(n2, 'drain', code=75).stderr
    roost(n1, 'undrain')
    wait_until(lambda: status(n1)['state'] == 'up', 5, 'up')
    n1.log.wait_for('Drain ended')


def test_another_node_is_drained_from_here(pair):
    n1, n2 = pair
    user = user_placed_on(n1, 'n2')
    assert claim(n2, user).self
    roost(n1, 'drain', 'n2')
    wait_until(lambda: status(n2)['state'] == 'drain', TTL * 2, 'draining')
    wait_until(lambda: state_of(n1, 'n2') == 'drain', TTL * 2, 'n1 knows')
    assert claim(n1, user).owner == 'n1'
    roost(n1, 'undrain', 'n2')
    wait_until(lambda: status(n2)['state'] == 'up', TTL * 2, 'up')


def test_a_weight_lasts(pair, redis):
    n1, n2 = pair
    assert 'number' in roost(n1, 'weight', 'n1', '10001', code=64).stderr
    roost(n1, 'weight', 'n2', '0')
    wait_until(lambda: {row['node']: row['weight']
                        for row in table(n1, 'nodes')}['n2'] == '0', TTL * 3,
               'weight')
    with Agent(n1, 'auth') as agent:
        assert {agent.call('LOOKUP', f'u{n}', 'imap').owner
                for n in range(50)} == {'n1'}
    n2.stop()
    n2.start()
    wait_lease(n2)
    assert redis.call('HGET', 'roost:node:{n2}', 'weight') == '0'


def test_sessions_of_before_a_restart_are_not_moved(pair):
    """The agent cannot know that it counts them all."""
    n1 = pair[0]
    user = user_placed_on(n1, 'n1')
    assert claim(n1, user).self
    old = agent_pid(n1)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: agent_pid(n1) != old, 10, 'new agent')
    wait_lease(n1)
    assert claim(n1, user).self
    assert call(n1, 'admin', 'MOVE', user, 'n2').code == 'refs'


def test_clients_are_ended_with_the_lease(mail, redis):
    client = login(mail[0], 'user0')
    here, _ = pinned(mail, 'user0')
    redis.pause()
    try:
        wait_until(lambda: is_gone(client), TTL + 3, 'ended')
        here.log.wait_for('the session is ended: the lease of this node')
    finally:
        redis.resume()


def test_a_cluster_of_one_moves_nobody(lab):
    n1 = node(lab, 'n1').start()
    for args in (['move', 'alice', 'n2'], ['drain'], ['weight', 'n1', '5']):
        assert 'cluster of one' in roost(n1, *args, code=75).stderr
    assert claim(n1, 'alice').ok
    assert table(n1, 'kick', 'alice') == [{'kicked': '0'}]
