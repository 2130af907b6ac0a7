# SPDX-License-Identifier: MIT
"""The tmpfs is the budget of the indexes on it: least recently used users
leave it, users in use never do, and nobody meets ENOSPC unless all are in
use."""
import os
import smtplib

import pytest

from lab import Dovecot, imap, lmtp_send, wait_until
from own_mounts import own_mounts, tmpfs  # noqa: F401 (a fixture)

SIZE = 1024 * 1024


@pytest.fixture
def node(lab, own_mounts):  # noqa: F811
    users = {name: 'secret' for name in ('alice', 'bob', 'carol', 'dave')}
    root = lab.dir / 'root'
    with tmpfs(root, SIZE):
        running = Dovecot(lab, users=users, roost={'index_root': root})
        yield running.start()
        running.kill()


def closed(n):
    def count(name):
        return len(n.log.lines(name))
    wait_until(lambda: count('roost_user_opened') ==
               count('roost_user_closed'), 10, 'all users closed')


def session(n, user):
    """Leaves a packed index."""
    lmtp_send(n, 'sender@example.org', user)
    with imap(n, user, 'secret') as client:
        client.ok('select', 'INBOX')
        client.ok('store', '1', '+FLAGS', '\\Flagged')
    closed(n)


def fill(n, percent):
    """The root is so full, whatever is in it already."""
    root = n.roost['index_root']
    path = root / 'filler'
    path.unlink(missing_ok=True)
    fs = os.statvfs(root)
    size = fs.f_blocks * percent // 100 - (fs.f_blocks - fs.f_bavail)
    path.write_bytes(b'x' * (size * fs.f_frsize))


def here(n):
    """Who has an index here."""
    return {path.read_text() for path in
            n.roost['index_root'].glob('*/*.users')
            if path.with_suffix('').exists()}


def test_least_recently_used_leaves(node):
    for user in ('alice', 'bob'):
        session(node, user)
    fill(node, 85)
    session(node, 'carol')
    # the filler cannot go, so both did, in this order
    lines = node.log.lines('roost_index_evicted')
    assert ['alice' in line for line in lines] == [True, False]
    assert all('packed=yes' in line for line in lines)
    assert here(node) == {'carol'}
    with imap(node, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        lines = client.ok('fetch', '1', '(FLAGS)')
        assert b'\\Flagged' in lines[0]
    node.log.wait_for('from=bundle .*messages=1 .*floor=0$')


def test_packed_ones_go_before_others(node):
    """alice was here longer ago, but has what no bundle has."""
    session(node, 'alice')
    lmtp_send(node, 'sender@example.org', 'alice')
    session(node, 'bob')
    fill(node, 85)
    session(node, 'carol')
    lines = node.log.lines('roost_index_evicted')
    assert 'bob' in lines[0] and 'packed=yes' in lines[0]
    assert 'alice' in lines[1] and 'packed=no' in lines[1]
    with imap(node, 'alice', 'secret') as client:
        assert client.status_items()['MESSAGES'] == 2


def test_users_in_use_stay_and_new_ones_wait(node):
    session(node, 'alice')
    client = imap(node, 'alice', 'secret')
    client.ok('select', 'INBOX')
    fill(node, 97)
    with pytest.raises((smtplib.SMTPDataError,
                        smtplib.SMTPRecipientsRefused)) as caught:
        lmtp_send(node, 'sender@example.org', 'bob')
    assert '451' in str(caught.value)
    node.log.wait_for('roost_index_root: .* is full of indexes in use: give')
    # who is here already is served
    client.ok('store', '1', '+FLAGS', '\\Answered')
    lmtp_send(node, 'sender@example.org', 'alice')
    assert here(node) == {'alice'}
    (node.roost['index_root'] / 'filler').unlink()
    lmtp_send(node, 'sender@example.org', 'bob')
    client.logout()


def test_restart_with_a_full_root(node):
    session(node, 'alice')
    modseq = {}
    with imap(node, 'alice', 'secret') as client:
        modseq = client.highestmodseq()
    closed(node)
    node.stop()
    fill(node, 100)
    node.start()
    with imap(node, 'alice', 'secret') as client:
        assert client.highestmodseq() >= modseq
    assert not node.log.lines('Panic|killed with signal 6')
