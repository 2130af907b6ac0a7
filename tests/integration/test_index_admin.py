# SPDX-License-Identifier: MIT
"""`doveadm roost index …`: status, verify, pack, restore, evict, flush; and
that Roost can be removed again."""
import os
import re

from lab import Dovecot, imap, lmtp_send, wait_until

COMMAND = ('roost', 'index')


def node(lab):
    return Dovecot(lab, users={'alice': 'secret', 'bob': 'secret'},
                   roost={}).start()


def deliver(n, count=1):
    for _ in range(count):
        lmtp_send(n, 'sender@example.org', 'alice')


def maildir(n):
    return n.home('alice') / 'Maildir'


def local_indexes(n):
    return list((n.dir / 'index').rglob('dovecot.index.log'))


def closed(n):
    def count(name):
        return len(n.log.lines(name))
    wait_until(lambda: count('roost_user_opened') ==
               count('roost_user_closed'), 10, 'all users closed')


def index(n, verb, *args, check=True):
    """Runs it for alice; the lines of its table as dicts."""
    done = n.doveadm('-f', 'tab', *COMMAND, verb, '-u', 'alice', *args,
                     check=check)
    head, *lines = done.stdout.splitlines() or ['']
    rows = [dict(zip(head.split('\t'), line.split('\t'))) for line in lines]
    return rows if check else (done, rows)


def seen(n):
    """HIGHESTMODSEQ, UIDVALIDITY and the flags of all."""
    with imap(n, 'alice', 'secret') as client:
        modseq = client.highestmodseq()
        validity = client.response('UIDVALIDITY')[1][0]
        lines = client.ok('fetch', '1:*', '(UID FLAGS)')
    flags = sorted(re.sub(rb' ?\\Recent', b'', line) for line in lines)
    closed(n)
    return modseq, validity, flags


def test_pack_status_verify(lab):
    n = node(lab)
    deliver(n, 3)
    closed(n)
    (row,) = index(n, 'status')
    # the first delivery packed, the others did not
    assert (row['mailbox'], row['unpacked'], row['messages']) == \
        ('INBOX', 'yes', '1')
    assert index(n, 'pack') == [{'mailbox': 'INBOX'}]
    (row,) = index(n, 'verify')
    assert (row['unpacked'], row['bundle'], row['messages'], row['state']) == \
        ('no', 'clean', '3', 'ok')
    assert row['modseq'] == row['reserved']
    assert int(row['local']) > 0 and int(row['epoch']) > 0


def test_verify_finds_damage(lab):
    n = node(lab)
    deliver(n)
    bundle = maildir(n) / 'dovecot-roost.bundle'
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    done, rows = index(n, 'verify', check=False)
    assert done.returncode == 65
    assert 'bundle' in rows[0]['state'] and 'INBOX' in done.stderr


def test_evict_packs_first_and_restore_brings_it_back(lab):
    n = node(lab)
    deliver(n, 3)
    before = seen(n)
    (row,) = index(n, 'evict')
    assert row['user'] == 'alice' and row['evicted'] == 'yes'
    assert int(row['bytes']) > 0
    assert not local_indexes(n)
    done, rows = index(n, 'restore', check=False)
    assert done.returncode == 0 and rows == [{'mailbox': 'INBOX'}]
    assert re.search('roost_index_restored mailbox=INBOX from=bundle .*'
                     'messages=3 .*floor=0', done.stderr)
    assert seen(n) == before


def test_evict_never_touches_a_user_in_use(lab):
    n = node(lab)
    deliver(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        (row,) = index(n, 'evict')
        assert row['evicted'] == 'no'
        assert local_indexes(n)
        client.ok('store', '1', '+FLAGS', '\\Flagged')
    closed(n)
    (row,) = index(n, 'evict')
    assert row['evicted'] == 'yes'


def test_evicted_by_force_while_nothing_was_packed(lab):
    """As if the machine had lost it: flags are in the maildir, modseqs
    rise."""
    n = node(lab)
    deliver(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        client.ok('store', '1', '+FLAGS', '(\\Flagged $Label)')
    closed(n)
    modseq, validity, flags = seen(n)
    (maildir(n) / 'dovecot-roost.bundle').unlink()
    index(n, 'evict')
    assert seen(n)[1:] == (validity, flags)
    assert seen(n)[0] >= modseq


def test_command_without_the_plugin(lab):
    n = Dovecot(lab, users={'alice': 'secret'}, roost={})
    n.extra = {'mail_plugins': None}
    n.start()
    done, _ = index(n, 'pack', check=False)
    assert done.returncode == 78 and 'mail_plugins' in done.stderr


def test_removing_roost_loses_nothing(lab):
    """docs/howto-remove.md, step by step: flags, UIDs, the cache and
    HIGHESTMODSEQ stay, and nothing of Roost is left."""
    n = node(lab)
    deliver(n, 3)
    with imap(n, 'alice', 'secret') as client:
        client.ok('create', 'Work')
        client.ok('select', 'INBOX')
        client.ok('copy', '1:2', 'Work')
        client.ok('fetch', '1:*', '(ENVELOPE)')
        client.ok('store', '2', '+FLAGS', '(\\Flagged $Label)')
        envelopes = client.ok('fetch', '1:*', '(ENVELOPE)')
    closed(n)
    # modseqs that a new index would not have
    n.kill()
    (maildir(n) / 'dovecot-roost.floor').unlink()
    index_root = n.dir / 'index'
    for path in index_root.glob('*/*'):
        if path.is_dir():
            os.rename(path, path.with_suffix('.lost'))
    n.start()
    before = seen(n)
    assert before[0] > 10**12
    flushed = index(n, 'flush')
    assert sorted(row['mailbox'] for row in flushed) == ['INBOX', 'Work']
    n.stop()
    for path in maildir(n).rglob('dovecot-roost.*'):
        path.unlink()
    n.roost = None
    n.write_conf()
    n.start()
    with imap(n, 'alice', 'secret') as client:
        assert client.highestmodseq() == before[0]
        # from the cache: no mail is read
        for path in (maildir(n) / 'cur').iterdir():
            path.write_bytes(b'')
        assert client.ok('fetch', '1:*', '(ENVELOPE)') == envelopes
        lines = client.ok('fetch', '1:*', '(UID FLAGS)')
    assert sorted(re.sub(rb' ?\\Recent', b'', x) for x in lines) == before[2]
    assert not n.log.lines('Corrupted|Panic')
