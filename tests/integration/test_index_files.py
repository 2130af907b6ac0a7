# SPDX-License-Identifier: MIT
"""Every file that Dovecot opens for writing, creates, renames to or links on
the store, as strace sees it: mails, uidlist, keywords, subscriptions, their
locks, and the files of docs/bundle-format.md; nothing of an index."""
import re
import signal
import subprocess

from lab import Dovecot, imap, lmtp_send, wait_until

CALLS = 'open,openat,creat,rename,renameat,renameat2,link,linkat,symlink,' \
    'symlinkat,mkdir,mkdirat'
# below a maildir or a folder of it
ALLOWED = re.compile(
    r'(\.[\w.-]+(/|$))*'
    r'((cur|new|tmp)(/[^/]*)?|maildirfolder|'
    r'dovecot-(uidlist|uidvalidity|keywords)(\.[\w.-]+)?|'
    r'subscriptions(\.lock)?|'
    r'dovecot-roost\.(bundle|floor)(\.tmp\.n1)?)?/?')


def traced(n, log):
    """Follows every process of the node into a file of its own."""
    tracer = subprocess.Popen(
        ['strace', '-ff', '-qq', '-y', '-s', '4096', '-e', f'trace={CALLS}',
         '-o', log, *(f'-p{pid}' for pid in n.processes())],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    n.lab.started.add(tracer.pid)

    def attached():
        return all('TracerPid:\t0' not in open(f'/proc/{pid}/status').read()
                   for pid in n.processes())
    wait_until(attached, 10, 'strace follows all processes')
    return tracer


def written(text, store):
    """Paths below the store that a call of the trace would change."""
    for line in text.splitlines():
        if ' = -1 ' in line:
            continue
        if line.startswith('open') and \
                not re.search(r'O_(WRONLY|RDWR|CREAT)', line):
            continue
        paths = re.findall(r'"([^"]*)"', line)
        # a rename changes both names, an open or a link only the last
        for path in paths if line.startswith('rename') else paths[-1:]:
            if path.startswith(f'{store}/'):
                yield path


def test_files_opened_for_writing_on_the_store(lab):
    n = Dovecot(lab, users={'alice': 'secret'}, roost={}).start()
    log = lab.dir / 'trace'
    tracer = traced(n, log)
    for _ in range(2):
        lmtp_send(n, 'sender@example.org', 'alice')
    with imap(n, 'alice', 'secret', timeout=60) as client:
        client.ok('create', 'Work')
        client.ok('create', 'Work/Old')
        client.ok('subscribe', 'Work')
        client.ok('select', 'INBOX')
        client.ok('store', '1', '+FLAGS', '(\\Flagged $Label)')
        client.ok('copy', '1:2', 'Work')
        client.ok('search', None, 'BODY', 'hello')
        client.ok('thread', 'REFERENCES', 'UTF-8', 'ALL')
        client.ok('fetch', '1:*', '(ENVELOPE BODYSTRUCTURE)')
        client.ok('append', 'INBOX', '\\Seen', None, b'Subject: x\r\n\r\nx')
        client.ok('store', '2', '+FLAGS', '\\Deleted')
        client.ok('expunge')
        client.ok('rename', 'Work/Old', 'Work/New')
        client.ok('delete', 'Work/New')
    n.log.wait_for('roost_index_packed mailbox=Work')
    wait_until(lambda: len(n.log.lines('roost_user_opened')) ==
               len(n.log.lines('roost_user_closed')), 10, 'closed')
    n.stop()
    tracer.send_signal(signal.SIGTERM)
    tracer.wait(10)
    paths = {path for file in log.parent.glob('trace.*')
             for path in written(file.read_text(), lab.store)}
    home = f'{n.home("alice")}/Maildir'
    names = {path[len(home):].lstrip('/') for path in paths
             if path.startswith(home)}
    # the trace is not empty
    assert {'dovecot-uidlist', 'dovecot-keywords', 'subscriptions',
            'dovecot-roost.bundle', 'dovecot-roost.floor',
            '.Work/dovecot-roost.bundle'} <= names
    assert any(name.startswith('cur/') for name in names)
    assert not [name for name in names if not ALLOWED.fullmatch(name)]
    # beside the maildir: the user's epoch
    beside = {path[len(str(n.home('alice'))):].strip('/')
              for path in paths if not path.startswith(home)}
    assert all(re.fullmatch(r'(dovecot-roost\.epoch(\.[\w.-]+)?)?', name)
               for name in beside), beside
