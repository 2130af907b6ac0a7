# SPDX-License-Identifier: MIT
"""roost-agent: its protocol, its sockets, and two agents that agree."""
import os
import stat
import time

import pytest

from agent_socket import Agent, agent_pid, call, claim, node, page, \
    process_status, status, uid_of, user_placed_on, wait_grace, wait_lease
from lab import Lab, Redis, wait_until


@pytest.fixture(scope='module')
def n1():
    """One node for the tests that leave it as it was."""
    with Lab() as lab:
        redis = Redis(lab).start()
        started = node(lab, 'n1', redis).start()
        started.redis = redis
        wait_grace(redis)
        wait_lease(started)
        yield started


@pytest.fixture
def redis(lab):
    return Redis(lab).start()


def short(value):
    return repr(value)[:20]


def keys_of(redis, user):
    return [key for key in redis.call('KEYS', 'roost:*:u:*')
            if key.endswith(':u:' + user)]


def test_a_user_is_claimed_opened_closed_and_released(n1):
    looked = call(n1, 'auth', 'LOOKUP', 'alice', 'imap')
    assert looked.ok and looked.self and 'pinned' not in looked.keys
    claimed = claim(n1, 'alice')
    assert claimed.ok and claimed.self and claimed.epoch > 0
    assert claimed.keys['node'] == claimed.owner == 'n1'
    assert claimed.keys['host'] == n1.address
    assert claim(n1, 'alice').epoch == claimed.epoch
    looked = call(n1, 'auth', 'LOOKUP', 'alice', 'imap')
    assert looked.self and 'pinned' in looked.keys

    with Agent(n1) as mail, Agent(n1) as other:
        first = mail.send('OPEN', 'alice', 'imap', 77)
        reply = mail.reply(first)
        assert reply.epoch == claimed.epoch and reply.boot == page(n1)[0]
        other.call('OPEN', 'alice', 'lmtp', 78)
        assert status(n1)['sessions'] == '2'
        refused = call(n1, 'admin', 'RELEASE', 'alice')
        assert refused.code == 'refs'
        assert 'last' not in mail.call('CLOSE', first).keys
        assert mail.call('CLOSE', first).code == 'protocol'
    # the other reference ended with its connection
    wait_until(lambda: status(n1)['sessions'] == '0', 5, 'no sessions')
    with Agent(n1) as mail:
        number = mail.send('OPEN', 'alice', 'imap', 77)
        assert mail.reply(number).ok
        assert 'last' in mail.call('CLOSE', number).keys
    assert call(n1, 'admin', 'RELEASE', 'alice').ok
    assert call(n1, 'admin', 'RELEASE', 'alice').code == 'owner'
    # the answer does not wait for Redis
    wait_until(lambda: keys_of(n1.redis, 'alice') == [], 5, 'released')
    assert claim(n1, 'alice').epoch > claimed.epoch


def test_a_user_without_sessions_is_released_in_time(lab, redis):
    n1 = node(lab, 'n1', redis, user_expire='1s').start()
    wait_grace(redis)
    assert claim(n1, 'alice').ok
    began = time.monotonic()
    with Agent(n1) as mail:
        assert mail.call('OPEN', 'bob', 'imap', 77).ok
        wait_until(lambda: call(n1, 'admin', 'STATUS', 'alice')
                   .keys.get('pinned') is None, 5, 'alice released')
        assert time.monotonic() - began > 0.9
        # whoever has a session stays
        assert 'pinned' in call(n1, 'admin', 'STATUS', 'bob').keys
        assert len(redis.call('KEYS', 'roost:*:u:*')) == 1


def test_sockets_have_their_roles_and_modes(n1):
    for name, mode, owner in (('roost-agent', 0o666, 'root'),
                              ('roost-agent-auth', 0o600, 'dovecot'),
                              ('roost-agent-admin', 0o600, 'root')):
        st = os.stat(n1.base / name)
        assert stat.S_IMODE(st.st_mode) == mode, name
        assert st.st_uid == uid_of(owner), name
    for role, words in (('', ['CLAIM', 'alice', 'imap']),
                        ('', ['STATUS']),
                        ('auth', ['OPEN', 'alice', 'imap', '77']),
                        ('auth', ['RELEASE', 'alice']),
                        ('admin', ['CLAIM', 'alice', 'imap'])):
        assert call(n1, role, *words).code == 'protocol', words


@pytest.mark.parametrize('words', [
    ['NONSENSE'], ['CLAIM'], ['CLAIM', ''], ['CLAIM', 'a', ''],
    ['LOOKUP', 'x' * 513, 'imap'], ['CLAIM', 'a', 'imap', 'hop=']])
def test_bad_requests_are_refused(n1, words):
    with Agent(n1, 'auth') as agent:
        assert agent.call(*words).code == 'protocol'
        assert agent.call('CLAIM', 'alice', 'imap').ok
    n1.log.wait_for('roost-agent: Error: .*Request refused')


@pytest.mark.parametrize('data', [
    b'GET / HTTP/1.0\r\n', b'VERSION\troost-agent\t2\t0\n', b'\0\0\0\n',
    b'x' * 20000], ids=short)
def test_other_protocols_are_hung_up_on(n1, data):
    pid = agent_pid(n1)
    with Agent(n1, 'auth', hello=data) as agent:
        assert agent.stream.readline() in (
            b'', b'VERSION\troost-agent\t1\t0\n')
        assert agent.is_closed()
    assert claim(n1, 'alice').ok
    assert agent_pid(n1) == pid


@pytest.mark.parametrize('data', [
    b'LOOKUP\ta\timap\n', b'0\tLOOKUP\ta\timap\n', b'1\tLOOKUP\t\1\timap\n',
    b'1\n', b'1\tLOOKUP\t' + b'x' * 9000], ids=short)
def test_malformed_lines_close_the_connection(n1, data):
    pid = agent_pid(n1)
    with Agent(n1, 'auth') as agent:
        agent.write(data)
        assert agent.is_closed()
    assert claim(n1, 'alice').ok
    assert agent_pid(n1) == pid


def test_a_raw_nul_makes_no_other_user_of_it(n1):
    with Agent(n1, 'auth') as agent:
        agent.write(b'1\tLOOKUP\tali\0ce\timap\n')
        assert agent.reply(1).code == 'protocol'


def test_an_id_in_use_is_refused(n1):
    with Agent(n1) as mail:
        assert mail.call('OPEN', 'alice', 'imap', 77).ok
        mail.id = 0
        assert mail.call('OPEN', 'bob', 'imap', 77).code == 'protocol'


@pytest.mark.parametrize('user', [
    'with space', 'tab\there', 'new\nline', '%u', '{1}', 'ü@example.com',
    'a' * 512, "quo'te\"", '\x01', 'roost:nodes'], ids=short)
def test_awkward_users_are_users(n1, user):
    assert claim(n1, user).ok
    assert call(n1, 'admin', 'STATUS', user).self
    assert len(keys_of(n1.redis, user)) == 1


def test_two_nodes_agree_on_every_user(lab, redis):
    nodes = [node(lab, name, redis).start() for name in ('n1', 'n2')]
    wait_grace(redis)
    for each in nodes:
        wait_until(lambda: call_count(each) == 2, 5, 'both nodes known')
    users = [f'user{number}' for number in range(60)]
    with Agent(nodes[0], 'auth') as a1, Agent(nodes[1], 'auth') as a2:
        # at once, so that they race
        ids = [[agent.send('CLAIM', user, 'imap') for agent in (a1, a2)]
               for user in users]
        replies = [(a1.reply(one), a2.reply(two)) for one, two in ids]
        owners = {}
        for user, (one, two) in zip(users, replies):
            assert one.ok and two.ok
            assert (one.owner, one.epoch) == (two.owner, two.epoch), user
            assert one.self == (one.owner == 'n1')
            assert two.self == (two.owner == 'n2')
            owners[user] = one.owner
        assert set(owners.values()) == {'n1', 'n2'}

        # only the owner opens; a session of a hop is not sent on
        user = next(user for user in users if owners[user] == 'n2')
        reply = a1.call('CLAIM', user, 'imap')
        assert reply.keys['host'] == nodes[1].address
        assert reply.keys['port'] == str(nodes[1].imap_port)
        assert a1.call('CLAIM', user, 'imap', 'hop=n2').code == 'loop'
        assert a2.call('CLAIM', user, 'imap', 'hop=n1').self
        refused = call(nodes[0], '', 'OPEN', user, 'imap', 77)
        assert refused.code == 'owner' and refused.owner == 'n2'
        assert call(nodes[1], '', 'OPEN', user, 'imap', 77).ok


def call_count(each):
    with Agent(each, 'admin') as agent:
        agent.send('NODES')
        count = 0
        while agent.line()[1].keys:
            count += 1
        return count


def test_a_pin_of_a_node_that_never_saw_the_user_ends(lab, redis):
    """n1 places a user on n2, but the session never arrives there."""
    nodes = [node(lab, name, redis, user_expire='1s').start()
             for name in ('n1', 'n2')]
    wait_grace(redis)
    for each in nodes:
        wait_until(lambda: call_count(each) == 2, 5, 'both nodes known')
    user = user_placed_on(nodes[0], 'n2')
    assert claim(nodes[0], user).owner == 'n2'
    [key] = redis.call('KEYS', 'roost:*:u:*')
    assert 0 < redis.call('PTTL', key) <= 1000
    assert call(nodes[1], '', 'OPEN', user, 'imap', 77).ok
    assert redis.call('PTTL', key) == -1


def test_without_redis_a_node_is_a_cluster_of_one(lab):
    n1 = node(lab, 'n1').start()
    boot, left = page(n1)
    assert boot > 0 and left is None
    claimed = claim(n1, 'alice')
    assert claimed.ok and claimed.self and 'host' not in claimed.keys
    opened = call(n1, '', 'OPEN', 'bob', 'imap', 77)
    assert opened.ok and opened.boot == boot
    assert call(n1, 'auth', 'CLAIM', 'alice', 'imap', 'hop=n9').self
    assert status(n1)['redis'] == 'none' and call_count(n1) == 1
    n1.stop()
    assert page(n1)[1] < 0
    n1.start()
    assert page(n1)[0] > boot and claim(n1, 'alice').epoch > claimed.epoch


def test_privileges_are_dropped(n1):
    pid = agent_pid(n1)
    uid = str(uid_of('dovecot'))
    assert process_status(pid, 'Uid') == [uid] * 4
    assert '0' not in process_status(pid, 'Gid')
    assert '0' not in process_status(pid, 'Groups')
    assert int(process_status(pid, 'CapEff')[0], 16) == 0
    assert stat.S_IMODE(os.stat(n1.base / 'roost-lease').st_mode) == 0o644


def test_a_key_of_the_wrong_type_harms_only_its_user(n1):
    claim(n1, 'wrong')
    [key] = keys_of(n1.redis, 'wrong')
    assert call(n1, 'admin', 'RELEASE', 'wrong').ok
    n1.redis.call('SET', key, 'nonsense')
    assert claim(n1, 'wrong').code == 'away'
    n1.log.wait_for('Redis refuses to claim user wrong: .*WRONGTYPE')
    assert claim(n1, 'bob').ok


def test_scripts_that_redis_forgot_are_sent_again(n1):
    n1.redis.call('SCRIPT', 'FLUSH')
    assert claim(n1, 'forgotten').ok


def test_a_claim_never_overtakes_a_release(n1):
    """Redis must send the release back as unknown, but knows the claim: the
    user would be given up after having been claimed."""
    first = claim(n1, 'overtaken')
    n1.redis.call('SCRIPT', 'FLUSH')
    assert claim(n1, 'loads-the-script').ok
    with Agent(n1, 'admin') as admin, Agent(n1, 'auth') as auth:
        n1.redis.pause()  # so that both lie before it
        try:
            assert admin.call('RELEASE', 'overtaken').ok
            claimed = auth.send('CLAIM', 'overtaken', 'imap')
        finally:
            n1.redis.resume()
        reply = auth.reply(claimed)
    assert reply.epoch > first.epoch
    [key] = keys_of(n1.redis, 'overtaken')
    assert n1.redis.call('HGET', key, 'epoch') == str(reply.epoch)


def test_a_password_is_used_and_not_shown(lab):
    # the lab's own probe gets NOAUTH: the server is up all the same
    server = Redis(lab, options=['--requirepass', 'sesame'])
    server.is_ready = lambda: server.log.lines('Ready to accept')
    server.start()
    path = lab.dir / 'password'
    path.write_text('sesame\n')
    path.chmod(0o600)
    n1 = node(lab, 'n1', server, redis_password_file=path).start()
    wait_lease(n1)
    path.write_text('wrong\n')
    n1.stop()
    n1.start()
    n1.log.wait_for('refuses the password of roost_redis_password_file')
    assert status(n1)['lease'] == 'none'
    assert 'sesame' not in n1.log.text() and 'wrong' not in n1.log.text()
