# SPDX-License-Identifier: MIT
"""Cleans up for a lab that could not (SIGKILL). Run by Lab as a program: each
line of standard input is a pid whose mount namespace belongs to the lab, or
"done"; the end of input without "done" means that the lab is dead."""
import os
import shutil
import signal
import sys


def pids_in(namespaces):
    """Not from process.py: this must start fast and stand alone."""
    for entry in os.listdir('/proc'):
        try:
            if entry.isdigit() and \
                    os.readlink(f'/proc/{entry}/ns/mnt') in namespaces:
                yield int(entry)
        except OSError:
            pass


def main(folder):
    held = {}  # an open namespace keeps its number
    for line in sys.stdin:
        if line == 'done\n':
            return
        try:
            file = open(f'/proc/{int(line)}/ns/mnt', 'rb')
        except OSError:
            continue
        held[os.readlink(f'/proc/self/fd/{file.fileno()}')] = file
    held.pop(os.readlink('/proc/self/ns/mnt'), None)
    for _ in range(100):  # they may fork meanwhile
        pids = list(pids_in(held))
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    shutil.rmtree(folder, ignore_errors=True)


main(sys.argv[1])
