# SPDX-License-Identifier: MIT
"""The mail plugin: indexes on the node, bundles and floor records on the
store, and what happens when any of them is lost, old or broken."""
import hashlib
import os
import re
import shutil
import smtplib
import struct
import time

import pytest

from lab import Dovecot, Redis, imap, lmtp_send, wait_until

USERS = {'alice': 'secret', 'bob': 'secret'}
# all that may lie in a maildir on the store
ON_STORE = {'cur', 'new', 'tmp', 'dovecot-uidlist', 'dovecot-uidvalidity',
            'dovecot-keywords', 'subscriptions', 'maildirfolder',
            'dovecot-roost.bundle', 'dovecot-roost.floor'}
LEASE_DEADLINE = 24  # offset in base_dir/roost-lease


def node(lab, name='n1', extra=None, **roost):
    return Dovecot(lab, name, users=USERS, roost=roost,
                   extra=extra).start()


def wait_closed(n):
    """Until every process that opened a user has closed it, since the node
    was started."""
    def count(name):
        run = n.log.text().rpartition('starting up for')[2]
        return len(re.findall(name, run))
    wait_until(lambda: count('roost_user_opened') ==
               count('roost_user_closed'), 10,
               lambda: f'all users closed\n{n.log.tail()}')


def deliver(n, count=1, user='alice'):
    for _ in range(count):
        lmtp_send(n, 'sender@example.org', user)


def maildir(n, user='alice'):
    return n.home(user) / 'Maildir'


def set_flag(n, what, flag='\\Flagged', mode='+FLAGS'):
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        client.ok('store', what, mode, flag)
    wait_closed(n)


def identity(n):
    """UIDVALIDITY and the GUID, as the store has them."""
    head = (maildir(n) / 'dovecot-uidlist').read_text().split('\n')[0]
    return re.search(r'V(\d+)', head)[1], re.search(r'G(\w+)', head)[1]


def mailbox(n):
    """All that a client sees, except modification sequences."""
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        validity = client.response('UIDVALIDITY')[1][0].decode()
        lines = client.ok('fetch', '1:*', '(UID FLAGS)')
    uids = {}
    for line in lines:
        if line:
            uid = re.search(r'UID (\d+)', line.decode())[1]
            flags = re.search(r'FLAGS \((.*?)\)', line.decode())[1].split()
            uids[int(uid)] = frozenset(set(flags) - {'\\Recent'})
    wait_closed(n)
    return validity, uids


def highest(n):
    with imap(n, 'alice', 'secret') as client:
        value = client.highestmodseq()
    wait_closed(n)
    return value


def empty_root(n):
    for entry in (n.dir / 'index').iterdir():
        shutil.rmtree(entry)


def restart_empty(n, graceful=True):
    """As after a restart of the machine: the tmpfs is empty. Returns the
    position in the log from which the new run counts."""
    if graceful:
        n.stop()
    else:
        n.kill()
    empty_root(n)
    mark = n.log.mark()
    n.start()
    return mark


def resync(n, validity, modseq, known):
    """What a QRESYNC client with `known` (uid -> flags) knows after SELECT."""
    with imap(n, 'alice', 'secret') as client:
        client.enable_qresync()
        status, lines = client.raw(
            f'SELECT INBOX (QRESYNC ({validity} {modseq} 1:1000))')
        assert status == 'OK'
    wait_closed(n)
    known, sent = dict(known), 0
    for line in lines:
        if gone := re.match(r'\* VANISHED \(EARLIER\) (\S+)', line):
            for part in gone[1].split(','):
                first, _, last = part.partition(':')
                for uid in range(int(first), int(last or first) + 1):
                    known.pop(uid, None)
        elif ' FETCH ' in line:
            uid = int(re.search(r'UID (\d+)', line)[1])
            flags = re.search(r'FLAGS \((.*?)\)', line)[1].split()
            known[uid] = frozenset(set(flags) - {'\\Recent'})
            sent += 1
    return known, sent


# ---- relocation ------------------------------------------------------------

def test_indexes_are_in_the_root_and_nothing_else_on_the_store(lab):
    n = node(lab)
    deliver(n, 2)
    with imap(n, 'alice', 'secret') as client:
        client.ok('create', 'Work')
        client.ok('create', 'Work/Old')
        client.ok('select', 'INBOX')
        client.ok('store', '1', '+FLAGS', '($Label)')
        client.ok('copy', '1', 'Work')
        client.ok('search', None, 'BODY', 'hello')
        client.ok('thread', 'REFERENCES', 'UTF-8', 'ALL')
        client.ok('subscribe', 'Work')
    wait_closed(n)
    for folder, folders, files in os.walk(maildir(n)):
        if os.path.basename(folder) in ('cur', 'new', 'tmp'):
            continue
        extra = {name for name in files + folders
                 if name not in ON_STORE and
                 not (name in folders and name.startswith('.')) and
                 not name.startswith('dovecot-uidvalidity.')}
        assert not extra, folder
    root = n.dir / 'index' / '5000'
    assert root.stat().st_mode & 0o7777 == 0o700
    assert {path.parent.name for path in root.rglob('dovecot.index.log')} >= \
        {'.INBOX', '.Work', '.Work.Old'}
    assert list(root.rglob('dovecot.list.index.log'))


def test_two_users_do_not_share(lab):
    n = node(lab)
    deliver(n)
    deliver(n, 1, 'bob')
    assert len(list((n.dir / 'index' / '5000').glob('*/*/.INBOX'))) == 2


def test_chosen_index_place_is_left_alone(lab):
    place = lab.dir / 'mine'
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    n = Dovecot(lab, users=USERS, roost={}, index=place).start()
    deliver(n)
    assert list(place.rglob('dovecot.index.log'))
    assert not list((n.dir / 'index').rglob('dovecot.index.log'))


@pytest.mark.parametrize('driver', ['sdbox', 'mdbox'])
def test_dbox_is_refused(lab, driver):
    n = Dovecot(lab, users=USERS, roost={})
    n.extra = {'mail_driver': driver, 'mail_path': '~/dbox'} \
        if n.version >= (2, 4) else {'mail_location': f'{driver}:~/dbox'}
    n.start()
    deliver(n)
    lines = n.log.lines('roost_index_not_moved')
    assert len(lines) == 1 and driver in lines[0] and 'use maildir' in lines[0]
    assert not list((n.dir / 'index').rglob('dovecot.index*'))
    with imap(n, 'alice', 'secret') as client:
        assert client.status_items()['MESSAGES'] == 1


def test_fts_is_refused(lab):
    n = Dovecot(lab, users=USERS, roost={})
    n.extra = {'mail_plugins': {'fts': True}} if n.version >= (2, 4) \
        else {'mail_plugins': 'roost fts'}
    n.start()
    deliver(n)
    n.log.wait_for('roost_index_not_moved.*fts')
    assert not list((n.dir / 'index').rglob('dovecot.index*'))


def test_layout_fs(lab):
    n = Dovecot(lab, users=USERS, roost={})
    n.extra = {'mailbox_list_layout': 'fs'} if n.version >= (2, 4) \
        else {'mail_location': 'maildir:~/Maildir:LAYOUT=fs'}
    n.start()
    deliver(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('create', 'a/b/c')
        client.ok('select', 'INBOX')
        client.ok('copy', '1', 'a/b/c')
        modseq = client.status_items('a/b/c')['HIGHESTMODSEQ']
    wait_closed(n)
    assert list((n.dir / 'index').rglob('a/b/c/dovecot.index.log'))
    assert not list(n.store.rglob('dovecot.index*'))
    restart_empty(n)
    with imap(n, 'alice', 'secret') as client:
        items = client.status_items('a/b/c')
    assert items['MESSAGES'] == 1 and items['HIGHESTMODSEQ'] >= modseq


# ---- a root that cannot be trusted -----------------------------------------

def refused(n):
    with pytest.raises((smtplib.SMTPDataError,
                        smtplib.SMTPRecipientsRefused)) as caught:
        deliver(n)
    assert '451' in str(caught.value)
    assert not (maildir(n) / 'dovecot-uidlist').exists()


def test_missing_root_refuses(lab):
    n = node(lab)
    (n.dir / 'index').rmdir()
    refused(n)
    n.log.wait_for('roost_index_root: .*index: No such file')


def test_root_writable_by_all_refuses(lab):
    n = node(lab)
    (n.dir / 'index').chmod(0o777)
    refused(n)
    n.log.wait_for('roost_index_root: .*sticky bit')


@pytest.mark.parametrize('plant', ['symlink', 'owner', 'mode'])
def test_planted_user_folder_refuses(lab, plant):
    n = node(lab)
    folder = n.dir / 'index' / '5000'
    if plant == 'symlink':
        (lab.dir / 'elsewhere').mkdir(mode=0o777)
        folder.symlink_to(lab.dir / 'elsewhere')
    else:
        folder.mkdir(mode=0o700)
        if plant == 'mode':
            os.chown(folder, 5000, 5000)
            folder.chmod(0o770)
    refused(n)
    n.log.wait_for('roost_index_root: .*5000')


def test_root_not_writable_refuses(lab):
    n = node(lab)
    (n.dir / 'index').chmod(0o755)
    refused(n)
    n.log.wait_for('roost_index_root: .*mkdir')


# ---- restore ---------------------------------------------------------------

def test_restart_with_emptied_root_restores_the_bundle(lab):
    n = node(lab)
    deliver(n, 3)
    set_flag(n, '2')
    before, modseq, who = mailbox(n), highest(n), identity(n)
    mark = restart_empty(n)
    assert mailbox(n) == before
    assert identity(n) == who
    # a clean hand-over: nothing to be told again
    assert highest(n) == modseq
    n.log.wait_for('roost_index_restored mailbox=INBOX', since=mark)
    line = n.log.lines('roost_index_restored mailbox=INBOX', mark)[0]
    assert re.search(r'from=bundle bytes=[1-9]\d* messages=3 ms=\d+\.\d+ '
                     rf'modseq={modseq} floor=0$', line)
    known, sent = resync(n, before[0], modseq, before[1])
    assert known == before[1] and sent == 0


def test_restored_index_serves_without_reading_mails(lab):
    """The cache came along: a FETCH of headers opens no mail."""
    n = node(lab)
    deliver(n, 3)
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        first = client.ok('fetch', '1:*', '(ENVELOPE)')
    wait_closed(n)
    restart_empty(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        for path in (maildir(n) / 'cur').iterdir():
            path.write_bytes(b'')
        assert client.ok('fetch', '1:*', '(ENVELOPE)') == first


def test_restored_once_per_node(lab):
    n = node(lab)
    deliver(n, 2)
    mark = restart_empty(n)
    for _ in range(3):
        mailbox(n)
    n.log.wait_for('roost_index_restored mailbox=INBOX', since=mark)
    assert len(n.log.lines('roost_index_restored mailbox=INBOX', mark)) == 1


def test_index_of_an_earlier_lease_is_kept_if_nobody_came_between(lab):
    n = node(lab)
    deliver(n, 2)
    before, modseq = mailbox(n), highest(n)
    n.stop()
    mark = n.log.mark()
    n.start()
    assert mailbox(n) == before and highest(n) == modseq
    n.log.wait_for('roost_index_restored mailbox=INBOX', since=mark)
    line = n.log.lines('roost_index_restored mailbox=INBOX', mark)
    assert not line or 'floor=0' in line[0]


def test_old_index_of_a_node_that_was_away_is_not_used(lab):
    """n1, n2, n1 again, whose tmpfs still holds the index of its first
    time."""
    nodes = [Dovecot(lab, name, users=USERS, roost={}) for name in
             ('n1', 'n2')]
    n1, n2 = nodes
    n1.start()
    deliver(n1, 3)
    set_flag(n1, '1')
    validity, uids = mailbox(n1)
    modseq = highest(n1)
    n1.stop()

    n2.start()
    assert mailbox(n2) == (validity, uids)
    assert highest(n2) == modseq
    set_flag(n2, '2', '\\Answered')
    deliver(n2)
    second = mailbox(n2)
    second_modseq = highest(n2)
    assert second_modseq > modseq
    n2.kill()

    n1.start()
    known, _ = resync(n1, validity, second_modseq, second[1])
    assert (validity, known) == mailbox(n1) == second
    assert highest(n1) >= second_modseq


def test_owner_killed_other_node_takes_over(lab):
    """With Redis: the way of a failover, and the nodes' own records."""
    redis = Redis(lab).start()
    nodes = [Dovecot(lab, name, users=USERS, roost={
        'redis': f'{redis.address}:{redis.port}', 'lease_ttl': '2s'}).start()
        for name in ('n1', 'n2')]
    deliver(nodes[0], 3)
    owner = next(n for n in nodes if n.log.lines('roost_user_opened'))
    other = next(n for n in nodes if n is not owner)
    wait_closed(owner)
    client = imap(owner, 'alice', 'secret')
    modseq = client.highestmodseq()
    client.ok('store', '2', '+FLAGS', '\\Flagged')
    lines = client.ok('fetch', '2', '(MODSEQ)')
    modseq = int(re.search(rb'MODSEQ \((\d+)\)', lines[0])[1])
    owner.kill()
    killed = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def login():
        try:
            return imap(other, 'alice', 'secret')
        except imap.error:  # refused as long as the lease may hold
            return None
    wait_until(login, 15, 'alice served by the other node').logout()
    validity, uids = mailbox(other)
    assert len(uids) == 3 and '\\Flagged' in uids[2]
    assert highest(other) >= modseq
    other.log.wait_for('roost_index_restored mailbox=INBOX from=bundle')
    opened = [int(re.search(r'boottime=(\d+)', line)[1])
              for line in other.log.lines('roost_user_opened')]
    assert min(opened) > killed


def changed_after_pack(n):
    """A client knows a state that no bundle has. Returns it (validity,
    modseq, uids) and the client: packing begins when that is gone."""
    deliver(n, 5)
    client = imap(n, 'alice', 'secret')
    client.enable_qresync()
    client.raw('SELECT INBOX')
    client.raw('STORE 1 +FLAGS (\\Flagged)')
    client.raw('STORE 5 +FLAGS (\\Deleted)')
    client.raw('EXPUNGE')
    client.raw('STORE 2 +FLAGS (\\Answered)')
    _, lines = client.raw('STATUS INBOX (HIGHESTMODSEQ UIDVALIDITY)')
    text = ' '.join(lines)
    modseq = int(re.search(r'HIGHESTMODSEQ (\d+)', text)[1])
    validity = re.search(r'UIDVALIDITY (\d+)', text)[1]
    _, lines = client.raw('UID FETCH 1:* (FLAGS)')
    uids = {int(re.search(r'UID (\d+)', x)[1]):
            frozenset(set(re.search(r'FLAGS \((.*?)\)', x)[1].split()) -
                      {'\\Recent'}) for x in lines if 'FETCH' in x}
    return validity, modseq, uids, client


@pytest.mark.parametrize('bundle', ['stale', 'missing'])
def test_killed_after_changes(lab, bundle):
    """The client had seen more than the bundle has: it converges, and
    HIGHESTMODSEQ rises."""
    n = node(lab)
    deliver(n)
    set_flag(n, '1')
    validity, modseq, uids, _client = changed_after_pack(n)
    n.kill()
    empty_root(n)
    if bundle == 'missing':
        (maildir(n) / 'dovecot-roost.bundle').unlink()
    # while the node was dead a mail went
    sorted((maildir(n) / 'cur').iterdir())[-1].unlink()
    mark = n.log.mark()
    n.start()
    known, _ = resync(n, validity, modseq, uids)
    now = mailbox(n)
    assert now[0] == validity
    assert known == now[1] and len(now[1]) == len(uids) - 1
    assert highest(n) > modseq
    n.log.wait_for('roost_index_restored mailbox=INBOX', since=mark)
    line = n.log.lines('roost_index_restored mailbox=INBOX', mark)[0]
    assert int(re.search(r'floor=(\d+)', line)[1]) > modseq


def test_modseq_rises_over_many_kills(lab):
    n = node(lab)
    deliver(n)
    last = 0
    for flag in ('\\Flagged', '\\Answered', '\\Draft'):
        client = imap(n, 'alice', 'secret')
        now = client.highestmodseq()
        assert now >= last
        client.ok('store', '1', '+FLAGS', flag)
        lines = client.ok('fetch', '1', '(MODSEQ)')
        last = int(re.search(rb'MODSEQ \((\d+)\)', lines[0])[1])
        assert last > now
        n.kill()
        empty_root(n)
        n.start()


def test_leftovers_of_a_killed_writer(lab):
    n = node(lab)
    deliver(n)
    set_flag(n, '1')
    for name in ('bundle', 'floor'):
        (maildir(n) / f'dovecot-roost.{name}.tmp.n1').write_text('half')
        os.chown(maildir(n) / f'dovecot-roost.{name}.tmp.n1', 5000, 5000)
    mark = n.log.mark()
    set_flag(n, '1', '\\Answered')
    n.log.wait_for('roost_index_packed', since=mark)
    assert not list(maildir(n).glob('*.tmp.*'))


# ---- bundles and records that cannot be trusted ----------------------------

def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def newer(path):
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(data)


def later_lease(path):
    data = bytearray(path.read_bytes())
    data[56:64] = struct.pack('<Q', 2**62)
    data[224:256] = hashlib.sha256(data[:224]).digest()
    path.write_bytes(data)


def to_symlink(path):
    path.rename(path.with_name('moved'))
    path.symlink_to(path.with_name('moved'))


BROKEN_BUNDLES = {
    'flipped header': (lambda p: flip(p, 50), 'wrong checksum'),
    'flipped payload': (lambda p: flip(p, 300), 'zstd|wrong checksum'),
    'truncated': (lambda p: os.truncate(p, 400), 'announces'),
    'empty': (lambda p: os.truncate(p, 0), 'too short'),
    'newer version': (newer, 'format version 2, this Roost reads only 1'),
    'later lease': (later_lease, 'later lease'),
    'symlink': (to_symlink, 'open'),
    'wrong owner': (lambda p: (os.chown(p, 0, 0), p.chmod(0o644)),
                    'belongs to uid 0, not 5000'),
    'folder': (lambda p: (p.unlink(), p.mkdir()), 'not a regular file'),
}


@pytest.mark.parametrize('how', BROKEN_BUNDLES)
def test_broken_bundle(lab, how):
    """The mailbox comes out right, with one line in the log."""
    damage, message = BROKEN_BUNDLES[how]
    n = node(lab)
    deliver(n, 3)
    set_flag(n, '2')
    before, modseq = mailbox(n), highest(n)
    n.stop()
    damage(maildir(n) / 'dovecot-roost.bundle')
    empty_root(n)
    mark = n.log.mark()
    n.start()
    assert mailbox(n) == before
    assert highest(n) > modseq
    n.log.wait_for('roost_index_not_trusted', since=mark)
    lines = n.log.lines('roost_index_not_trusted', mark)
    assert len(lines) == 1 and re.search(message, lines[0])
    assert 'dovecot-roost.bundle' in lines[0]
    known, _ = resync(n, before[0], modseq, {})
    assert known == before[1]


def test_foreign_bundle_and_record(lab):
    """Those of bob's INBOX, copied to alice's."""
    n = node(lab)
    deliver(n, 3)
    set_flag(n, '2')
    deliver(n, 1, 'bob')
    before, modseq = mailbox(n), highest(n)
    n.stop()
    for name in ('dovecot-roost.bundle', 'dovecot-roost.floor'):
        shutil.copy2(maildir(n, 'bob') / name, maildir(n) / name)
        os.chown(maildir(n) / name, 5000, 5000)
    empty_root(n)
    mark = n.log.mark()
    n.start()
    assert mailbox(n) == before
    assert highest(n) > modseq
    lines = n.log.lines('roost_index_not_trusted.*of another mailbox', mark)
    assert len(lines) == 2


BROKEN_RECORDS = {
    'missing': lambda p: p.unlink(),
    'flipped': lambda p: flip(p, 60),
    'truncated': lambda p: os.truncate(p, 20),
    'empty': lambda p: os.truncate(p, 0),
    'newer version': lambda p: p.write_text('roost-floor 2 x\n'),
    'huge': lambda p: p.write_bytes(b'x' * 1000000),
}


@pytest.mark.parametrize('how', BROKEN_RECORDS)
def test_broken_floor_record(lab, how):
    """Modification sequences continue from the clock, and every client is
    told everything."""
    n = node(lab)
    deliver(n, 3)
    before, modseq = mailbox(n), highest(n)
    n.stop()
    BROKEN_RECORDS[how](maildir(n) / 'dovecot-roost.floor')
    empty_root(n)
    mark = n.log.mark()
    n.start()
    assert mailbox(n) == before
    assert highest(n) > 1_600_000_000_000
    known, _ = resync(n, before[0], modseq, {})
    assert known == before[1]
    if how != 'missing':
        n.log.wait_for('roost_index_not_trusted', since=mark)
    lines = n.log.lines('roost_index_not_trusted', mark)
    assert len(lines) == (how != 'missing')


def test_backup_without_our_files(lab):
    n = node(lab)
    deliver(n, 3)
    set_flag(n, '2')
    before, who = mailbox(n), identity(n)
    n.stop()
    for path in maildir(n).glob('dovecot-roost.*'):
        path.unlink()
    empty_root(n)
    n.start()
    assert mailbox(n) == before and identity(n) == who


# ---- packing ---------------------------------------------------------------

def test_deliveries_do_not_pack_each_time(lab):
    n = node(lab)
    deliver(n, 10)
    n.log.wait_for('roost_index_packed')
    assert len(n.log.lines('roost_index_packed')) == 1


def test_interval_packs_an_open_mailbox(lab):
    n = node(lab, pack_interval='1s')
    deliver(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        client.ok('store', '1', '+FLAGS', '\\Flagged')
        mark = n.log.mark()
        n.log.wait_for('roost_index_packed mailbox=INBOX', 5, mark)
        # not again without a change
        mark = n.log.mark()
        with pytest.raises(Exception):
            n.log.wait_for('roost_index_packed', 2.5, mark)


def test_session_packs_what_it_has_cached(lab):
    """After a cold start: the bundle comes when the session has filled the
    cache, not when the mailbox is first closed."""
    n = node(lab)
    deliver(n, 3)
    n.stop()
    (maildir(n) / 'dovecot-roost.bundle').unlink()
    empty_root(n)
    mark = n.log.mark()
    n.start()
    with imap(n, 'alice', 'secret') as client:
        client.status_items()
        client.ok('select', 'INBOX')
        client.ok('fetch', '1:*', '(ENVELOPE)')
    wait_closed(n)
    n.log.wait_for('roost_index_packed', since=mark)
    packed = n.log.lines('roost_index_packed', mark)
    assert len(packed) == 1 and 'messages=3 cached=3' in packed[0]


def test_last_session_packs(lab):
    n = node(lab)
    deliver(n, 2)
    first, second = (imap(n, 'alice', 'secret') for _ in range(2))
    mark = n.log.mark()
    for client in (first, second):
        client.ok('select', 'INBOX')
        client.ok('store', '1', '+FLAGS', '\\Flagged')
        client.ok('store', '2', '+FLAGS', '\\Answered')
    first.logout()
    n.log.wait_for('roost_user_closed', 5, mark)
    assert not n.log.lines('roost_index_packed', mark)
    second.logout()
    wait_closed(n)
    n.log.wait_for('roost_index_packed', since=mark)
    assert len(n.log.lines('roost_index_packed', mark)) == 1


def test_less_cached_data_does_not_replace_more(lab):
    n = node(lab)
    deliver(n, 3)
    set_flag(n, '1')
    bundle = maildir(n) / 'dovecot-roost.bundle'
    good = bundle.read_bytes()
    for path in (n.dir / 'index').rglob('.INBOX/dovecot.index.cache'):
        path.unlink()
    set_flag(n, '2')
    n.log.wait_for('roost_index_not_packed: the bundle there has 3 '
                   'messages cached, this index only 0')
    assert bundle.read_bytes() == good
    # but fewer messages explain fewer cached ones
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
        client.ok('store', '1:3', '+FLAGS', '\\Deleted')
        client.ok('expunge')
    wait_closed(n)
    assert bundle.read_bytes() != good


def test_mailbox_deleted_and_renamed(lab):
    n = node(lab)
    deliver(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('create', 'a')
        client.ok('select', 'INBOX')
        client.ok('copy', '1', 'a')
        client.ok('select', 'a')
        client.ok('unselect')
        client.ok('rename', 'a', 'b')
        client.ok('select', 'b')
        client.ok('close')
        client.ok('delete', 'b')
        client.ok('create', 'b')
        assert client.status_items('b')['MESSAGES'] == 0
    wait_closed(n)
    assert not [line for line in n.log.lines('Error|Panic|Fatal')]


def test_promise_cannot_be_written(lab):
    """The store refuses the floor record: what it would have to promise is
    not shown, and nothing crashes."""
    n = node(lab)
    deliver(n)
    set_flag(n, '1')
    blocked = maildir(n) / 'dovecot-roost.floor.tmp.n1'
    blocked.mkdir()
    with imap(n, 'alice', 'secret') as client:
        modseq = client.highestmodseq()
        status, _ = client.raw('STORE 1 +FLAGS (\\Answered)')
        assert status in ('NO', 'OK')
        _, lines = client.raw('STATUS INBOX (HIGHESTMODSEQ)')
        shown = re.findall(r'(?:HIGHESTMODSEQ|MODSEQ) \(?(\d+)',
                           ' '.join(lines))
        assert all(int(value) <= modseq for value in shown)
    wait_closed(n)
    n.log.wait_for('roost_index_refused: .*floor')
    blocked.rmdir()
    assert highest(n) >= modseq
    assert not n.log.lines('Panic|killed with signal')


# ---- the lease -------------------------------------------------------------

def test_no_agent_no_mailbox(lab):
    """The plugin cannot reach the agent: a temporary failure."""
    n = node(lab, extra={'service roost-agent': {
        'unix_listener roost-agent': {'mode': '0600'}}})
    with pytest.raises(smtplib.SMTPDataError) as caught:
        deliver(n)
    assert caught.value.smtp_code == 451
    n.log.wait_for('roost: .*roost-agent.*Permission denied')
    assert not maildir(n).exists()


def contents(folder):
    """Every file below, with what a change would change."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in folder.rglob('*')}


def end_lease(n):
    with open(n.base / 'roost-lease', 'r+b') as page:
        page.seek(LEASE_DEADLINE)
        page.write(struct.pack('=Q', 1))


@pytest.mark.parametrize('line', [
    'STORE 1 +FLAGS (\\Flagged)', 'EXPUNGE', 'COPY 1 Other', 'NOOP', 'CHECK',
    'CREATE New', 'RENAME Other New', 'DELETE Other', 'SUBSCRIBE Other',
    'UNSUBSCRIBE INBOX', 'CLOSE', 'SELECT Other', 'STATUS Other (MESSAGES)',
    'UID MOVE 1 Other', 'FETCH 1 (BODY[])'])
def test_lost_lease_refuses(lab, line):
    """Nothing on the store changes, and no command says OK to a change."""
    n = node(lab)
    deliver(n, 2)
    with imap(n, 'alice', 'secret') as client:
        client.ok('create', 'Other')
        client.ok('subscribe', 'INBOX')
    client = imap(n, 'alice', 'secret')
    client.ok('select', 'INBOX')
    client.ok('store', '2', '+FLAGS', '\\Deleted')
    end_lease(n)
    before = contents(n.store)
    try:
        status, lines = client.raw(line)
        answer = ' '.join(lines)
    except client.abort:
        status, answer = 'BYE', ''
    assert status != 'OK' or 'BYE' in answer
    assert contents(n.store) == before
    n.log.wait_for('roost_fenced')
    n.log.wait_for('roost_fenced')
    assert len(n.log.lines('roost_fenced')) == 1


def test_lost_lease_refuses_append(lab):
    n = node(lab)
    deliver(n)
    client = imap(n, 'alice', 'secret')
    client.ok('select', 'INBOX')
    end_lease(n)
    before = contents(n.store)
    try:
        status, data = client.append('INBOX', None, None, b'A: b\r\n\r\nx')
        assert status == 'NO' and b'[UNAVAILABLE]' in data[0]
    except client.abort:
        pass
    assert contents(n.store) == before


def test_lost_lease_names_the_reason(lab):
    n = node(lab)
    deliver(n)
    client = imap(n, 'alice', 'secret')
    end_lease(n)
    tag = client._new_tag()
    client.send(tag + b' SELECT INBOX\r\n')
    answer = client.readline()
    while not answer.startswith(tag):
        answer = client.readline()
    assert answer.startswith(tag + b' NO [UNAVAILABLE]')


def test_lost_lease_refuses_delivery(lab):
    n = node(lab)
    deliver(n)
    end_lease(n)
    before = contents(n.store)
    with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPException)):
        deliver(n)
    assert contents(n.store) == before


def test_opens_and_closes_are_recorded(lab):
    n = node(lab)
    deliver(n)
    with imap(n, 'alice', 'secret') as client:
        client.ok('select', 'INBOX')
    wait_closed(n)
    form = (r'%s user=alice node=n1 pid=(\d+) epoch=(\d+) boot=(\d+) '
            r'boottime=(\d+)$')
    opened = [re.search(form % 'roost_user_opened', line).groups()
              for line in n.log.lines('roost_user_opened')]
    closed = [re.search(form % 'roost_user_closed', line).groups()
              for line in n.log.lines('roost_user_closed')]
    assert [x[:3] for x in opened] == [x[:3] for x in closed]
    assert all(int(a[3]) < int(b[3]) for a, b in zip(opened, closed))
