# SPDX-License-Identifier: MIT
"""The demo is right, leaves nothing, and would see a double owner."""
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import LogFile, demo_steps
from lab.demo_stage import ALICE
from lab.process import default_signals

TESTS = Path(__file__).resolve().parents[1]


def start_demo():
    return subprocess.Popen(
        [sys.executable, '-u', '-m', 'lab.demo'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=default_signals,
        env=os.environ | {'PYTHONPATH': str(TESTS)})


def test_demo_is_right_from_a_to_f():
    with start_demo() as demo:
        text = demo.communicate(timeout=120)[0]
    assert demo.returncode == 0, text
    assert '✗' not in text
    assert re.findall('^([a-z])\\. ', text, re.MULTILINE) == list('abcdef')
    assert not Path(re.search('all of it in (\\S+),', text)[1]).exists()


def test_interrupted_demo_leaves_nothing():
    with start_demo() as demo:
        folder = None
        for line in demo.stdout:
            if found := re.search('all of it in (\\S+),', line):
                folder = Path(found[1])
            if 'all up' in line:
                break
        assert folder.exists()
        os.killpg(demo.pid, signal.SIGINT)  # as Ctrl-C does
        assert 'stopping' in demo.communicate(timeout=30)[0]
    assert demo.returncode == 130
    assert not folder.exists()


class Tell:
    def __init__(self):
        self.results = []

    def check(self, right, *_):
        self.results.append(bool(right))


def record(what, node, at, pid=1, epoch=1, user=ALICE):
    return (f'x: roost_user_{what} user={user} node={node} pid={pid} '
            f'epoch={epoch} boot=1 boottime={at}\n')


OVERLAPS = {
    'one after the other': (
        record('opened', 'n1', 10) + record('closed', 'n1', 20),
        record('opened', 'n2', 20, epoch=2), {}, [True, True]),
    'the same epoch on two nodes': (
        record('opened', 'n1', 10) + record('closed', 'n1', 20),
        record('opened', 'n2', 20), {}, [True, False]),
    'open on both': (
        record('opened', 'n1', 10) + record('closed', 'n1', 21),
        record('opened', 'n2', 20, epoch=2), {}, [False, True]),
    'never closed': (
        record('opened', 'n1', 10),
        record('opened', 'n2', 20, epoch=2), {}, [False, True]),
    'killed before': (
        record('opened', 'n1', 10),
        record('opened', 'n2', 20, epoch=2), {'n1': 15}, [True, True]),
    'killed after': (
        record('opened', 'n1', 10),
        record('opened', 'n2', 20, epoch=2), {'n1': 25}, [False, True]),
    'a long one among short ones': (
        record('opened', 'n1', 10) + record('opened', 'n1', 11, 2) +
        record('closed', 'n1', 12, 2) + record('closed', 'n1', 30),
        record('opened', 'n2', 20, epoch=2), {}, [False, True]),
    'somebody else': (
        record('opened', 'n1', 10) + record('closed', 'n1', 20) +
        record('opened', 'n1', 19, 2, user='bob'),
        record('opened', 'n2', 21, epoch=2), {}, [True, True]),
    'one node only': (
        record('opened', 'n1', 10), '', {}, [False, False]),
    'no records': (
        '', '', {}, [False, False]),
}


@pytest.mark.parametrize('name', OVERLAPS)
def test_overlap_is_seen(tmp_path, name):
    one, two, died, results = OVERLAPS[name]
    nodes = []
    for node, text in (('n1', one), ('n2', two)):
        (tmp_path / node).write_text(text)
        nodes.append(SimpleNamespace(name=node, log=LogFile(tmp_path / node)))
    tell = Tell()
    demo_steps.overlap(SimpleNamespace(nodes=nodes, died=died), tell)
    assert tell.results == results
