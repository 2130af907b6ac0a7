# SPDX-License-Identifier: MIT
"""What clients were promised, and whether what they see later keeps it."""
import re
import threading
import time
from collections import defaultdict


class Account:
    """One user's mailbox. Every message has a token, its subject. A promise
    counts for observations that begin after it was given."""

    def __init__(self, user):
        self.user = user
        self.lock = threading.Lock()
        self.kept = {}       # token -> when its delivery was confirmed
        self.sent = set()    # tokens, also of deliveries without an answer
        self.asked = set()   # tokens whose expunge was asked for
        self.gone = {}       # token -> when its expunge was confirmed
        self.flags = defaultdict(dict)  # token -> flag -> when confirmed
        self.tokens = {}     # uid -> token, for ever
        self.uids = {}       # token -> uid, for ever
        self.validity = None
        self.modseqs = []    # (when an observation ended, HIGHESTMODSEQ)
        self.wrong = []

    def fail(self, text):
        self.wrong.append(f'{self.user}: {text}')

    # ---- promises --------------------------------------------------------

    def sending(self, token):
        with self.lock:
            self.sent.add(token)

    def delivered(self, token):
        with self.lock:
            self.kept[token] = time.monotonic()

    def expunging(self, token):
        with self.lock:
            self.asked.add(token)

    def expunged(self, token):
        with self.lock:
            self.gone[token] = time.monotonic()

    def flagged(self, token, flag):
        with self.lock:
            self.flags[token].setdefault(flag, time.monotonic())

    # ---- observations ----------------------------------------------------

    def learn(self, uid, token):
        """uid and token belong together, and did so whenever seen."""
        if token not in self.sent:
            self.fail(f'UID {uid}: nobody sent {token!r}')
        if self.tokens.setdefault(uid, token) != token:
            self.fail(f'UID {uid} is {token}, was {self.tokens[uid]}')
        if self.uids.setdefault(token, uid) != uid:
            self.fail(f'{token} has UID {uid}, had {self.uids[token]}')

    def observe(self, began, validity, modseq, view):
        """A fresh SELECT and FETCH: view: uid -> (token, flags)."""
        with self.lock:
            if self.validity not in (None, validity):
                self.fail(f'UIDVALIDITY {self.validity} became {validity}')
            self.validity = validity
            shown = max((m for when, m in self.modseqs if when < began),
                        default=0)
            if modseq < shown:
                self.fail(f'HIGHESTMODSEQ {shown} became {modseq}')
            self.modseqs.append((time.monotonic(), modseq))
            for uid, (token, flags) in view.items():
                self.learn(uid, token)
                for flag, when in self.flags[token].items():
                    if when < began and flag not in flags:
                        self.fail(f'{token} (UID {uid}) lost its {flag}')
            present = {token for token, _ in view.values()}
            for token, when in self.kept.items():
                if when < began and token not in present | self.asked:
                    self.fail(f'{token} is lost (UID '
                              f'{self.uids.get(token, "never seen")})')
            for token, when in self.gone.items():
                if when < began and token in present:
                    self.fail(f'{token} is back from the dead')


# ---- ownership --------------------------------------------------------------

RECORD = re.compile(r'roost_user_(opened|closed) user=(\S+) node=(\S+) '
                    r'pid=(\d+) epoch=(\d+) boot=(\d+) boottime=(\d+)')


def records(log):
    """(what, user, node, pid, epoch, boot, ns) of a node's log, in order."""
    for what, user, node, *numbers in RECORD.findall(log):
        yield (what, user, node, *map(int, numbers))


def periods(log, kills, ends):
    """When that node had users open: a list of (user, from, to, node, epoch).
    kills: the times at which all its processes died; ends: boot -> the time
    at which its lease ended (absent: it has not)."""
    opened, found = defaultdict(list), []

    def close(user, pid, start, epoch, boot, node, end):
        dead = min((k for k in kills if k > start), default=end)
        found.append((user, start, min(end, dead, ends.get(boot, end)),
                      node, epoch))

    for what, user, node, pid, epoch, boot, when in records(log):
        key = (user, pid, epoch, boot)
        if what == 'opened':
            opened[key].append((when, node))
        elif opened[key]:
            start, _ = opened[key].pop(0)
            close(user, pid, start, epoch, boot, node, when)
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    for (user, pid, epoch, boot), starts in opened.items():
        for start, node in starts:
            close(user, pid, start, epoch, boot, node, now)
    return found


def overlaps(found):
    """Texts about two nodes that had the same user open at once, and about
    epochs that fell."""
    wrong, by_user = [], defaultdict(list)
    for user, start, end, node, epoch in found:
        by_user[user].append((start, end, node, epoch))
    for user, spans in by_user.items():
        spans.sort()
        latest = {}  # node -> the span that ends last
        epoch = 0
        for span in spans:
            start, end, node, its_epoch = span
            if its_epoch < epoch:
                wrong.append(f'{user}: epoch {epoch} fell to {its_epoch}')
            epoch = max(epoch, its_epoch)
            for other, before in latest.items():
                if other != node and before[1] > start:
                    wrong.append(
                        f'{user} open on {other} (epoch {before[3]}) until '
                        f'{before[1]}, on {node} (epoch {its_epoch}) since '
                        f'{start}: {(before[1] - start) / 1e6:.1f} ms')
            if node not in latest or latest[node][1] < end:
                latest[node] = span
    return wrong
