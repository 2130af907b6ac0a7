# SPDX-License-Identifier: MIT
"""Every way into a mailbox: on the owner it is served, on another node it is
led to the owner or refused, and opens nothing."""
import base64
import re
import socket

import pytest

from agent_socket import call
from cluster import (NEW, PASSWORD, clean, cluster, place, plugins, release,
                     spread)
from lab import imap, lmtp_send, message, wait_until

USERS = [f'user{n}' for n in range(6)]
SIEVE, DOVEADM, QUOTA = 14190, 14245, 14340
TEMPFAIL = 75
SCRIPT = 'require "fileinto";\r\nfileinto "filed";\r\n'


def listener(name, port):
    return {f'inet_listener {name}': {'port': port}}


def ways():
    conf = {
        'protocols': 'imap pop3 lmtp sieve',
        'service managesieve-login': listener('sieve', SIEVE),
        'service quota-status': {'executable': 'quota-status -p postfix',
                                 'client_limit': 1,
                                 **listener('policy', QUOTA)},
        'service doveadm': listener('tcp', DOVEADM),
        'doveadm_password': 'secret-of-doveadm',
        # a doveadm server that serves users asks for them, too
        'service auth': {'unix_listener auth-userdb': {'mode': '0777'}},
        'lda_mailbox_autocreate': True,
        'imap_hibernate_timeout': '1s',
        'service imap': {'unix_listener imap-master': {'mode': '0666'}},
        'service imap-hibernate': {
            'unix_listener imap-hibernate': {'mode': '0666'}},
    }
    if NEW:
        conf |= {'quota user': {'quota_storage_size': '1G'},
                 'sieve_script personal': {
                     'driver': 'file', 'path': '~/sieve',
                     'active_path': '~/.dovecot.sieve'},
                 'protocol lda': plugins('sieve'),
                 'protocol lmtp': plugins('sieve')}
        return conf | plugins('roost', 'quota')
    both = plugins('roost', 'quota', 'sieve')
    return conf | {'plugin': {'quota': 'maildir:User quota',
                              'quota_rule': '*:storage=1G',
                              'quota_status_success': 'DUNNO',
                              'sieve': 'file:~/sieve;active=~/.dovecot.sieve'},
                   'protocol lda': both, 'protocol lmtp': both,
                   } | plugins('roost', 'quota')


@pytest.fixture
def nodes(lab, request):
    from lab.dovecot import IMAP_PORT, LMTP_PORT, POP3_PORT
    running = cluster(
        lab, USERS, ways() | getattr(request, 'param', {}),
        node_ports=f'imap:{IMAP_PORT} pop3:{POP3_PORT} lmtp:{LMTP_PORT} '
                   f'sieve:{SIEVE} doveadm:{DOVEADM}')
    yield running
    clean(running)


def opens(node, user):
    return len(node.log.lines(f'roost_user_opened user={user} '))


def tool(node, *args):
    """Runs a program as the node sees it; returns exit status, output."""
    done = node.run(*args, check=False, timeout=40)
    return done.returncode, done.stdout + done.stderr


class Sieve:
    """A ManageSieve session (RFC 5804)."""

    def __init__(self, node, user):
        self.socket = socket.create_connection(
            (node.address, SIEVE), 15, (node.lab.address(100), 0))
        self.stream = self.socket.makefile('rwb')
        self.answer()
        secret = base64.b64encode(f'\0{user}\0{PASSWORD}'.encode()).decode()
        self.command(f'AUTHENTICATE "PLAIN" "{secret}"')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def answer(self):
        while True:
            line = self.stream.readline()
            if line[:2] in (b'OK', b'NO') or line[:3] == b'BYE' or not line:
                assert line[:2] == b'OK', line
                return

    def command(self, line):
        self.stream.write(line.encode() + b'\r\n')
        self.stream.flush()
        self.answer()


def test_managesieve_is_led_to_the_owner(nodes):
    owner, other = place(nodes, 'user0')
    for node in (other, owner):
        with Sieve(node, 'user0') as client:
            client.command(f'PUTSCRIPT "s" {{{len(SCRIPT)}+}}\r\n{SCRIPT}')
            client.command('SETACTIVE "s"')
    assert not opens(other, 'user0')
    lmtp_send(other, 'x@example.org', 'user0')
    with imap(owner, 'user0', PASSWORD) as client:
        assert client.status_items('filed')['MESSAGES'] == 1


def test_local_delivery_on_the_owner_alone(nodes):
    """dovecot-lda, and the sieve script that it runs."""
    owner, other = place(nodes, 'user0')
    with Sieve(owner, 'user0') as client:
        client.command(f'PUTSCRIPT "s" {{{len(SCRIPT)}+}}\r\n{SCRIPT}')
        client.command('SETACTIVE "s"')
    before = opens(other, 'user0')
    for node, expected in ((owner, 0), (other, TEMPFAIL)):
        mail = node.dir / 'mail'
        mail.write_bytes(message('a@example.org', 'user0@example.org'))
        status, text = tool(node, 'sh', '-c', '/usr/lib/dovecot/dovecot-lda '
                            f'-c {node.conf} -d user0 < {mail}')
        assert status == expected, text
    assert opens(other, 'user0') == before
    with imap(owner, 'user0', PASSWORD) as client:
        assert client.status_items('filed')['MESSAGES'] == 1


COMMANDS = [['mailbox', 'status', '-u', 'user0', 'messages', 'INBOX'],
            ['fetch', '-u', 'user0', 'uid', 'all'],
            ['expunge', '-u', 'user0', 'mailbox', 'INBOX', 'all'],
            ['index', '-u', 'user0', 'INBOX'],
            ['force-resync', '-u', 'user0', 'INBOX'],
            ['quota', 'recalc', '-u', 'user0'],
            ['backup', '-u', 'user0', 'maildir:{dir}/index/copy']]


def test_doveadm_on_the_wrong_node_is_refused(nodes):
    owner, other = place(nodes, 'user0')
    lmtp_send(owner, 'x@example.org', 'user0')
    before = opens(other, 'user0')
    for command in COMMANDS:
        command = [word.format(dir=other.dir) for word in command]
        status, text = tool(other, 'doveadm', '-c', other.conf, *command)
        assert status == TEMPFAIL, (command, text)
        assert 'roost-agent refuses' in text
    assert opens(other, 'user0') == before
    with imap(owner, 'user0', PASSWORD) as client:
        assert client.status_items()['MESSAGES'] == 1
    for command in COMMANDS:
        command = [word.format(dir=owner.dir) for word in command]
        status, text = tool(owner, 'doveadm', '-c', owner.conf, *command)
        assert status == 0, f'{command} {text}'
    # -A: the users of this node are served, the others named
    spread(nodes, USERS)
    _, text = tool(other, 'doveadm', '-c', other.conf, 'mailbox', 'list',
                   '-A')
    assert 'user0): Error: User init failed: roost: roost-agent refuses' \
        in text or re.search('user0.*roost-agent refuses', text), text
    assert opens(other, 'user0') == before
    assert re.search('^user[1-5] INBOX', text, re.M)


@pytest.mark.parametrize('nodes', [{'doveadm_port': DOVEADM}], indirect=True)
def test_doveadm_is_led_to_the_owner(nodes):
    owner, other = place(nodes, 'user0')
    lmtp_send(owner, 'x@example.org', 'user0')
    spread(nodes, USERS)
    before = opens(other, 'user0')
    for node in nodes:
        status, text = tool(node, 'doveadm', '-c', node.conf, 'mailbox',
                            'status', '-u', 'user0', 'messages', 'INBOX')
        assert status == 0 and 'messages=1' in text, text
        status, text = tool(node, 'doveadm', '-c', node.conf, 'mailbox',
                            'status', '-A', 'messages', 'INBOX')
        assert status == 0, text
    assert opens(other, 'user0') == before
    for user in USERS:
        assert len([node for node in nodes if opens(node, user)]) == 1, user


def quota_answer(node, user):
    with socket.create_connection((node.address, QUOTA), 15) as client:
        client.sendall(f'request=smtpd_access_policy\nrecipient={user}\n'
                       'size=100\n\n'.encode())
        return client.recv(1000).decode()


def test_quota_status_opens_nothing_on_the_wrong_node(nodes):
    owner, other = place(nodes, 'user0')
    before = opens(other, 'user0')
    assert re.search('action=(DUNNO|OK)', quota_answer(owner, 'user0'))
    assert 'action=DEFER' in quota_answer(other, 'user0')
    assert opens(other, 'user0') == before


def test_indexer_works_for_the_owner_alone(nodes):
    """doveadm index -q: the indexer-worker opens the mailbox."""
    owner, other = place(nodes, 'user0')
    lmtp_send(owner, 'x@example.org', 'user0')
    for node in (owner, other):
        tool(node, 'doveadm', '-c', node.conf, 'index', '-q', '-u', 'user0',
             'INBOX')
    owner.log.wait_for(r'indexer-worker.*roost_user_opened user=user0 ')
    other.log.wait_for('OPEN of user user0 refused')
    assert not other.log.lines(r'indexer-worker.*roost_user_opened')


def named(node, name):
    """The processes of that name."""
    found = []
    for pid in node.processes():
        try:
            with open(f'/proc/{pid}/comm') as f:
                if f.read() == f'{name}\n':
                    found.append(pid)
        except OSError:
            pass
    return found


def test_hibernated_session_comes_back(nodes):
    owner, other = place(nodes, 'user0')
    with imap(other, 'user0', PASSWORD) as client:
        client.ok('select')
        client.send(b'x1 IDLE\r\n')
        assert client.readline().startswith(b'+')
        wait_until(lambda: not named(owner, 'imap'), 15, 'hibernation')
        lmtp_send(other, 'x@example.org', 'user0')
        assert b'EXISTS' in client.readline()
        client.send(b'DONE\r\n')
        while not client.readline().startswith(b'x1 OK'):
            pass
        assert client.ok('noop')
    assert not opens(other, 'user0')


def test_hibernated_session_of_a_user_who_moved_ends(nodes):
    owner, other = place(nodes, 'user0')
    client = imap(owner, 'user0', PASSWORD)
    client.ok('select')
    client.send(b'x1 IDLE\r\n')
    assert client.readline().startswith(b'+')
    wait_until(lambda: not named(owner, 'imap'), 15, 'hibernation')
    release(owner, 'user0')
    assert call(other, '', 'OPEN', 'user0', 'imap', '1').ok
    before = opens(owner, 'user0')
    client.send(b'DONE\r\nx2 NOOP\r\n')
    answer = client.file.read()  # until the node hangs up
    assert b'x2 OK' not in answer
    client.shutdown()
    assert opens(owner, 'user0') == before
    owner.log.wait_for('OPEN of user user0 refused')
