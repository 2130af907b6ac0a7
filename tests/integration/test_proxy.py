# SPDX-License-Identifier: MIT
"""A user is served by one node, whichever node the client came to."""
import poplib
import re
import smtplib
import socket

import pytest

from lab import Dovecot, Redis, imap, lmtp_send, wait_until
from lab.dovecot import dovecot_version

NEW = dovecot_version() >= (2, 4)
LOGIN = r'imap-login: Info: ' + ('Logged in' if NEW else 'Login')
USERS = {f'user{n}': f'secret-of-{n}' for n in range(6)}
EXTRA = {'auth_cache_size': '10M', 'auth_failure_delay': '0',
         'auth_mechanisms': 'plain login cram-md5',
         'service anvil': {'unix_listener anvil-auth-penalty': {'mode': 0}}}


@pytest.fixture
def nodes(lab):
    """Two nodes on one store; the logs are clean at the end."""
    redis = Redis(lab).start()
    running = [Dovecot(lab, name, users=USERS, extra=EXTRA,
                       roost={'redis': f'{redis.address}:{redis.port}',
                              'lease_ttl': '3s'})
               for name in ('n1', 'n2')]
    for node in running:
        node.start()
    for node in running:  # both hold their lease and know the other
        wait_until(lambda n=node: serves(n), 15, f'{node.name} to serve')
    yield running
    for node in running:
        if node.processes():
            node.stop()  # so that auth's end is seen, too
        log = node.log.text()
        assert not re.findall(r'.*(?:killed with signal (?!9|15)|Panic|[Aa]ssert'
                              r'|pass field).*', log)
        assert 'secret-of-' not in log


def serves(node):
    try:
        login(node, 'user0')
    except imap.error:
        return False
    return True


def login(node, user, kind=imap):
    with kind(node, user, USERS[user]) as client:
        assert client.ok('noop')


def place(nodes, user):
    """Logs the user in; returns (owner, other)."""
    marks = [node.log.mark() for node in nodes]
    login(nodes[0], user)
    owners = [node for node, mark in zip(nodes, marks)
              if node.log.lines(f'{LOGIN}.*{user}', since=mark)]
    assert len(owners) == 1
    return owners[0], nodes[nodes[0] is owners[0]]


def spread(nodes):
    """A user of each node: {node: user}."""
    owners = {}
    for user in USERS:
        owners.setdefault(place(nodes, user)[0], user)
    assert len(owners) == 2, 'placement gave every user to one node'
    return owners


def test_both_nodes_lead_to_the_owner_and_keep_the_address(nodes):
    for owner, user in spread(nodes).items():
        other = nodes[nodes[0] is owner]
        for node in (other, owner, other):
            mark, passed = owner.log.mark(), other.log.mark()
            login(node, user)
            line, = owner.log.lines(f'{LOGIN}.*{user}', since=mark)
            assert f'rip={node.lab.address(100)},' in line
            assert not other.log.lines(f'{LOGIN}.*{user}', since=passed)


def test_wrong_password_is_refused_by_the_first_node(nodes):
    owner, other = place(nodes, 'user1')
    mark = owner.log.mark()
    for user in ('user1', 'nouser'):
        with pytest.raises(imap.error, match='AUTHENTICATIONFAILED'):
            imap(other, user, 'wrong')
    assert not owner.log.lines('imap-login.*(user1|nouser)', since=mark)


def test_pop3_is_proxied(nodes):
    owner, other = place(nodes, 'user1')
    lmtp_send(owner, 'x@example.org', 'user1')
    for node in (owner, other):
        client = poplib.POP3(node.address, node.pop3_port, 15)
        client.user('user1')
        client.pass_(USERS['user1'])
        assert client.stat()[0] == 1
        client.quit()
    assert len(owner.log.lines('pop3-login.*(Login|Logged in):.*user1')) == 2
    assert not other.log.lines('pop3-login.*(Login|Logged in):.*user1')


def test_mail_through_the_wrong_node_lands_once(nodes):
    for owner, user in spread(nodes).items():
        other = nodes[nodes[0] is owner]
        lmtp_send(other, 'x@example.org', user)
        lmtp_send(owner, 'x@example.org', user)
        with imap(owner, user, USERS[user]) as client:
            assert client.status_items()['MESSAGES'] == 2
        saved = f'lmtp.{user}.*saved mail to INBOX'
        assert len(owner.log.lines(saved)) == 2
        assert not other.log.lines(saved)


def test_unknown_recipient_is_refused_for_good(nodes):
    for node in nodes:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            lmtp_send(node, 'x@example.org', 'nouser')
        assert refused.value.recipients['nouser'][0] == 550


def test_lookup_on_either_node_shows_no_password(nodes):
    owner, other = place(nodes, 'user1')
    for node in nodes:
        text = node.doveadm('auth', 'lookup', 'user1').stdout
        assert 'secret' not in text and 'pass ' not in text
        assert ('proxy' in text) == (node is other)
        assert node.doveadm('auth', 'lookup', 'nouser',
                            check=False).returncode == 67
    assert owner.address in other.doveadm('auth', 'lookup', 'user1').stdout


def test_master_user_is_proxied(nodes, lab):
    passwd = lab.dir / 'masters'
    passwd.write_text('chief:{PLAIN}secret-of-chief::::::\n')
    # the master passdb, last in the file as a site may have it
    text = '\npassdb%s {\n  driver = passwd-file\n  %s = %s\n' \
           '  master = yes\n}\nauth_master_user_separator = *\n' % \
           ((' masters', 'passwd_file_path', passwd) if NEW else
            ('', 'args', passwd))
    owner, other = place(nodes, 'user1')
    for node in nodes:
        node.conf.write_text(node.conf.read_text() + text)
        node.doveadm('reload')

    def works(node):
        try:
            with imap(node, 'user1*chief', 'secret-of-chief') as client:
                return client.ok('noop')
        except imap.error:
            return False  # not reloaded yet
    for node in (owner, other):
        wait_until(lambda n=node: works(n), 15, 'master login')
    other.log.wait_for('proxy.user1')
    with pytest.raises(imap.error, match='AUTHENTICATIONFAILED'):
        imap(other, 'user1*chief', 'wrong')


class Cram(imap):
    def login(self, user, password):
        return self.login_cram_md5(user, password)


def test_challenge_mechanism_is_refused_on_the_wrong_node(nodes):
    """It shows no password that could be passed on; and 2.3's login process
    crashes on a proxy answer without one."""
    owner, other = place(nodes, 'user1')
    login(owner, 'user1', Cram)
    for _ in range(4):
        with pytest.raises(imap.error, match='UNAVAILABLE'):
            login(other, 'user1', Cram)
    other.log.wait_for('a CRAM-MD5 login cannot be proxied')
    login(other, 'user1')


def test_proxied_session_is_never_proxied_again(nodes, lab):
    """A node that another one takes for the owner, and is not."""
    owner, other = place(nodes, 'user1')

    class Peer(imap):
        def login(self, user, password):
            self.ok('xatom', 'ID', '("x-session-id" "loop" '
                    '"x-forward-roost_hop" "n9")')
            return super().login(user, password)

        def _create_socket(self, timeout):
            return socket.create_connection((self.host, self.port), timeout,
                                            (owner.address, 0))
    mark = other.log.mark()
    with pytest.raises(imap.error, match='UNAVAILABLE'):
        Peer(other, 'user1', USERS['user1'])
    other.log.wait_for('temporary failure', since=mark)
    assert not other.log.lines('Started proxying', since=mark)
    Peer(owner, 'user1', USERS['user1']).logout()


def test_proxied_mail_is_never_proxied_again(nodes, lab):
    owner, other = place(nodes, 'user1')
    hop = 'roost_hop+3Dn9'  # xtext (RFC 3461)
    for node, answer in ((other, 451), (owner, 250)):
        with smtplib.LMTP(node.address, node.lmtp_port, 'peer.test',
                          (owner.address, 0), timeout=15) as peer:
            peer.ehlo()
            peer.mail('x@example.org')
            assert peer.rcpt('user1', [f'XRCPTFORWARD={hop}'])[0] == answer
    other.log.wait_for('temporary failure: proxied here by n9')


def test_stranger_cannot_forge_the_hop(nodes):
    owner, other = place(nodes, 'user1')

    class Stranger(imap):
        def login(self, user, password):
            self.ok('xatom', 'ID', '("x-forward-roost_hop" "n9")')
            return super().login(user, password)
    Stranger(other, 'user1', USERS['user1']).logout()
    owner.log.wait_for(f'{LOGIN}.*user1')


def test_dead_owner_is_followed_although_the_password_is_cached(nodes):
    owner, other = place(nodes, 'user1')
    login(other, 'user1')
    owner.kill()

    def works():
        try:
            login(other, 'user1')
        except (imap.error, OSError):
            return False
        return True
    wait_until(works, 40, 'user1 on the other node', interval=0.2)
    other.log.wait_for(f'{LOGIN}.*user1')
    lmtp_send(other, 'x@example.org', 'user1')
