# SPDX-License-Identifier: MIT
"""daemon/pg against a real PostgreSQL, shown by pg-probe."""
import os
import queue
import subprocess
import threading
import time

import pytest

from lab import Postgres


class Probe:
    """tests/integration/pg-probe of the build tree."""

    def __init__(self, lab, conninfo):
        program = lab.build.program('tests/integration/pg-probe')
        assert program, 'pg-probe is not built'
        self.popen = subprocess.Popen(
            [program, conninfo], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1,
            env={'PATH': os.environ['PATH']})
        lab.started.add(self.popen.pid)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.put(line.rstrip('\n'))

    def send(self, sql):
        self.popen.stdin.write(sql + '\n')

    def expect(self, start, timeout=10):
        """The next line that is no log line; it must start like that."""
        end = time.monotonic() + timeout
        while True:
            line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            if not line.startswith('ts='):
                assert line.startswith(start), line
                return line
            self.logged = line

    def end(self):
        self.popen.stdin.close()
        assert self.popen.wait(10) == 0


@pytest.fixture
def pg(lab):
    return Postgres(lab).start()


@pytest.fixture
def probe(lab, pg):
    running = Probe(lab, f'host={pg.address} port={pg.port} user=postgres '
                         'password=hidden dbname=postgres')
    running.expect('connected 1')
    yield running
    if running.popen.poll() is None:
        running.popen.kill()
        running.popen.wait()


def test_queries_and_notifications(pg, probe):
    probe.send("SELECT 'a ' || $1::text")
    assert probe.expect('result') == 'result a param'
    probe.send('SELECT nonsense')
    assert 'column "nonsense" does not exist' in probe.expect('error')
    probe.send('!SELECT 7')
    probe.send('CREATE TABLE t (x int)')
    for answer in ('result 7', 'result 7', 'result none'):
        probe.expect(answer)
    pg.sql("NOTIFY probe, 'changed'")
    assert probe.expect('notified') == 'notified probe changed'
    pg.sql('NOTIFY "Other ""one"""')
    assert probe.expect('notified') == 'notified Other "one" '
    # while a query runs
    probe.send("SELECT pg_notify('probe', 'own')")
    assert {probe.expect(''), probe.expect('')} == \
        {'result ', 'notified probe own'}
    probe.end()


def test_server_dies_and_comes_back(pg, probe):
    pg.kill()
    assert probe.expect('lost 0')
    probe.send('SELECT 1')
    assert probe.expect('refused') == 'refused PostgreSQL is away'
    pg.start()
    while not (line := probe.expect('')).startswith('connected'):
        assert line.startswith('lost 0'), line
    probe.send('SELECT 2')
    probe.expect('result 2')
    pg.sql('NOTIFY probe')
    probe.expect('notified')
    assert 'event=postgres_back' in probe.logged
    probe.end()


def test_silent_server(pg, probe):
    """A query without an answer ends after its time, with an error."""
    probe.send('SELECT pg_sleep(60)')
    probe.send('SELECT 3')
    for _ in range(2):
        assert probe.expect('error') == 'error no answer in time'
    probe.expect('lost 0 no answer in time')
    probe.expect('connected 1')
    probe.send('SELECT 4')
    probe.expect('result 4')
    probe.end()


def test_queue_is_bounded(pg, probe):
    probe.send('SELECT pg_sleep(0.5)\n' + 'SELECT 5\n' * 69 + 'SELECT 5')
    answers = [probe.expect('') for _ in range(71)]
    assert answers.count('refused too many queries or parameters') == 7
    assert answers.count('result 5') == 63
    probe.end()


def test_wrong_password_is_not_shown(lab, pg):
    probe = Probe(lab, f'postgresql://postgres:hidden@{pg.address}:1/x')
    assert 'hidden' not in probe.expect('lost 0')
    probe.end()
    probe = Probe(lab, 'host=x password=hidden nonsense')
    assert probe.expect('bad') == 'bad not a PostgreSQL connect string'
    assert probe.popen.wait(10) == 1
