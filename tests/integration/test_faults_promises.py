# SPDX-License-Identifier: MIT
"""What a client was told to be done is done, whatever comes a moment later."""
import os
import threading

import pytest

from lab import Dovecot, Redis, imap, lmtp_send, wait_until

USER, PASSWORD = 'alice', 'secret'
TTL = 2


@pytest.fixture
def nodes(lab):
    redis = Redis(lab).start()
    return [Dovecot(lab, name, users={USER: PASSWORD},
                    roost={'redis': f'{redis.address}:{redis.port}',
                           'lease_ttl': f'{TTL}s'}).start()
            for name in ('n1', 'n2')]


def owner_first(nodes):
    """The nodes, the user's owner first; logs her in."""
    def logged_in():
        try:
            imap(nodes[0], USER, PASSWORD).logout()
            return True
        except (imap.error, OSError):
            return False
    wait_until(logged_in, 15, 'a login')
    owner, = (n for n in nodes if n.log.lines('roost_user_opened'))
    return owner, nodes[nodes[0] is owner]


def after_death(owner, other):
    """uid -> flags as the other node shows them once it has taken over."""
    owner.kill()

    def view():
        try:
            with imap(other, USER, PASSWORD) as client:
                client.ok('select', 'INBOX')
                return client.ok('uid', 'fetch', '1:*', '(FLAGS)')
        except (imap.error, OSError):
            return None
    return b' '.join(wait_until(view, 30, 'takeover', 0.1)).decode()


def test_flags_and_expunges_outlive_their_node(nodes):
    """Dovecot applies them to a maildir up to 5 s later if it may."""
    owner, other = owner_first(nodes)
    for number in range(4):
        lmtp_send(owner, f's{number}@example.org', USER)
    client = imap(owner, USER, PASSWORD)
    client.ok('select', 'INBOX')
    client.ok('uid', 'store', '1', '+FLAGS', '(\\Flagged $Label1)')
    client.ok('uid', 'store', '2', '+FLAGS.SILENT', '(\\Deleted)')
    client.ok('uid', 'expunge', '2')
    client.ok('uid', 'store', '3', '+FLAGS', '(\\Answered)')
    seen = after_death(owner, other)
    assert 'UID 1 FLAGS (\\Flagged $Label1' in seen
    assert 'UID 2 ' not in seen
    assert 'UID 3 FLAGS (\\Answered' in seen
    assert 'UID 4 FLAGS (' in seen


def names(node):
    """The messages in the store."""
    return sorted(p.name for p in (node.home(USER) / 'Maildir/cur').iterdir())


def test_an_ok_to_store_means_that_it_is_in_the_store(nodes):
    """Also while another process keeps the mailbox locked, and the folder
    has changed: then Dovecot would rather answer than wait."""
    owner, _ = owner_first(nodes)
    lmtp_send(owner, 's@example.org', USER)
    client = imap(owner, USER, PASSWORD)
    client.ok('select', 'INBOX')
    client.ok('uid', 'store', '1', '+FLAGS', '(\\Answered)')
    assert [n[n.index(':2,'):] for n in names(owner)] == [':2,R']

    cur = owner.home(USER) / 'Maildir/cur'
    lock = owner.home(USER) / 'Maildir/dovecot-uidlist.lock'
    lock.write_text('')
    os.utime(cur)
    store = threading.Thread(target=client.ok, args=(
        'uid', 'store', '1', '+FLAGS', '(\\Flagged)'))
    store.start()
    store.join(1)
    answered = not store.is_alive()
    assert not answered or ':2,FR' in names(owner)[0]
    lock.unlink()
    store.join(20)
    assert not store.is_alive() and ':2,FR' in names(owner)[0]
