# SPDX-License-Identifier: MIT
"""roost-agent when a node, an agent or Redis dies, pauses, or forgets."""
import os
import signal
import time

import pytest

from agent_socket import MARGIN, TTL, Agent, agent_pid, call, claim, node, \
    page, status, user_placed_on, wait_grace, wait_lease
from lab import Redis, wait_until

SLACK = 1.0  # a busy machine


@pytest.fixture
def redis(lab):
    return Redis(lab).start()


@pytest.fixture
def pair(lab, redis):
    nodes = [node(lab, name, redis).start() for name in ('n1', 'n2')]
    wait_grace(redis)
    wait_lease(*nodes)
    return nodes


def pin(owner, user):
    """The user's OPEN on that node; the connection holds it."""
    mail = Agent(owner)
    reply = mail.call('OPEN', user, 'imap', os.getpid())
    assert reply.ok, reply
    return mail, reply


@pytest.fixture
def alice(pair):
    """Placement alone would send her to n2, so that only her pin can be why
    she is on n1."""
    return user_placed_on(pair[0], 'n2')


def wait_granted(each, user, timeout):
    """CLAIMs until the node itself owns the user; returns that reply."""
    found = []

    def granted():
        reply = claim(each, user)
        found[:] = [reply] if reply.ok and reply.self else []
        return found
    wait_until(granted, timeout, lambda: f'{user} on {each.name}')
    return found[0]


def test_users_of_a_killed_node_are_taken_over(pair, alice):
    n1, n2 = pair
    _, opened = pin(n1, alice)
    began = time.monotonic()
    n1.kill()
    # while the lease may still hold nobody else gets her
    assert not claim(n2, alice).self
    reply = wait_granted(n2, alice, TTL + SLACK)
    took = time.monotonic() - began
    print(f'killed owner: user served elsewhere after {took:.2f} s')
    assert reply.epoch > opened.epoch
    assert TTL / 2 < took <= TTL + SLACK
    n2.log.wait_for(f'User {alice} taken over by node n2 from n1')
    # the dead node comes back as another: its old boot owns nothing
    n1.start()
    wait_lease(n1)
    assert page(n1)[0] > opened.boot
    assert claim(n1, alice).owner == 'n2'


def test_a_login_waits_for_a_silent_owner(pair, alice):
    n1, n2 = pair
    pin(n1, alice)
    n1.kill()
    time_of_death = time.monotonic()
    # past half of the TTL the owner counts as silent: one CLAIM, slow
    wait_until(lambda: time.monotonic() - time_of_death > TTL * 0.6, TTL,
               'owner silent')
    reply = claim(n2, alice)
    assert reply.ok and reply.self
    assert time.monotonic() - time_of_death <= TTL + SLACK


def test_an_orderly_stop_frees_the_users_at_once(pair, alice):
    n1, n2 = pair
    mail, opened = pin(n1, alice)
    mail.__exit__()
    n1.stop()
    n1.log.wait_for('Lease of node n1 given back')
    began = time.monotonic()
    reply = claim(n2, alice)
    assert reply.self and reply.epoch > opened.epoch
    assert time.monotonic() - began < TTL / 2


def test_without_redis_users_are_served_until_the_deadline(pair, alice, redis):
    n1, _ = pair
    mail, opened = pin(n1, alice)
    redis.pause()
    began = time.monotonic()
    assert claim(n1, alice).epoch == opened.epoch
    assert 0 < page(n1)[1] <= (TTL - MARGIN) * 1e9
    # the lease ends, and with it every yes
    wait_until(lambda: page(n1)[1] <= 0, TTL + SLACK, 'deadline passed')
    assert time.monotonic() - began <= TTL
    assert claim(n1, alice).code == 'away'
    assert call(n1, '', 'OPEN', alice, 'imap', 77).code == 'away'
    n1.log.wait_for('Lease lost: it could not be renewed in time')

    redis.resume()
    wait_until(lambda: claim(n1, alice).ok, TTL * 3 + SLACK, 'logins again')
    assert claim(n1, alice).epoch > opened.epoch
    assert page(n1)[0] > opened.boot
    # the session of before knows that it has ended
    assert mail.call('CLOSE', 1).ok


def test_redis_killed_and_back_empty_disconnects_nobody(pair, alice, redis):
    n1, n2 = pair
    mail, opened = pin(n1, alice)
    redis.kill()
    assert claim(n1, alice).ok
    redis.start()
    n1.log.wait_for('1 users asserted after Redis lost its memory', TTL)
    wait_until(lambda: page(n1)[1] > (TTL - 2 * MARGIN) * 1e8, TTL, 'renewed')
    assert page(n1)[0] == opened.boot
    assert claim(n1, alice).epoch == opened.epoch
    assert claim(n2, alice).owner == 'n1'
    wait_grace(redis)
    assert claim(n2, alice).owner == 'n1'
    assert page(n1)[0] == opened.boot
    assert 'Lease lost' not in n1.log.text() + n2.log.text()


def test_after_a_wipe_nobody_new_is_granted_for_one_ttl(pair, alice, redis):
    n1, n2 = pair
    mail, opened = pin(n1, alice)
    wiped = time.monotonic()
    redis.call('FLUSHALL')
    with Agent(n2, 'auth') as agent:
        # also the user held elsewhere, whom Redis does not know any more
        numbers = [agent.send('CLAIM', user, 'imap')
                   for user in (alice, 'bob')]
        replies = [agent.reply(number) for number in numbers]
    waited = time.monotonic() - wiped
    hers, bob = replies
    assert hers.ok and hers.owner == 'n1'
    assert hers.epoch == opened.epoch
    assert bob.ok and waited >= TTL - MARGIN
    assert claim(n1, alice).epoch == opened.epoch
    assert page(n1)[0] == opened.boot
    n1.log.wait_for('Redis is new, another one, or was wiped')
    # and epochs go on rising
    mail.__exit__()
    wait_until(lambda: call(n1, 'admin', 'RELEASE', alice).ok, 5, 'released')
    assert claim(n1, alice).epoch > opened.epoch


def test_a_killed_agent_keeps_its_boot_and_its_users(pair, alice):
    n1, n2 = pair
    mail, opened = pin(n1, alice)
    pid = agent_pid(n1)
    os.kill(pid, signal.SIGKILL)
    assert mail.is_closed()
    wait_until(lambda: agent_pid(n1) != pid, 5, 'respawned')
    # what the session does: connect and OPEN again
    mail, again = pin(n1, alice)
    assert (again.boot, again.epoch) == (opened.boot, opened.epoch)
    assert page(n1)[0] == opened.boot
    assert claim(n2, alice).owner == 'n1'
    assert status(n1)['sessions'] == '1'
    # a session may not have come back: nothing is released
    mail.__exit__()
    wait_until(lambda: status(n1)['sessions'] == '0', 5, 'closed')
    assert call(n1, 'admin', 'RELEASE', alice).code == 'refs'


def test_an_agent_is_ended_while_redis_hangs(pair, alice, redis):
    n1, _ = pair
    mail, opened = pin(n1, alice)
    pid = agent_pid(n1)
    with Agent(n1, 'auth') as agent:
        redis.pause()
        wait_until(lambda: page(n1)[1] < (TTL * 0.75 - MARGIN) * 1e9, TTL,
                   'a renewal unanswered')
        agent.send('CLAIM', 'someone', 'imap')
        agent.send('CLAIM', alice, 'imap')
        assert agent.line()[1].self
        os.kill(pid, signal.SIGTERM)
        assert agent.is_closed()
    wait_until(lambda: agent_pid(n1) != pid, 5, 'respawned')
    redis.resume()
    wait_lease(n1)
    assert page(n1)[0] == opened.boot
    assert not n1.log.lines('killed with signal (6|11)|Panic|[lL]eak')


def test_an_agent_that_restarts_with_redis_takes_a_new_boot(pair, alice, redis):
    n1, _ = pair
    mail, opened = pin(n1, alice)
    os.kill(agent_pid(n1), signal.SIGSTOP)
    redis.kill()
    redis.start()
    os.kill(agent_pid(n1), signal.SIGKILL)
    # it cannot assert users that it does not know
    wait_until(lambda: page(n1)[0] > opened.boot, TTL * 3, 'a new boot')
    wait_lease(n1)


def test_a_reload_keeps_the_boot(pair, alice):
    n1, _ = pair
    mail, opened = pin(n1, alice)
    mail.__exit__()
    pid = agent_pid(n1)
    n1.reload()
    wait_until(lambda: not os.path.exists(f'/proc/{pid}'), 10, 'agent gone')
    wait_lease(n1)
    assert page(n1)[0] == opened.boot
    assert claim(n1, alice).epoch == opened.epoch
    assert 'given back' not in n1.log.text()


def test_a_paused_node_does_not_wake_up_as_the_owner(pair, alice):
    n1, n2 = pair
    mail, opened = pin(n1, alice)
    with Agent(n1, 'auth') as agent:
        n1.pause()
        reply = wait_granted(n2, alice, TTL + SLACK)
        assert reply.epoch > opened.epoch
        assert page(n1)[1] <= 0  # what its sessions would look at
        number = agent.send('CLAIM', alice, 'imap')
        n1.resume()
        assert not agent.reply(number).self
    wait_lease(n1)
    assert page(n1)[0] > opened.boot
    assert claim(n1, alice).owner == 'n2'


def test_two_nodes_of_one_name_are_not_both_owners(lab, redis):
    first = node(lab, 'n1', redis).start()
    twin = node(lab, 'twin', redis, node='n1').start()
    wait_grace(redis)
    wait_lease(first)
    twin.log.wait_for('two nodes have the same roost_node')
    assert status(twin)['lease'] == 'none'
    assert claim(first, 'alice').self
    assert claim(twin, 'alice').code == 'away'


def test_a_missing_redis_is_said_once_and_fails_closed(lab):
    redis = Redis(lab)
    n1 = node(lab, 'n1', redis).start()
    assert claim(n1, 'alice').code == 'away'
    assert page(n1)[1] <= 0
    assert len(n1.log.lines('is away: ')) == 1
    redis.start()
    assert wait_granted(n1, 'alice', TTL * 3 + SLACK).ok
