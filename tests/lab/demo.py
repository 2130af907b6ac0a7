# SPDX-License-Identifier: MIT
"""The demo (demo.sh): runs the whole system and tells what it sees, with
figures. Its parts: demo_stage.py sets it up, demo_steps.py are the steps."""
import argparse
import os
import signal
import sys
import time
import traceback

from . import demo_steps
from .demo_stage import Stage
from .process import LabError
from .run import Lab

STEPS = (
    ('a', 'Mail comes in through Postfix and LMTP and is read by IMAP',
     demo_steps.mail_in),
    ('b', 'No open relay, although mynetworks holds the ingress subnet',
     demo_steps.relay),
    ('c', 'Two signatures on outgoing mail; a key replaced while mail flows',
     demo_steps.signatures),
    ('d', 'One owner per user, reached through any node',
     demo_steps.pinning),
    ('e', 'The owner is killed with SIGKILL',
     demo_steps.failover),
    ('f', 'Never two nodes with her mailbox open',
     demo_steps.overlap),
)


class Narrator:
    """Prints what happens; a figure stands at the right."""

    def __init__(self):
        self.good = self.bad = 0

    def title(self, letter, text):
        print(f'\n{letter}. {text}')

    def say(self, text):
        print(f'     {text}', flush=True)

    def check(self, right, text, figure=''):
        self.good += bool(right)
        self.bad += not right
        print(f'   {"✓" if right else "✗"} {text}'
              f'{"  — " + figure if figure else ""}', flush=True)
        return right


def run_steps(stage, narrator):
    for letter, title, step in STEPS:
        narrator.title(letter, title)
        try:
            step(stage, narrator)
        except Exception as error:  # the next step may still tell something
            narrator.check(False, f'{type(error).__name__}: {error}')
            if not isinstance(error, LabError):
                traceback.print_exc()


def leave_running(stage):
    """Goes on in a process of its own, until that gets SIGTERM."""
    sys.stdout.flush()
    keeper = os.fork()
    if keeper:
        print(stage.hints(keeper), flush=True)
        return True
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pause()  # the handler of Lab ends it
    return False


def main():
    parser = argparse.ArgumentParser(prog='demo.sh')
    parser.add_argument('--keep', action='store_true')
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding='utf-8')
    began = time.monotonic()
    narrator = Narrator()
    lab = Lab()
    try:
        stage = Stage(lab)
        print(stage.describe())
        stage.start()
        narrator.say(f'all up after {time.monotonic() - began:.1f} s')
        run_steps(stage, narrator)
        print(f'\n{narrator.good} right, {narrator.bad} wrong, after '
              f'{time.monotonic() - began:.1f} s', flush=True)
        if options.keep and leave_running(stage):
            lab.abandon()
    except LabError as error:
        print(f'✗ {error}')
        return 1
    except KeyboardInterrupt:
        print('\nstopping')
        return 130
    finally:
        lab.close()
    return 0 if narrator.good and not narrator.bad else 1


if __name__ == '__main__':
    sys.exit(main())
