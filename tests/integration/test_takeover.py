# SPDX-License-Identifier: MIT
"""What a node that died, or was misled, leaves on the store for the next
owner: locks, and the epoch file."""
import os
import subprocess
import time

import pytest

from cluster import PASSWORD, can_login, clean, cluster, place
from lab import imap, lmtp_send, wait_until
from lab.run import MAIL_UID

USERS = [f'user{n}' for n in range(4)]


@pytest.fixture
def nodes(lab):
    running = cluster(lab, USERS)
    lmtp_send(running[0], 'x@example.org', 'user0')  # makes the home
    yield running
    clean(running)


def put(path, text):
    path.write_text(text)
    os.chown(path, MAIL_UID, MAIL_UID)


def record(epoch):
    return f'roost-epoch 1 {epoch} {2 ** 64 - 1 - epoch}\n'


def epoch_file(nodes, user):
    return nodes[0].home(user) / 'dovecot-roost.epoch'


def test_locks_of_a_dead_node_do_not_delay_the_next_owner(nodes):
    owner, other = place(nodes, 'user0')
    owner.kill()
    maildir = other.home('user0') / 'Maildir'
    put(maildir / 'dovecot-uidlist.lock', '4711:some-dead-host')
    put(maildir / 'dovecot-keywords.lock', '4711:some-dead-host')
    wait_until(lambda: can_login(other, 'user0'), 20, 'user0 elsewhere')
    started = time.monotonic()
    with imap(other, 'user0', PASSWORD) as client:
        client.ok('select')
        client.ok('store', '1', '+FLAGS', 'work')
        lmtp_send(other, 'x@example.org', 'user0')
        client.ok('close')
        assert client.status_items()['MESSAGES'] == 2
    assert time.monotonic() - started < 5
    assert not list(maildir.glob('*.lock'))
    for name in ('uidlist', 'keywords'):
        other.log.wait_for(f'roost_lock_removed: .*{name}.lock was left by '
                           'host some-dead-host')


def test_lock_of_this_host_is_left_to_dovecot(nodes):
    owner, _ = place(nodes, 'user0')
    lock = owner.home('user0') / 'Maildir' / 'dovecot-uidlist.lock'
    holder = subprocess.Popen(['sleep', '60'])
    try:
        put(lock, f'{holder.pid}:{os.uname().nodename}')
        with imap(owner, 'user0', PASSWORD) as client:
            client.sock.settimeout(2)
            client.send(b'x1 SELECT INBOX\r\n')
            with pytest.raises(TimeoutError):  # waits for the holder
                while b'x1 ' not in client.readline():
                    pass
            assert lock.exists()
            lock.unlink()
            client.shutdown()
    except imap.abort:
        pass
    finally:
        holder.kill()
        holder.wait()
    assert not owner.log.lines('roost_lock_removed')


def test_epoch_rises_with_each_owner(nodes):
    owner, other = place(nodes, 'user0')
    path = epoch_file(nodes, 'user0')
    with imap(owner, 'user0', PASSWORD) as client:
        client.ok('select')
    first = int(path.read_text().split()[2])
    stat = path.stat()
    assert can_login(owner, 'user0')
    assert path.stat() == stat  # written once
    owner.kill()
    wait_until(lambda: can_login(other, 'user0'), 20, 'user0 elsewhere')
    assert int(path.read_text().split()[2]) > first


def test_node_that_finds_a_higher_epoch_opens_nothing(nodes):
    owner, _ = place(nodes, 'user0')
    with imap(owner, 'user0', PASSWORD) as client:
        client.ok('select')
        client.ok('close')
        good = epoch_file(nodes, 'user0').read_text()
        put(epoch_file(nodes, 'user0'), record(int(good.split()[2]) + 1))
        # a session that was open before
        assert client.raw('SELECT INBOX')[0] == 'NO'
        assert client.raw('CREATE x')[0] == 'NO'
    with pytest.raises(imap.error):
        with imap(owner, 'user0', PASSWORD) as client:
            client.ok('select')
    owner.log.wait_for('dovecot-roost.epoch: opened since under epoch')
    lmtp = pytest.raises(Exception, lmtp_send, owner, 'x@y.org', 'user0')
    assert '451' in str(lmtp.value)
    put(epoch_file(nodes, 'user0'), good)
    assert can_login(owner, 'user0')


def test_damaged_epoch_file_is_replaced(nodes):
    owner, _ = place(nodes, 'user0')
    good = epoch_file(nodes, 'user0').read_text()
    for text in ('', 'x' * 200, record(5).replace('5', '6'),
                 'roost-epoch 9 1 1\n', '\0' * 30):
        mark = owner.log.mark()
        put(epoch_file(nodes, 'user0'), text)
        with imap(owner, 'user0', PASSWORD) as client:
            client.ok('select')
        assert epoch_file(nodes, 'user0').read_text() == good
        owner.log.wait_for('roost_epoch_not_trusted: .*epoch record',
                           since=mark)
