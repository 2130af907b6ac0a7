#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a client's first session costs with indexes on the store, moved and
warm, restored from a bundle, and cold. Run by hand as root from the build
tree:

    tests/bench/index_session.py [--messages 20000] [--rounds 3]

The session: SELECT, FETCH 1:* (ENVELOPE), SORT twice, SEARCH, THREAD. Rounds
are interleaved; figures are medians."""
import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Dovecot, Lab, imap, lmtp_send, wait_until  # noqa: E402

USERS = {'alice': 'secret'}
BODY = 'Some words of a message of usual size.\r\n' * 400


def populate(n, count):
    """Messages as files; the first comes by LMTP, so that all exists."""
    lmtp_send(n, 'sender@example.org', 'alice')
    cur = n.home('alice') / 'Maildir' / 'cur'
    for i in range(count):
        path = cur / f'{1600000000 + i}.M{i}P1.bench,S=0:2,'
        path.write_text(
            f'From: sender{i % 97}@example.org\r\nTo: alice@example.org\r\n'
            f'Subject: message {i * 7919 % count}\r\n'
            f'Date: Mon, 1 Jan 2024 00:{i // 60 % 60:02}:{i % 60:02} +0000\r\n'
            f'Message-ID: <{i}@example.org>\r\n\r\n{BODY}')
        os.rename(path, path.with_name(
            path.name.replace('S=0', f'S={path.stat().st_size}')))
    subprocess.run(['chown', '-R', '5000:5000', n.home('alice')], check=True)


def session(n):
    """Seconds, and the bytes that the process read."""
    start = time.monotonic()
    with imap(n, 'alice', 'secret', timeout=600) as client:
        for line in ('SELECT INBOX', 'FETCH 1:* (ENVELOPE)',
                     'SORT (SUBJECT) UTF-8 ALL', 'SORT (DATE) UTF-8 ALL',
                     'SEARCH FROM sender7', 'THREAD REFERENCES UTF-8 ALL'):
            status, lines = client.raw(line)
            assert status == 'OK', lines
        took = time.monotonic() - start
        pids = [pid for pid in n.processes() if
                Path(f'/proc/{pid}/comm').read_text().strip() == 'imap']
        read = sum(int(re.search(r'rchar: (\d+)', Path(
            f'/proc/{pid}/io').read_text())[1]) for pid in pids)
    wait_until(lambda: not n._mail_processes(), 60, 'the session has ended')
    return took, read


def ours(n, *verbs):
    for verb in verbs:
        n.doveadm('roost', 'index', verb, '-u', 'alice', timeout=600)


def cold_plain(n):
    for path in (n.home('alice') / 'Maildir').glob('dovecot.index*'):
        path.unlink()


def cold_roost(n):
    ours(n, 'evict')
    (n.home('alice') / 'Maildir' / 'dovecot-roost.bundle').unlink()


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument('--messages', type=int, default=20000)
    args.add_argument('--rounds', type=int, default=3)
    options = args.parse_args()
    with Lab() as lab:
        # the plain node has a store of its own
        store = lab.dir / 'plain-store'
        store.mkdir()
        os.chown(store, 5000, 5000)
        plain = Dovecot(lab, 'plain', users=USERS, store=store).start()
        roost = Dovecot(lab, 'roost', users=USERS, roost={}).start()
        for n in (plain, roost):
            populate(n, options.messages)
            session(n)
        cases = {
            'index on the store, warm': (plain, lambda n: None),
            'moved, warm': (roost, lambda n: None),
            'moved, restored from its bundle': (roost,
                                                lambda n: ours(n, 'evict')),
            'index on the store, cold': (plain, cold_plain),
            'moved, cold, no bundle': (roost, cold_roost),
        }
        results = {name: [] for name in cases}
        for _ in range(options.rounds):
            for name, (n, prepare) in cases.items():
                prepare(n)
                results[name].append(session(n))
            session(roost)
        base = statistics.median(x[0] for x in
                                 results['index on the store, warm'])
        for name, values in results.items():
            took = statistics.median(x[0] for x in values)
            read = statistics.median(x[1] for x in values)
            print(f'| {name} | {took / base:.2f} | {took * 1000:.0f} ms | '
                  f'{read / 1e6:.1f} MB |')
        for line in roost.log.lines('roost_index_packed')[-1:]:
            print(line)
        for line in roost.log.lines('roost_index_restored.*from=bundle')[-1:]:
            print(line)


if __name__ == '__main__':
    main()
