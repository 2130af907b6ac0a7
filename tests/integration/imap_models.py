# SPDX-License-Identifier: MIT
"""Models of IMAP clients for random histories: one that believes what QRESYNC
tells it (RFC 7162), one that asks for everything, and the maildir itself, which
is the truth. Each raises Violation when the server breaks a promise."""
import re

from lab import imap

LETTERS = {'D': '\\Draft', 'F': '\\Flagged', 'R': '\\Answered',
           'S': '\\Seen', 'T': '\\Deleted'}


class Violation(AssertionError):
    """A client was told something wrong."""


def parse_flags(text):
    return frozenset(set(text.split()) - {'\\Recent'})


def uid_set(text):
    for part in text.split(','):
        first, _, last = part.partition(':')
        yield from range(int(first), int(last or first) + 1)


def maildir_truth(folder):
    """uid -> flags and uid -> base name, from file names alone."""
    lines = (folder / 'dovecot-uidlist').read_text().split('\n')
    uids = {}
    for line in lines[1:]:
        if line:
            name = line.partition(' :')[2] or line.split(' ')[-1]
            uids[name.partition(':')[0]] = int(line.split(' ')[0])
    keywords = {}
    if (folder / 'dovecot-keywords').exists():
        for line in (folder / 'dovecot-keywords').read_text().split('\n'):
            if line:
                number, name = line.split(' ', 1)
                keywords[chr(ord('a') + int(number))] = name
    flags, bases = {}, {}
    for part in ('cur', 'new'):
        for path in (folder / part).iterdir():
            base, _, letters = path.name.partition(':2,')
            if base not in uids:
                raise Violation(f'{base} has no UID')
            uid = uids[base]
            bases[uid] = base
            flags[uid] = frozenset(LETTERS.get(x) or keywords[x]
                                   for x in letters)
    return flags, bases


class Promises:
    """What any client was shown of one mailbox, so that going back is seen.
    Every HIGHESTMODSEQ, by SELECT, STATUS or a tagged OK, goes through
    highest()."""

    def __init__(self):
        self.validity = None
        self.top = 0

    def identity(self, validity):
        if self.validity not in (None, validity):
            raise Violation(f'UIDVALIDITY {self.validity} -> {validity}')
        self.validity = validity

    def highest(self, modseq, where):
        if modseq < self.top:
            raise Violation(f'{where}: HIGHESTMODSEQ {modseq} < {self.top}')
        self.top = modseq


class QresyncClient:
    """Keeps uid -> flags between its sessions and never fetches them again;
    also uid -> the modseq it knows, for UNCHANGEDSINCE."""

    def __init__(self, name, box, promises):
        self.name, self.box, self.promises = name, box, promises
        self.flags, self.modseqs = {}, {}
        self.modseq = 0
        self.session = None
        self.fetched = self.needed = 0

    def sync(self, node):
        """A new session that is left open."""
        self.close()
        before = dict(self.flags)
        self.session = imap(node, 'alice', 'secret')
        self.session.enable_qresync()
        args = f' (QRESYNC ({self.promises.validity} {self.modseq}))' \
            if self.modseq else ''
        status, lines = self.session.raw(f'SELECT {self.box}{args}')
        if status != 'OK':
            raise self.session.error(f'SELECT: {lines}')
        self.apply(lines, True)
        if not args:
            status, lines = self.session.raw('UID FETCH 1:* (FLAGS MODSEQ)')
            if status != 'OK':
                raise self.session.error(f'FETCH: {lines}')
            self.apply(lines)
        else:
            self.needed += sum(before.get(uid) != flags
                               for uid, flags in self.flags.items())

    def command(self, line):
        """In the open session. Returns status and lines, applied."""
        status, lines = self.session.raw(line)
        self.apply(lines)
        return status, lines

    def apply(self, lines, select=False):
        if select and not any('HIGHESTMODSEQ' in line for line in lines):
            raise Violation(f'{self.name}: no HIGHESTMODSEQ in SELECT')
        for line in lines:
            if match := re.search(r'\[UIDVALIDITY (\d+)\]', line):
                self.promises.identity(int(match[1]))
            elif match := re.search(r'\[HIGHESTMODSEQ (\d+)\]', line):
                self.promises.highest(int(match[1]), self.name)
                self.modseq = int(match[1])
            elif match := re.match(r'\* VANISHED (?:\(EARLIER\) )?(\S+)',
                                   line):
                for uid in uid_set(match[1]):
                    self.flags.pop(uid, None)
                    self.modseqs.pop(uid, None)
            elif 'FETCH (' in line:
                self.fetch(line)
                self.fetched += select

    def fetch(self, line):
        uid = re.search(r'UID (\d+)', line)
        if not uid:
            return
        uid = int(uid[1])
        if flags := re.search(r'FLAGS \((.*?)\)', line):
            self.flags[uid] = parse_flags(flags[1])
        if modseq := re.search(r'MODSEQ \((\d+)\)', line):
            self.modseqs[uid] = int(modseq[1])

    def check(self, truth):
        if self.flags != truth:
            raise Violation(
                f'{self.name}: ghosts {sorted(set(self.flags) - set(truth))}, '
                f'missing {sorted(set(truth) - set(self.flags))}, stale '
                f'{[u for u in truth if u in self.flags and self.flags[u] != truth[u]]}')

    def close(self):
        if self.session:
            try:
                self.session.logout()
            except (self.session.abort, OSError):
                pass
        self.session = None


def full_resync(node, box, promises):
    """uid -> flags as a client sees them that asks for everything."""
    with imap(node, 'alice', 'secret') as client:
        client.ok('enable', 'CONDSTORE')
        status = client.status_items(box)
        promises.identity(status['UIDVALIDITY'])
        promises.highest(status['HIGHESTMODSEQ'], 'STATUS')
        status, lines = client.raw(f'SELECT {box}')
        if status != 'OK':
            raise client.error(f'SELECT: {lines}')
        text = ' '.join(lines)
        promises.identity(int(re.search(r'UIDVALIDITY (\d+)', text)[1]))
        modseq = re.search(r'HIGHESTMODSEQ (\d+)', text)
        if not modseq:
            raise Violation('full resync: no HIGHESTMODSEQ in SELECT')
        promises.highest(int(modseq[1]), 'full resync')
        status, lines = client.raw('UID FETCH 1:* (FLAGS)')
        if status != 'OK':
            raise client.error(f'FETCH: {lines}')
    return {int(re.search(r'UID (\d+)', line)[1]):
            parse_flags(re.search(r'FLAGS \((.*?)\)', line)[1])
            for line in lines if 'FETCH (' in line}
