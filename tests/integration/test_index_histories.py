# SPDX-License-Identifier: MIT
"""Random histories of one mailbox: mail in, flags, expunges, evictions, kills,
nodes that come back with an old tmpfs, lost, stale and broken bundles, lost
records, a full tmpfs. Whatever happened, a client that believes QRESYNC ends with what is
in the maildir, HIGHESTMODSEQ never decreases, and STORE UNCHANGEDSINCE never
overwrites a change its client has not seen.

ROOST_TEST_LONG=1 runs 60 histories, ROOST_TEST_SEED=N the one with that
seed."""
import contextlib
import os
import random
import shutil
import smtplib

import pytest

from imap_models import (Promises, QresyncClient, Violation, full_resync,
                         maildir_truth)
from lab import Dovecot, imap, lmtp_send
from own_mounts import own_mounts, tmpfs  # noqa: F401 (a fixture)

LONG = os.environ.get('ROOST_TEST_LONG') == '1'
SEED = os.environ.get('ROOST_TEST_SEED')
SEEDS = [int(SEED)] if SEED else range(1, 61 if LONG else 4)
STEPS = 60 if LONG else 35
FLAGS = ['\\Seen', '\\Answered', '\\Flagged', '\\Draft', '$Label', 'Work']
ROOT_SIZE = 1024 * 1024


class History:
    """One node that stands for two: it comes back with the tmpfs of another
    or with its own, old one."""

    def __init__(self, lab, seed):
        self.random = random.Random(seed)
        self.done = []  # for the message of a failure
        self.node = Dovecot(lab, users={'alice': 'secret'},
                            roost={'pack_interval': '1s'})
        self.roots = [lab.dir / 'root0', lab.dir / 'root1']
        self.mounts = contextlib.ExitStack()
        for root in self.roots:
            self.mounts.enter_context(tmpfs(root, ROOT_SIZE))
        self.node.roost['index_root'] = self.roots[0]
        # the list's own index knows of every mailbox but INBOX
        self.box = 'Work' if seed % 2 else 'INBOX'
        self.folder = self.node.home('alice') / 'Maildir'
        if self.box != 'INBOX':
            self.folder /= f'.{self.box}'
        self.promises = Promises()
        self.clients = [QresyncClient(name, self.box, self.promises)
                        for name in ('ann', 'bea')]
        self.bases = {}  # uid -> base name, never changes
        self.changes = {}  # uid -> number of changes so far
        self.full = None  # file that fills the root
        self.old = {}  # copies of our files on the store
        self.clean = True  # nothing was lost since the last check

    def start(self):
        self.node.start()
        if self.box != 'INBOX':
            with imap(self.node, 'alice', 'secret') as client:
                client.ok('create', self.box)
        for _ in range(3):
            self.deliver()
        self.check()

    # ---- what happens ------------------------------------------------------

    def deliver(self):
        try:
            if self.box == 'INBOX':
                lmtp_send(self.node, 'sender@example.org', 'alice')
            else:
                with imap(self.node, 'alice', 'secret') as client:
                    client.ok('append', self.box, None, None,
                              b'Subject: new\r\n\r\nx\r\n')
        except smtplib.SMTPException:
            if not self.full:
                raise

    def some(self):
        """A few messages of the maildir, as a UID set; '' if it is empty."""
        uids = sorted(self.bases)
        count = min(len(uids), self.random.randint(1, 4))
        return ','.join(map(str, self.random.sample(uids, count)))

    def writer(self, *lines):
        """Commands of another client; a full root may refuse them."""
        with imap(self.node, 'alice', 'secret') as client:
            for line in (f'SELECT {self.box}', *lines):
                status, answer = client.raw(line)
                if status != 'OK' and not self.full:
                    raise Violation(f'{line}: {status} {answer}')

    def store(self):
        if uids := self.some():
            mode = self.random.choice(['+FLAGS', '-FLAGS', '+FLAGS.SILENT'])
            self.writer(f'UID STORE {uids} {mode} '
                        f'({self.random.choice(FLAGS)})')

    def expunge(self):
        if uids := self.some():
            self.writer(f'UID STORE {uids} +FLAGS (\\Deleted)', 'EXPUNGE')

    def copy(self):
        if uids := self.some():
            self.writer(f'UID COPY {uids} {self.box}')

    def sync(self):
        """One client has a new session, which stays open."""
        if not self.full:
            self.random.choice(self.clients).sync(self.node)

    def live(self):
        """A client with an open session makes a change and looks."""
        client = self.random.choice(self.clients)
        uids = ','.join(map(str, sorted(client.flags)[:3]))
        if not client.session or not uids:
            return
        for line in (f'UID STORE {uids} +FLAGS '
                     f'({self.random.choice(FLAGS)})', 'NOOP'):
            status, answer = client.command(line)
            if status != 'OK' and not self.full:
                raise Violation(f'{client.name}: {line}: {status} {answer}')

    def unchanged_since(self):
        """A client changes a message if nobody else has."""
        client = self.random.choice(self.clients)
        known = [uid for uid in client.flags if uid in client.modseqs]
        if self.full or not known:
            return
        uid = self.random.choice(sorted(known))
        truth, _ = maildir_truth(self.folder)
        modseq, flags = client.modseqs[uid], client.flags[uid]
        flag = self.random.choice(FLAGS)
        with imap(self.node, 'alice', 'secret') as session:
            session.ok('enable', 'CONDSTORE')
            session.ok('select', self.box)
            status, lines = session.raw(
                f'UID STORE {uid} (UNCHANGEDSINCE {modseq}) +FLAGS ({flag})')
        after, _ = maildir_truth(self.folder)
        if uid in after and flags != truth.get(uid) and \
                after[uid] != truth[uid]:
            raise Violation(f'UNCHANGEDSINCE {modseq} overwrote UID {uid}: '
                            f'{client.name} knew {set(flags)}, it had '
                            f'{set(truth[uid])}: {status} {lines}')

    def fill(self):
        """The root gets full, or has room again."""
        if self.full:
            self.full.unlink()
            self.full = None
            return
        self.full = self.node.roost['index_root'] / 'filler'
        room = self.random.choice([0, 4096, 40960])
        with open(self.full, 'wb', buffering=0) as file:
            try:
                while file.write(b'x' * 4096):
                    pass
            except OSError:
                pass
        size = self.full.stat().st_size
        os.truncate(self.full, max(0, size - room))

    def evict(self):
        """An admin packs, or takes the index away; either may be refused, when
        the bundle there has more cached."""
        for client in self.clients:
            client.close()
        verb = self.random.choice(['pack', 'evict'])
        done = self.node.doveadm('roost', 'index', verb, '-u', 'alice',
                                 check=False)
        if done.returncode != 0 and not self.full and \
                'messages cached, this index only' not in done.stderr:
            raise Violation(f'{verb}: {done.stderr}')

    def foreign(self):
        """Something is done to the maildir while no node runs: what a node
        did that died before its index said so."""
        names = sorted((self.folder / 'cur').iterdir())
        kind = self.random.choice(['new', 'flag', 'gone', 'none'])
        if kind == 'new':
            path = self.folder / 'new' / f'{self.random.getrandbits(40)}.M1.x'
            path.write_bytes(b'Subject: new\r\n\r\nx\r\n')
            os.chown(path, 5000, 5000)
        elif kind != 'none' and names:
            path = self.random.choice(names)
            base, _, letters = path.name.partition(':2,')
            if kind == 'gone':
                path.unlink()
            else:
                letters = ''.join(sorted(set(letters) ^ {'F'}))
                path.rename(path.with_name(f'{base}:2,{letters}'))

    def restart(self):
        how = self.random.choice(['stop', 'kill', 'busy'])
        session = None
        if how == 'busy' and self.bases:
            # killed in the middle of a command
            session = imap(self.node, 'alice', 'secret')
            session.raw(f'SELECT {self.box}')
            session.send(b'x UID STORE 1:* +FLAGS (\\Flagged)\r\n'
                         b'y UID STORE 1:* -FLAGS (\\Flagged)\r\n')
        for client in self.clients:
            if how == 'stop':
                client.close()
            elif client.session:
                client.session.shutdown()
                client.session = None
        if how == 'stop':
            self.node.stop()
        else:
            self.node.kill()
        if session:
            session.shutdown()
        # what Dovecot waits two minutes for is not the subject here
        for path in self.folder.glob('*.lock'):
            path.unlink()
        self.done[-1] += f' {how}, {self.lose()}'
        if self.random.random() < 0.4:
            self.foreign()
        self.node.start()

    def lose(self):
        """What the next start finds. Returns what it was."""
        if self.full:
            self.fill()
        root = self.node.roost['index_root']
        tmpfs = self.random.choice(['empty', 'empty', 'other', 'same'])
        if tmpfs == 'empty':
            for path in root.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif tmpfs == 'other':
            # another machine: it has no lease that could go on
            (self.node.base / 'roost-lease').unlink(missing_ok=True)
            self.roots.reverse()
            self.node.roost['index_root'] = self.roots[0]
            self.node.write_conf()
        damage = self.random.choice(
            ['none', 'none', 'stale', 'lost', 'broken', 'record lost',
             'record broken', 'both lost'])
        self.damage(damage)
        return f'{tmpfs} tmpfs, bundle and record: {damage}'

    def damage(self, what):
        bundle = self.folder / 'dovecot-roost.bundle'
        record = self.folder / 'dovecot-roost.floor'
        old, self.old = self.old, {}
        if bundle.exists():
            self.old = {'bundle': bundle.read_bytes()}
        if what == 'stale' and old:
            self.put(bundle, old['bundle'])
        if what in ('lost', 'both lost'):
            bundle.unlink(missing_ok=True)
        if what in ('record lost', 'both lost'):
            record.unlink(missing_ok=True)
        for name, path in (('broken', bundle), ('record broken', record)):
            if what == name and path.exists():
                data = bytearray(path.read_bytes())
                place = self.random.randrange(len(data))
                if self.random.random() < 0.3:
                    data = data[:place]
                else:
                    data[place] ^= 1 << self.random.randrange(8)
                self.put(path, data)

    @staticmethod
    def put(path, data):
        path.write_bytes(data)
        os.chown(path, 5000, 5000)

    # ---- what must be so ---------------------------------------------------

    def check(self):
        if self.full:
            return
        seen = full_resync(self.node, self.box, self.promises)
        truth, bases = maildir_truth(self.folder)
        if seen != truth:
            raise Violation(f'full resync: {seen}, the maildir has {truth}')
        for uid, base in bases.items():
            if self.bases.get(uid, base) != base:
                raise Violation(f'UID {uid} is another message')
        self.bases = bases
        client = self.random.choice(self.clients)
        client.sync(self.node)
        client.check(truth)

    def run(self, steps):
        self.start()
        kinds = [self.deliver] * 3 + [self.store] * 4 + \
            [self.expunge, self.copy, self.sync, self.fill, self.evict] + \
            [self.live] * 2 + [self.unchanged_since] * 2 + [self.restart] * 4
        for _ in range(steps):
            kind = self.random.choice(kinds)
            self.done.append(kind.__name__)
            try:
                kind()
            except (imap.error, OSError):
                if not self.full:
                    raise
            if self.random.random() < 0.5:
                self.done.append('check')
                self.check()
        if self.full:
            self.fill()
        for client in self.clients:
            client.sync(self.node)
            client.check(maildir_truth(self.folder)[0])
        self.check()
        for client in self.clients:
            client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.kill()
        self.mounts.close()


@pytest.mark.parametrize('seed', SEEDS)
def test_history(lab, own_mounts, seed, capsys):  # noqa: F811
    with History(lab, seed) as history:
        try:
            history.run(STEPS)
        except Exception as error:
            raise AssertionError(
                f'seed {seed}: {error}\nafter: ' +
                '; '.join(history.done)) from error
        bad = history.node.log.lines('Panic|Corrupted')
        assert not bad, '\n'.join([*bad, *history.done])
        with capsys.disabled():
            print(f' seed {seed}: messages sent to resync',
                  sum(client.fetched for client in history.clients),
                  'needed', sum(client.needed for client in history.clients))
