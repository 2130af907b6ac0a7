# SPDX-License-Identifier: MIT
"""The lab itself: everything starts, carries mail, and leaves nothing."""
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from lab import Dovecot, Lab, LabError, Postfix, Postgres, Redis, SmtpSink, \
    imap, lmtp_send, message, smtp_send, wait_until
from lab.process import default_signals

USERS = {'alice': 'secret'}


def pids_below(folder):
    """Live processes with a file below folder open or as their directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        links = [f'/proc/{pid}/cwd']
        try:
            links += [f'/proc/{pid}/fd/{fd}'
                      for fd in os.listdir(f'/proc/{pid}/fd')]
        except OSError:
            continue
        for link in links:
            try:
                if os.readlink(link).startswith(str(folder)):
                    found.append(int(pid))
            except OSError:
                pass
    return found


def test_mail_system_starts_delivers_and_leaves_nothing():
    with Lab() as lab:
        folder = lab.dir
        redis, pg = Redis(lab).start(), Postgres(lab).start()
        nodes = [Dovecot(lab, name, users=USERS).start()
                 for name in ('n1', 'n2')]
        sink = SmtpSink(lab).start()
        postfix = Postfix(lab, lmtp=nodes, sink=sink)
        postfix.settings = postfix.sasl(nodes[1])
        postfix.settings['virtual_alias_maps'] = \
            'inline:{alice@example.com=alice@local.test}'
        postfix.domains.append('local.test')
        postfix.start()

        assert redis.call('ECHO', 'ä b') == 'ä b'
        assert pg.sql('SELECT 1, 2; SELECT 3') == [['1', '2'], ['3']]
        lmtp_send(nodes[0], 'bob@example.org', 'alice')
        with imap(nodes[1], 'alice', 'secret') as client:
            assert client.highestmodseq() >= 1
            assert client.status_items()['MESSAGES'] == 1

        sent = message('alice@example.com', 'bob@example.org', body='.dot\r\n')
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp_send(postfix, 'alice@example.com', 'bob@example.org', sent,
                      source=lab.address(200))
        smtp_send(postfix, 'alice@example.com', 'bob@example.org', sent,
                  source=lab.address(200), login=('alice', 'secret'))
        assert sink.wait(1)[0].endswith(sent)
        assert pids_below(folder)
    assert not folder.exists()
    assert not pids_below(folder)


def test_killed_node_is_dead_and_starts_again(lab):
    node = Dovecot(lab, users=USERS).start()
    client = imap(node, 'alice', 'secret')
    node.kill()
    assert not node.processes()
    with pytest.raises((OSError, client.abort)):
        client.noop()
    node.start()
    with imap(node, 'alice', 'secret') as client:
        assert client.ok('noop')


def test_paused_node_answers_after_resume(lab):
    node = Dovecot(lab, users=USERS).start()
    with imap(node, 'alice', 'secret') as client:
        node.pause()
        client.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.raw('NOOP')
        node.resume()
    wait_until(lambda: 'alice' not in node.doveadm('who').stdout, 10,
               'the end of the session')


def test_failure_to_start_shows_the_log(lab):
    node = Dovecot(lab, extra={'no_such_setting': 'x'})
    with pytest.raises(LabError, match='no_such_setting'):
        node.start()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGHUP, signal.SIGKILL])
def test_signal_ends_everything(number):
    """Even SIGKILL of the test run: its guardian cleans up."""
    script = ('import time\nfrom lab import *\nlab = Lab()\n'
              'Redis(lab).start(); Postgres(lab).start()\n'
              'Dovecot(lab).start(); Postfix(lab).start()\n'
              'print(lab.dir, flush=True)\ntime.sleep(60)\n')
    with subprocess.Popen(
            [sys.executable, '-c', script], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=default_signals,
            env=os.environ | {'PYTHONPATH': str(
                Path(__file__).resolve().parents[1])}) as run:
        folder = Path(run.stdout.readline().strip())
        assert folder.name.startswith('roost.')
        run.send_signal(number)
        assert run.wait(20) != 0
    wait_until(lambda: not pids_below(folder), 10,
               lambda: f'ended: {pids_below(folder)}')
    wait_until(lambda: not folder.exists(), 5, f'{folder} removed')
