# SPDX-License-Identifier: MIT
"""Clients that go on whatever happens, and write down what they were told."""
import imaplib
import random
import re
import smtplib
import threading
import time

from fault_net import HUB
from lab import imap, message

PASSWORD = 'pw'
FLAGS = ('\\Seen', '\\Flagged', '\\Answered', '$Label1')
BROKEN = (OSError, EOFError, imaplib.IMAP4.error, smtplib.SMTPException)
TIMEOUT = 6
KEEP = 25  # messages in a mailbox, about


def session(node, user, timeout=TIMEOUT):
    return imap(node, user, PASSWORD, source=node.lab.address(HUB),
                timeout=timeout)


def abandon(client):
    """Ends a session without a word, as a client that lost its network."""
    try:
        client.shutdown()
    except OSError:
        pass


def fetch(client, uids='1:*'):
    """uid -> (token, flags) of the selected mailbox."""
    kind, data = client.uid('fetch', uids,
                            '(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    if kind != 'OK':
        raise client.error(f'fetch: {kind} {data}')
    view = {}
    for item in data:
        if not isinstance(item, tuple):
            continue
        head, body = item[0].decode(), item[1].decode()
        token = re.search(r'Subject: (\S+)', body)
        view[int(re.search(r'UID (\d+)', head)[1])] = (
            token[1] if token else f'no subject in {body!r}',
            frozenset(re.search(r'FLAGS \(([^)]*)\)', head)[1].split()) -
            {'\\Recent'})
    return view


def look(client, account):
    """A fresh SELECT, checked; returns (validity, modseq, view)."""
    began = time.monotonic()
    client.ok('enable', 'CONDSTORE')
    client.ok('select', 'INBOX')
    validity = int(client.response('UIDVALIDITY')[1][0])
    modseq = int(client.response('HIGHESTMODSEQ')[1][0])
    view = fetch(client)
    account.observe(began, validity, modseq, view)
    return validity, modseq, view


class Client(threading.Thread):
    """Repeats turn() until it is stopped. A broken connection is nothing to
    it; anything else is a finding."""

    def __init__(self, site, account, seed):
        super().__init__(daemon=True, name=f'{type(self).__name__} {seed}')
        self.site, self.account = site, account
        self.random = random.Random(seed)
        self.prefix = f'{type(self).__name__.lower()}-{account.user}'
        self.count = self.done = self.broken = 0
        self.ending = threading.Event()
        self.idle = threading.Event()

    def token(self):
        self.count += 1
        return f'{self.prefix}-{self.count}'

    def run(self):
        while not self.ending.is_set():
            if self.site.hold.is_set():
                self.idle.set()
                self.ending.wait(0.02)
                continue
            self.idle.clear()
            node = self.random.choice(self.site.nodes)
            try:
                self.turn(node)
            except BROKEN:
                self.broken += 1
            except Exception as error:  # pylint: disable=broad-except
                self.account.fail(f'{self.name}: {error!r}')
                return
            self.ending.wait(self.random.uniform(0.01, 0.1))

    def pause(self, seconds):
        """Whether to come to an end."""
        return self.ending.wait(seconds) or self.site.hold.is_set()

    def turn(self, node):
        raise NotImplementedError


class Deliverer(Client):
    """LMTP, one message a turn."""

    def turn(self, node):
        user, token = self.account.user, self.token()
        with smtplib.LMTP(node.address, node.lmtp_port, 'client.test',
                          (node.lab.address(HUB), 0), timeout=TIMEOUT) as c:
            self.account.sending(token)
            c.sendmail('sender@example.org', [user],
                       message('sender@example.org', user, token))
            self.account.delivered(token)
            self.done += 1


class Worker(Client):
    """IMAP sessions of a few commands: append, flag, expunge, look again."""

    def turn(self, node):
        client = session(node, self.account.user)
        try:
            view = look(client, self.account)[2]
            for _ in range(self.random.randrange(1, 12)):
                self.command(client, view)
                self.done += 1
                if self.pause(self.random.uniform(0, 0.1)):
                    break
            if self.random.random() < 0.8:
                client.logout()
        finally:
            abandon(client)

    def command(self, client, view):
        kind = self.random.random()
        if not view or kind < 0.2:
            self.append(client)
        elif kind < 0.5:
            self.flag(client, view)
        elif kind < 0.7 and len(view) > KEEP:
            self.expunge(client, view)
        else:
            client.ok('noop')
            now = fetch(client)
            with self.account.lock:
                for uid, (token, _) in now.items():
                    self.account.learn(uid, token)
            view.clear()
            view.update(now)

    def append(self, client):
        token = self.token()
        self.account.sending(token)
        client.ok('append', 'INBOX', None, None,
                  message('me@example.org', 'me@example.org', token))
        self.account.delivered(token)

    def flag(self, client, view):
        uid = self.random.choice(sorted(view))
        flag = self.random.choice(FLAGS)
        kind, data = client.uid('store', str(uid), '+FLAGS', f'({flag})')
        # a message that another session expunged answers OK, too: no promise
        if kind == 'OK' and data != [None] and flag in str(data):
            self.account.flagged(view[uid][0], flag)

    def expunge(self, client, view):
        uid = self.random.choice(sorted(view))
        token = view.pop(uid)[0]
        self.account.expunging(token)
        kind, _ = client.uid('store', str(uid), '+FLAGS.SILENT',
                             '(\\Deleted)')
        if kind != 'OK':
            return
        kind, data = client.uid('expunge', str(uid))
        if kind == 'OK':
            self.account.expunged(token)


class Mirror(Client):
    """A QRESYNC client: what it holds after each reconnect must be what is
    there (RFC 7162)."""

    def __init__(self, site, account, seed):
        super().__init__(site, account, seed)
        self.validity, self.modseq, self.known = 0, 0, {}

    def turn(self, node):
        client = session(node, self.account.user)
        try:
            self.resync(client)
            self.done += 1
            for _ in range(self.random.randrange(20)):
                self.told(client, 'NOOP')
                if self.pause(0.1):
                    return
        finally:
            abandon(client)

    def told(self, client, command, known=None):
        """Applies what the server says to the known state."""
        known = self.known if known is None else known
        kind, lines = client.raw(command)
        if kind != 'OK':
            raise client.error(f'{command}: {lines}')
        for line in lines:
            apply_line(known, line)
        return lines

    def resync(self, client):
        client.enable_qresync()
        # nothing is kept of an answer that broke off
        known = dict(self.known)
        wanted = f' (QRESYNC ({self.validity} {self.modseq}))' \
            if self.validity else ''
        text = '\n'.join(self.told(client, 'SELECT INBOX' + wanted, known))
        validity = int(re.search(r'UIDVALIDITY (\d+)', text)[1])
        modseq = int(re.search(r'HIGHESTMODSEQ (\d+)', text)[1])
        if validity != self.validity:
            known = {}
            self.told(client, 'UID FETCH 1:* (FLAGS)', known)
        self.validity, self.modseq, self.known = validity, modseq, known

    def check(self, node):
        """Only while nobody changes the mailbox."""
        client = session(node, self.account.user)
        try:
            self.resync(client)
            full = {}
            self.told(client, 'UID FETCH 1:* (FLAGS)', full)
            client.logout()
        finally:
            abandon(client)
        if full != self.known:
            self.account.fail(
                f'QRESYNC client differs at {node.name}: it has '
                f'{sorted(self.known.items() - full.items())}, right is '
                f'{sorted(full.items() - self.known.items())}')


def apply_line(known, line):
    """Untagged FETCH and VANISHED lines to uid -> flags."""
    if gone := re.match(r'\* VANISHED (?:\(EARLIER\) )?(\S+)', line):
        for part in gone[1].split(','):
            first, _, last = part.partition(':')
            for uid in range(int(first), int(last or first) + 1):
                known.pop(uid, None)
    elif 'FETCH (' in line and (uid := re.search(r'UID (\d+)', line)):
        flags = re.search(r'FLAGS \(([^)]*)\)', line)
        if flags:
            known[int(uid[1])] = frozenset(flags[1].split()) - {'\\Recent'}
