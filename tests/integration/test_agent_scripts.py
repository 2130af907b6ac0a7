# SPDX-License-Identifier: MIT
"""The agent's Lua scripts alone, on a real Redis: what each grants."""
import os
from pathlib import Path

import pytest

from lab import Lab, Redis, wait_until

SOURCE = Path(os.environ.get('srcdir', Path(__file__).parents[2]))
SCRIPTS = SOURCE / 'dovecot-plugins' / 'agent' / 'scripts'
NODE, USER, GEN = 'roost:node:{n1}', 'roost:{7}:u:alice', 'roost:{7}:gen'
WANT = f'{NODE}:want'
TTL_MS = 60000
GRACE = 10 ** 9


@pytest.fixture(scope='module')
def server():
    with Lab() as lab:
        yield Redis(lab).start()


@pytest.fixture
def redis(server):
    server.call('FLUSHALL')
    return server


def run(redis, script, keys, *args):
    reply = redis.call('EVAL', (SCRIPTS / f'{script}.lua').read_text(),
                       len(keys), *keys, *args)
    return reply


def now(redis):
    seconds, micros = redis.call('TIME')
    return int(seconds) * 10 ** 6 + int(micros)


def renew(redis, kind, boot=0, ttl=TTL_MS):
    reply = announce(redis, kind, boot, ttl)
    return reply[:2] if reply[0] == 'granted' else reply


def announce(redis, kind, boot=0, ttl=TTL_MS, weight=100, state='up'):
    return run(redis, 'node-renew', [NODE, WANT], kind, boot, ttl,
               '127.0.0.1', '', weight, '', state)


def claim(redis, me, target=None, dead=('', ''), run_id='r1', lasts=0,
          grace=0):
    target = target or me
    return run(redis, 'user-claim', [USER, GEN], run_id, grace, *me, *target,
               *dead, lasts)


def assert_(redis, me, epoch, run_id='r1', grace=0):
    return run(redis, 'user-assert', [USER, GEN], run_id, grace, *me, epoch)


def test_what_the_admin_wants_is_announced(redis):
    _, boot, *told = announce(redis, 'new')
    assert told == ['up', '100']
    redis.call('HSET', WANT, 'state', 'drain', 'boot', boot, 'weight', 50)
    assert announce(redis, 'renew', boot)[2:] == ['drain', '50']
    assert redis.call('HMGET', NODE, 'state', 'weight') == ['drain', '50']
    # Redis forgets, the node does not
    redis.call('DEL', WANT)
    assert announce(redis, 'renew', boot, weight=50,
                    state='drain')[2:] == ['drain', '50']
    redis.call('HSET', WANT, 'state', 'up', 'boot', boot)
    assert announce(redis, 'renew', boot, state='drain')[2] == 'up'
    # a drain is one of a boot
    redis.call('HSET', WANT, 'state', 'drain', 'boot', boot)
    assert announce(redis, 'new', boot)[2] == 'up'


def test_a_hand_over_takes_that_epoch_alone(redis):
    epoch = claim(redis, ('n1', '1'))[3]
    moved = ['r1', 0, 'n2', '2', 'n2', '2', 'n1', '1', 1000]
    assert run(redis, 'user-claim', [USER, GEN], *moved, int(epoch) - 1) == [
        'owned', 'n1', '1', epoch]
    reply = run(redis, 'user-claim', [USER, GEN], *moved, epoch)
    assert reply[:3] == ['takeover', 'n2', '2'] and int(reply[3]) > int(epoch)


# ---- the node's lease ------------------------------------------------------

def test_boots_rise_with_the_clock_and_above_their_own(redis):
    before = now(redis)
    word, boot = renew(redis, 'new')
    assert word == 'granted' and int(boot) >= before
    assert renew(redis, 'renew', boot) == ['granted', boot]
    # the caller's own boot may be replaced at once
    word, second = renew(redis, 'new', boot)
    assert word == 'granted' and int(second) > int(boot)
    # a clock that went back: above what was
    future = now(redis) + 10 ** 12
    redis.call('HSET', NODE, 'boot', future, 'expiry', 0)
    assert renew(redis, 'new') == ['granted', str(future + 1)]
    redis.call('DEL', NODE)
    assert renew(redis, 'new', future) == ['granted', str(future + 1)]


def test_a_live_boot_is_not_replaced_by_another(redis):
    _, boot = renew(redis, 'new')
    word, left, addr = renew(redis, 'new')
    assert word == 'in-use' and 0 < int(left) <= TTL_MS
    assert addr == '127.0.0.1'
    assert renew(redis, 'renew', boot) == ['granted', boot]


def test_an_expired_boot_never_comes_back(redis):
    _, boot = renew(redis, 'new', ttl=1)
    wait_until(lambda: int(run(redis, 'node-get', [NODE])[1]) <= 0, 5,
               'expired')
    assert renew(redis, 'renew', boot) == ['dead']
    # but for a server that lost its memory, or whose clock jumped
    assert renew(redis, 'assert', boot) == ['granted', boot]
    _, second = renew(redis, 'new', boot)
    for kind in ('renew', 'assert'):
        assert renew(redis, kind, boot) == ['dead']
    assert run(redis, 'node-get', [NODE])[0] == second


def test_a_missing_node_is_told_from_a_dead_one(redis):
    assert renew(redis, 'renew', 5) == ['missing']
    assert redis.call('EXISTS', NODE) == 0
    assert renew(redis, 'assert', 5) == ['granted', '5']


def test_only_its_boot_ends_a_lease(redis):
    _, boot = renew(redis, 'new')
    assert run(redis, 'node-end', [NODE], int(boot) + 1) == 0
    assert int(run(redis, 'node-get', [NODE])[1]) > 0
    assert run(redis, 'node-end', [NODE], boot) == 1
    assert int(run(redis, 'node-get', [NODE])[1]) < 0
    assert run(redis, 'node-get', ['roost:node:{n2}']) == []


# ---- users -----------------------------------------------------------------

def test_claims_are_compare_and_set(redis):
    before = now(redis)
    word, node, boot, epoch = claim(redis, ('n1', '1'))
    assert (word, node, boot) == ('claimed', 'n1', '1')
    assert int(epoch) >= before
    assert claim(redis, ('n1', '1')) == ['held', 'n1', '1', epoch]
    assert claim(redis, ('n2', '9')) == ['owned', 'n1', '1', epoch]
    # another boot of the owner is another owner
    assert claim(redis, ('n1', '2')) == ['owned', 'n1', '1', epoch]
    for dead in (('n1', '2'), ('n3', '1'), ('n2', '9')):
        assert claim(redis, ('n2', '9'), dead=dead)[0] == 'owned'
    word, node, boot, second = claim(redis, ('n2', '9'), dead=('n1', '1'))
    assert (word, node, boot) == ('takeover', 'n2', '9')
    assert int(second) > int(epoch)


def test_epochs_rise_also_when_the_clock_does_not(redis):
    future = now(redis) + 10 ** 12
    claim(redis, ('n1', '1'))
    redis.call('HSET', USER, 'epoch', future)
    assert claim(redis, ('n2', '9'), dead=('n1', '1'))[3] == str(future + 1)


def test_a_grant_to_another_node_is_confirmed_by_it(redis):
    word, node, boot, _ = claim(redis, ('n1', '1'), target=('n2', '9'),
                                lasts=50000)
    assert (word, node, boot) == ('claimed', 'n2', '9')
    assert 0 < redis.call('PTTL', USER) <= 50000
    assert claim(redis, ('n1', '1'))[0] == 'owned'
    assert redis.call('PTTL', USER) > 0
    assert claim(redis, ('n2', '9'))[0] == 'held'
    assert redis.call('PTTL', USER) == -1


def test_only_the_owner_releases(redis):
    epoch = claim(redis, ('n1', '1'))[3]
    for args in (('n2', '1', epoch), ('n1', '2', epoch), ('n1', '1', '5')):
        assert run(redis, 'user-release', [USER], *args) == 0
    assert run(redis, 'user-release', [USER], 'n1', '1', epoch) == 1
    assert claim(redis, ('n2', '9'))[0] == 'claimed'


# ---- a server that lost its memory -----------------------------------------

def test_a_new_server_grants_nothing_for_the_grace_period(redis):
    word, left = claim(redis, ('n1', '1'), grace=GRACE)
    assert word == 'grace' and 0 < int(left) <= GRACE / 1000 + 1
    assert redis.call('EXISTS', USER) == 0
    assert redis.call('HGET', GEN, 'run') == 'r1'
    # the period does not start again for who comes later
    start = redis.call('HGET', GEN, 'from')
    assert claim(redis, ('n2', '9'), grace=2 * GRACE)[0] == 'grace'
    assert redis.call('HGET', GEN, 'from') == start


def test_another_server_is_noticed_by_the_first_claim(redis):
    epoch = claim(redis, ('n1', '1'))[3]
    # after a failover: the pin may be an old one
    for me in (('n1', '1'), ('n2', '9')):
        reply = claim(redis, me, dead=('n1', '1') if me[0] == 'n2' else
                      ('', ''), run_id='r2', grace=GRACE)
        assert reply[0] == 'grace', me
    assert claim(redis, ('n3', '5'), run_id='r2', grace=GRACE) == \
        ['owned', 'n1', '1', epoch]


def test_holders_assert_themselves_during_the_grace_period(redis):
    # lost: written as it was
    assert assert_(redis, ('n1', '1'), 500, grace=GRACE) == ['ok']
    assert redis.call('HMGET', USER, 'node', 'boot', 'epoch') == \
        ['n1', '1', '500']
    assert assert_(redis, ('n1', '1'), 500, grace=GRACE) == ['ok']
    # an older pin that the failover brought back gives way
    assert assert_(redis, ('n2', '9'), 501, grace=GRACE) == ['ok']
    # a newer one does not
    assert assert_(redis, ('n1', '1'), 500, grace=GRACE) == \
        ['owned', 'n2', '9', '501']
    assert claim(redis, ('n3', '5'), grace=GRACE)[0:2] == ['owned', 'n2']


def test_nobody_asserts_over_another_after_the_grace_period(redis):
    epoch = claim(redis, ('n2', '9'))[3]
    assert assert_(redis, ('n1', '1'), int(epoch) + 1) == \
        ['owned', 'n2', '9', epoch]
    assert assert_(redis, ('n2', '9'), epoch) == ['ok']


def test_a_shard_begins_once_per_server(redis):
    assert run(redis, 'shard-gen', [GEN], 'r1', GRACE) == str(GRACE)
    left = int(run(redis, 'shard-gen', [GEN], 'r1', 2 * GRACE))
    assert 0 < left < GRACE
    assert run(redis, 'shard-gen', [GEN], 'r2', 0) == '0'
    assert redis.call('HGET', GEN, 'run') == 'r2'
