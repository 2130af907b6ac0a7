# SPDX-License-Identifier: MIT
"""The steps of the demo. Each takes the stage and the narrator."""
import re
import smtplib
import threading
import time

from .clients import imap, lmtp_send, message, smtp, smtp_send
from .demo_stage import ALICE, DOMAIN, LEASE_TTL, OUTSIDE, PASSWORD, \
    PLAIN_PORT
from .dkimcheck import dkim_results
from .process import LabError, wait_until


def ms(began):
    return f'{(time.monotonic() - began) * 1000:.0f} ms'


def wait_for_mail(node, user, count, timeout=10):
    """Polls by IMAP until the mailbox holds that many messages."""
    with imap(node, user, PASSWORD) as client:
        wait_until(lambda: client.ok('noop') and int(
            client.ok('select', 'INBOX')[0]) >= count, timeout,
            f'{count} messages for {user} on {node.name}', interval=0.02)
        return client.ok('fetch', '1:*', '(UID BODY[HEADER])')


# ---- a ----------------------------------------------------------------------

def mail_in(stage, tell):
    tell.say('a fresh Redis grants nothing for one lease time '
             f'({LEASE_TTL} s): waited {stage.wait_granted():.1f} s')
    began = time.monotonic()
    smtp_send(stage.postfix, OUTSIDE, ALICE,
              message(OUTSIDE, ALICE, subject='first light'),
              source=stage.masked)
    for node in stage.nodes:
        data = wait_for_mail(node, ALICE, 1)
        tell.check(b'Subject: first light' in data[0][1],
                   f'mail from {OUTSIDE} to {ALICE} read through '
                   f'{node.name}', f'{ms(began)} after it was sent')


# ---- b ----------------------------------------------------------------------

def attempt(stage, **options):
    """Tries to relay; the server's answer to RCPT."""
    with smtp(stage.postfix, source=stage.masked, **options) as client:
        client.mail(ALICE)
        code, text = client.rcpt(OUTSIDE)
        return code, f'{code} {text.decode().splitlines()[0]}'


def relay(stage, tell):
    tell.say(f'mynetworks holds the ingress subnet {stage.ingress}; the '
             f'client comes from {stage.masked}')
    code, answer = attempt(stage, port=PLAIN_PORT)
    tell.check(code == 250, 'Postfix alone would relay for it', answer)
    code, answer = attempt(stage)
    tell.check(code == 554 and 'Relay access denied' in answer,
               'with roost-policyd it is refused', answer)
    code, answer = attempt(stage, login=(ALICE, PASSWORD))
    tell.check(code == 250, 'after a login the same client may send', answer)


# ---- c ----------------------------------------------------------------------

def selectors(mail, records):
    """The selectors whose signatures verify; raises if one does not."""
    results = dkim_results(mail, records)
    for domain, selector, algorithm, good in results:
        if not good or domain != DOMAIN:
            raise LabError(f'{selector} {algorithm} of {domain} is not valid')
    return [(selector, algorithm) for _, selector, algorithm, _ in results]


class Flow(threading.Thread):
    """Mail from alice to the outside, one message after the other."""

    def __init__(self, stage):
        super().__init__(daemon=True)
        self.stage, self.sent, self.errors = stage, 0, []
        self.go_on = True

    def run(self):
        try:
            with smtp(self.stage.postfix, source=self.stage.masked,
                      login=(ALICE, PASSWORD)) as client:
                while self.go_on:
                    client.sendmail(ALICE, [OUTSIDE], message(
                        ALICE, OUTSIDE, subject=f'number {self.sent}'))
                    self.sent += 1
        except (OSError, smtplib.SMTPException) as error:
            self.errors.append(error)

    def wait(self, count):
        wait_until(lambda: self.sent >= count or self.errors, 20,
                   f'{count} messages sent')


def signatures(stage, tell):
    already = len(stage.sink.messages())
    smtp_send(stage.postfix, ALICE, OUTSIDE, source=stage.masked,
              login=(ALICE, PASSWORD))
    found = selectors(stage.sink.wait(already + 1)[-1], stage.records)
    tell.check(sorted(found) == [('s1e', 'ed25519-sha256'),
                                 ('s1r', 'rsa-sha256')],
               'both signatures verified by dkimpy',
               ', '.join(' '.join(pair) for pair in found))

    pid, already = stage.milter.pid, already + 1
    flow = Flow(stage)
    flow.start()
    flow.wait(10)
    stage.add_keys('s2', replace='s1')
    committed = flow.sent
    flow.wait(committed + 20)
    flow.go_on = False
    flow.join(20)
    sent = stage.sink.wait(already + flow.sent)[already:]
    sent.sort(key=lambda mail: int(re.search(rb'number (\d+)', mail)[1]))
    seen = [tuple(sorted(s for s, _ in selectors(mail, stage.records)))
            for mail in sent]
    old, new = ('s1e', 's1r'), ('s2e', 's2r')
    first = seen.index(new) if new in seen else -1
    tell.check(first > 0 and not flow.errors and
               seen == [old] * first + [new] * (len(seen) - first),
               'keys replaced in PostgreSQL while mail flowed',
               f'{first} messages by s1, then {len(seen) - first} by s2, '
               f'{sum(not s for s in seen)} unsigned; {committed} were sent '
               'when the change was committed')
    tell.check(stage.milter.pid == pid and stage.milter.processes(),
               'nothing was restarted', f'roost-milter still pid {pid}')


# ---- d ----------------------------------------------------------------------

LOGIN = rf'(?:Login|Logged in): user=<{ALICE}>.*rip=([0-9.]+),'


def owner_of(stage, user):
    """(owner, the other node), by where a login of the user ends up."""
    marks = [node.log.mark() for node in stage.nodes]
    with imap(stage.nodes[0], user, PASSWORD):
        pass
    opened = [node for node, mark in zip(stage.nodes, marks) if node.log.lines(
        rf'roost_user_opened user={user} ', mark)]
    if len(opened) != 1:
        raise LabError(f'{user} was opened on '
                       f'{[node.name for node in opened]}')
    return opened[0], next(n for n in stage.nodes if n is not opened[0])


def pinning(stage, tell):
    owner, other = owner_of(stage, ALICE)
    stage.owner, stage.other = owner, other
    timing = {}
    for node in (owner, other):
        mark = owner.log.mark()
        began = time.monotonic()
        with imap(node, ALICE, PASSWORD, source=stage.client) as client:
            timing[node] = ms(began)
            client.ok('select', 'INBOX')
            found = owner.log.wait_for(LOGIN, 5, mark)
            opened = owner.log.lines(f'roost_user_opened user={ALICE} ', mark)
        way = 'directly' if node is owner else f'through {other.name}'
        tell.check(opened, f'{ALICE} is served by {owner.name}, reached {way}',
                   f'login in {timing[node]}')
    tell.check(found[1] == stage.client,
               f'the log of {owner.name} names her own address',
               f'rip={found[1]}; the connection came from {other.name}, '
               f'{other.address}')


# ---- e ----------------------------------------------------------------------

def use_mailbox(node):
    """The same work on each system: mail comes, flags change. Returns the
    state of INBOX that must survive."""
    for _ in range(30):
        lmtp_send(node, OUTSIDE, ALICE)
    with imap(node, ALICE, PASSWORD) as client:
        wait_until(lambda: client.ok('noop') and int(
            client.ok('select', 'INBOX')[0]) >= 30, 20, '30 messages')
        for number in range(1, 31):
            client.ok('store', str(number), '+FLAGS', '\\Flagged')
        for number in range(1, 11):
            client.ok('store', str(number), '-FLAGS', '\\Flagged')
    return inbox(node)


def inbox(node):
    """(HIGHESTMODSEQ, UIDVALIDITY, {uid: flags}) as a client sees it."""
    with imap(node, ALICE, PASSWORD) as client:
        modseq = client.highestmodseq()
        validity = client.status_items()['UIDVALIDITY']
        flags = {}
        for line in client.ok('fetch', '1:*', '(UID FLAGS)'):
            uid = int(re.search(rb'UID (\d+)', line)[1])
            found = re.search(rb'FLAGS \(([^)]*)\)', line)[1].split()
            flags[uid] = frozenset(found) - {b'\\Recent'}
    return modseq, validity, flags


def failover(stage, tell):
    without = [use_mailbox(stage.plain[0])]
    stage.plain[0].kill()
    without.append(inbox(stage.plain[1]))

    owner, other = stage.owner, stage.other
    before = use_mailbox(owner)
    tell.say(wait_packed(owner, len(before[2])))
    # a change that no bundle has, in a session through the other node
    client = imap(other, ALICE, PASSWORD)
    before = last_change(client, before)
    tell.say(f'then one more flag: HIGHESTMODSEQ {before[0]}, and SIGKILL')
    mark, began = other.log.mark(), time.monotonic()
    owner.kill()
    stage.died[owner.name] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    after = wait_until(lambda: try_inbox(other), 40,
                       f'{ALICE} back on {other.name}')
    tell.check(after, f'{owner.name} killed, {ALICE} back on {other.name} '
               f'(lease: {LEASE_TTL} s)', ms(began))
    restored = [line.partition('roost_index_restored ')[2] for line in
                other.log.lines(r'roost_index_restored mailbox=INBOX', mark)]
    tell.check(restored and 'from=bundle' in restored[0],
               'her index was restored from the bundle',
               restored[0] if restored else 'no record of it')
    tell.check(after[1:] == before[1:], 'UIDVALIDITY, UIDs and flags are '
               'the same', f'{len(after[2])} messages')
    tell.check(after[0] >= before[0], 'HIGHESTMODSEQ did not fall',
               f'{before[0]} → {after[0]}')
    tell.check(without[1][0] < without[0][0], 'without Roost it falls',
               f'{without[0][0]} → {without[1][0]}')


def wait_packed(node, count):
    """Opens her mailbox until a bundle with all messages is on the store:
    they are written at the end of a session, but not too often."""
    pattern = rf'roost_index_packed mailbox=INBOX .*messages={count} .*'

    def packed():
        inbox(node)
        return re.findall(pattern, node.log.text())
    return wait_until(packed, 10, lambda: f'a bundle of {count} messages\n'
                      f'{node.log.tail()}', interval=0.3)[-1]


def last_change(client, state):
    """Flags the first message; returns the new state of INBOX."""
    client.ok('select', 'INBOX')
    uid = min(state[2])
    client.ok('uid', 'STORE', str(uid), '+FLAGS', '\\Answered')
    flags = state[2] | {uid: state[2][uid] | {b'\\Answered'}}
    return client.status_items()['HIGHESTMODSEQ'], state[1], flags


def try_inbox(node):
    try:
        return inbox(node)
    except (OSError, imap.error):
        return None


# ---- f ----------------------------------------------------------------------

RECORD = re.compile(r'roost_user_(opened|closed) user=(\S+) node=(\S+) '
                    r'pid=(\d+) epoch=(\d+) boot=(\d+) boottime=(\d+)')


def intervals(stage, user):
    """(start, end, node, epoch) of each process that had the user open, from
    the nodes' own records. A process that was killed ends with its node."""
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    found = []
    for node in stage.nodes:
        live = {}
        for what, name, said, pid, epoch, _, at in RECORD.findall(
                node.log.text()):
            if name != user or said != node.name:
                continue
            if what == 'opened':
                live.setdefault(pid, []).append((int(at), int(epoch)))
            elif live.get(pid):
                start, epoch = live[pid].pop()
                found.append((start, int(at), node.name, epoch))
        found += [(start, stage.died.get(node.name, now), node.name, epoch)
                  for starts in live.values() for start, epoch in starts]
    return sorted(found, key=lambda interval: interval[:2])


def overlap(stage, tell):
    spans = intervals(stage, ALICE)
    clashes = [(a, b) for i, a in enumerate(spans) for b in spans[i + 1:]
               if b[0] < a[1] and a[2] != b[2]]
    tell.check(len({span[2] for span in spans}) == 2 and not clashes,
               f'{len(spans)} times open, {len(clashes)} times on two nodes '
               'at once', ', '.join(
                   f'{sum(span[2] == node.name for span in spans)} on {node.name}'
                   for node in stage.nodes))
    tell.check(*epochs(spans))


def epochs(spans):
    """Changes of owner: the epoch rises, and only then."""
    changes = [(a, b) for a, b in zip(spans, spans[1:]) if a[2] != b[2]]
    right = changes and all(b[3] > a[3] for a, b in changes)
    gap = min((b[0] - a[1] for a, b in changes), default=0) / 1e9
    return (right, 'her epoch rose with the change of owner',
            f'{len(changes)} change, {gap:.1f} s between the last close and '
            'the first open')
