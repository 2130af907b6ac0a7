# SPDX-License-Identifier: MIT
"""Limits of roost-policyd: shared in Redis, alone without, and when Redis
goes away under load."""
import threading
import time

import pytest

from lab import Redis, wait_until
from test_policy import DUNNO, Policyd, ask, request

LIMITED = b'action=450 4.7.1 Sending limit reached, try again later\n\n'
TEMPFAIL = b'action=451 4.3.5 Relaying cannot be decided now\n\n'


def login(user='alice@example.com', **attrs):
    return request(sasl_method='PLAIN', sasl_username=user, **attrs)


def answers(policyd, requests):
    with policyd.connect() as connection:
        return [ask(connection, data) for data in requests]


class Second(Policyd):
    """Another daemon in the same lab."""
    number = 2


@pytest.fixture
def redis(lab):
    return Redis(lab).start()


def server(redis):
    return f'{redis.address}:{redis.port}'


# where Redis is not to be given up: a loaded machine may be slow
PATIENT = {'redis_timeout': '5s'}


def when_up(policyd):
    wait_until(lambda: policyd.metric('roost_policy_redis_up') == 1, 10,
               'the script in Redis')
    return policyd


def test_one_limit_for_all_nodes(lab, redis):
    first = when_up(Policyd(lab, redis=server(redis), limit_user='5/1h',
                            **PATIENT).start())
    second = when_up(Second(lab, redis=server(redis), limit_user='5/1h',
                            **PATIENT).start())
    assert answers(first, [login()] * 3) == [DUNNO] * 3
    assert answers(second, [login()] * 3) == [DUNNO] * 2 + [LIMITED]
    assert answers(first, [login('ALICE@example.com')]) == [LIMITED]
    assert answers(first, [login('bob@example.com')]) == [DUNNO]
    # mail from the world, and other states, are not counted
    assert answers(first, [request('192.0.2.7')] * 9) == [DUNNO] * 9
    line = first.log.lines('rule=limit-user ')[0]
    assert 'verdict=limited' in line and 'user=ALICE@example.com' in line
    assert first.metric('roost_policy_limited_total{limit="user"}') == 1
    assert first.metric('roost_policy_limits_local_total') == 0
    keys = redis.call('KEYS', '*')
    assert sorted(keys) == ['roost:{limits}:user:alice@example.com',
                            'roost:{limits}:user:bob@example.com']
    assert 0 < redis.call('PTTL', keys[0]) <= 3600 * 1000 + 1000


LOCAL_CASES = {
    # settings, requests, answers
    'user': ({'limit_user': '2/1h'},
             [login(), login(), login(), login('bob')],
             [DUNNO, DUNNO, LIMITED, DUNNO]),
    'domain': ({'limit_domain': '2/1h'},
               [login(), login('bob@EXAMPLE.com'), login('carol@example.com'),
                login('dave@other.example')],
               [DUNNO, DUNNO, LIMITED, DUNNO]),
    'domain of the sender': (
        {'limit_domain': '1/1h'},
        [request('192.0.2.7'), request('192.0.2.8'),
         request('192.0.2.8', sender='a@c.example')],
        [DUNNO, LIMITED, DUNNO]),
    'client': ({'limit_client': '1/1h'},
               [request('192.0.2.7'), request('192.0.2.7'),
                request('192.0.2.8')],
               [DUNNO, LIMITED, DUNNO]),
    'client of a /64': (
        {'limit_client': '1/1h'},
        [login(client='2001:db8::1'), login(client='2001:db8::2'),
         login(client='2001:db8:0:1::1')],
        [DUNNO, LIMITED, DUNNO]),
    'a mask is no client': ({'limit_client': '1/1h'},
                            [login(client='10.0.0.2')] * 3, [DUNNO] * 3),
    'recipient domain': (
        {'limit_recipient_domain': '1/1h'},
        [login(), login(), login(recipient='x@other.example')],
        [DUNNO, LIMITED, DUNNO]),
    'none is charged when one refuses': (
        {'limit_user': '3/1h', 'limit_recipient_domain': '1/1h'},
        [login()] * 9 + [login(recipient='1@one.example'),
                         login(recipient='2@two.example'),
                         login(recipient='3@three.example')],
        [DUNNO] + [LIMITED] * 8 + [DUNNO, DUNNO, LIMITED]),
    'burst': ({'limit_user': '3600/1h/2'}, [login()] * 3,
              [DUNNO, DUNNO, LIMITED]),
    'whole messages': (
        {'limit_user': '10/1h', 'limit_state': 'end-of-message'},
        [login(), login(protocol_state='END-OF-MESSAGE', recipient_count='6'),
         login(protocol_state='END-OF-MESSAGE', recipient_count='6'),
         login(protocol_state='END-OF-MESSAGE', recipient_count='4'),
         login(protocol_state='END-OF-MESSAGE', recipient_count='1')],
        [DUNNO, DUNNO, LIMITED, DUNNO, LIMITED]),
    'observe': ({'limit_user': '1/1h', 'mode': 'observe'}, [login()] * 3,
                [DUNNO] * 3),
}


@pytest.mark.parametrize('where', ['local', 'redis'])
def test_limits(lab, where):
    """The same answers from Lua and from C."""
    redis = Redis(lab).start() if where == 'redis' else None
    policyd = Policyd(lab, limit_user='1/1h')
    if redis:
        policyd.settings |= {'redis': server(redis)} | PATIENT
    policyd.start()
    if redis:
        when_up(policyd)
    base = dict(policyd.settings)
    for name, (settings, requests, wanted) in LOCAL_CASES.items():
        if redis:
            redis.call('FLUSHALL')
            policyd.settings = dict(base) | {'limit_user': ''} | settings
            policyd.write_conf()
            mark = policyd.log.mark()
            policyd.reload()
            policyd.log.wait_for('event=reloaded', since=mark)
        else:  # a new process has forgotten everything
            policyd.stop()
            policyd.settings = dict(base) | {'limit_user': ''} | settings
            policyd.write_conf()
            policyd.start()
        assert answers(policyd, requests) == wanted, name
        if settings.get('mode') == 'observe':
            policyd.log.wait_for('verdict=limited .*mode=observe')
    if redis:
        assert policyd.metric('roost_policy_limits_local_total') == 0


def test_redis_forgets_the_script(lab, redis):
    policyd = when_up(Policyd(lab, redis=server(redis),
                              limit_user='2/1h', **PATIENT).start())
    assert answers(policyd, [login()]) == [DUNNO]
    redis.call('SCRIPT', 'FLUSH')
    assert answers(policyd, [login()]) == [DUNNO]  # by itself

    def shared():
        before = policyd.metric('roost_policy_limits_local_total')
        answers(policyd, [login('bob')])
        return policyd.metric('roost_policy_limits_local_total') == before
    wait_until(shared, 10, 'script loaded again')


@pytest.mark.parametrize('how', ['kill', 'pause'])
def test_redis_away_under_load(lab, redis, how):
    """No answer comes late, and none is more generous than this node's share
    of the limit."""
    policyd = when_up(Policyd(lab, redis=server(redis), limit_user='40/1h',
                              limit_nodes='4').start())
    slowest, seen, stop = [0.0], [], threading.Event()

    def load(number):
        with policyd.connect() as connection:
            while not stop.is_set():
                start = time.monotonic()
                answer = ask(connection, login(f'user{number}'))
                slowest[0] = max(slowest[0], time.monotonic() - start)
                seen.append(answer)
    threads = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(seen) > 400, 20, 'load')
        getattr(redis, how)()
        policyd.log.wait_for('event=redis_away')
        count = len(seen)
        wait_until(lambda: len(seen) > count + 400, 20, 'load without')
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(seen) == {DUNNO, LIMITED}
    # 40 shared, then 40 / 4 alone, for each of four users
    assert seen.count(DUNNO) == 4 * (40 + 10)
    assert slowest[0] < 1  # a loaded machine; the bound is redis_timeout
    assert answers(policyd, [login('late')] * 11) == [DUNNO] * 10 + [LIMITED]
    redis.resume() if how == 'pause' else redis.start()
    policyd.log.wait_for('event=redis_back')


def test_refuse_without_redis(lab):
    policyd = Policyd(lab, redis=f'{lab.address(6)}:16379',
                      limit_user='5/1h', limit_without_redis='refuse').start()
    assert answers(policyd, [login(), request('192.0.2.7')]) == \
        [TEMPFAIL, DUNNO]
    policyd.log.wait_for('event=redis_away')
    policyd.log.wait_for('rule=limits-unknown')


def test_pipelined_requests_wait_their_turn(lab, redis):
    """Clients that do not wait for answers get them in order."""
    policyd = when_up(Policyd(lab, redis=server(redis),
                              limit_user='300/1h', **PATIENT).start())
    data = (login() + request('198.51.100.7')) * 500
    with policyd.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        got = b''
        while got.count(b'\n\n') < 1000:
            got += connection.recv(65536)
        sender.join()
    found = got.split(b'\n\n')[:1000]
    assert found[1::2] == [b'action=reject_unauth_destination'] * 500
    assert found[0:600:2] == [DUNNO.strip()] * 300
    assert found[600::2] == [LIMITED.strip()] * 200
    # a client that leaves while its answer is on the way
    for _ in range(50):
        with policyd.connect() as connection:
            connection.sendall(login() * 3)
    assert answers(policyd, [login('bob')]) == [DUNNO]


def test_notice_of_an_unusual_user(lab):
    policyd = Policyd(lab, limit_user='5/1h', notice_sent='3/1h',
                      notice_refused='4/1h').start()
    answers(policyd, [login()] * 30)
    policyd.log.wait_for('event=policy_user_unusual user=alice@example.com '
                         'kind=sent limit=3/1h')
    policyd.log.wait_for('event=policy_user_unusual user=alice@example.com '
                         'kind=refused limit=4/1h')
    assert len(policyd.log.lines('event=policy_user_unusual')) == 2
    assert policyd.metric(
        'roost_policy_user_unusual_total{kind="sent"}') == 1


@pytest.mark.parametrize('name', ['limit_user', 'limit_recipient_domain',
                                  'notice_sent'])
def test_bad_limit(lab, name):
    policyd = Policyd(lab, limit_user='5/1h').start()
    mark = policyd.log.mark()
    policyd.write_conf(**{name: '5 per hour'})
    policyd.reload()
    policyd.log.wait_for(f"event=reload_failed .*{name}: '5 per hour' is not",
                         since=mark)
    assert answers(policyd, [login()] * 6) == [DUNNO] * 5 + [LIMITED]
