# SPDX-License-Identifier: MIT
"""A shared folder is opened by the node that holds its owner, and by no
other."""
import pytest

from agent_socket import call
from cluster import (NEW, PASSWORD, clean, cluster, owner_of, place, plugins,
                     release, spread)
from lab import imap, lmtp_send, message, wait_until

USERS = [f'user{n}@{d}.example' for n in range(4) for d in 'ab']
SHARED = {'namespace shared': {
    'type': 'shared', 'separator': '/', 'subscriptions': False,
    'list': 'children'} | (
    {'prefix': 'shared/$user/', 'mail_driver': 'maildir',
     'mail_path': '%{owner_home}/Maildir'} if NEW else
    {'prefix': 'shared/%%u/', 'location': 'maildir:%%h/Maildir'})}
# a user's process must find other users' homes
LOOKUP = {'service auth': {'unix_listener auth-userdb': {'mode': '0777'}}}
ACL = {'acl_driver': 'vfile'} if NEW else {'plugin': {'acl': 'vfile'}}


@pytest.fixture
def nodes(lab, request):
    running = cluster(lab, USERS, SHARED | ACL | LOOKUP |
                      plugins('roost', 'acl'),
                      **getattr(request, 'param', {}))
    yield running
    clean(running)


def share(nodes, owner, friend):
    """Mail for the owner, and everything in INBOX for the friend."""
    lmtp_send(nodes[0], 'x@example.org', owner)
    maildir = nodes[0].home(owner) / 'Maildir'
    acl = maildir / 'dovecot-acl'
    acl.write_text(f'user={friend} lrwstipekxa\n')
    acl.chmod(0o644)
    return f'shared/{owner}'


def opened(node, user):
    return node.log.lines(f'roost_user_opened user={user} ')


def test_refused_while_another_node_holds_the_owner(nodes):
    (here, alice), (there, bob) = spread(nodes, USERS)
    folder = share(nodes, bob, alice)
    before = len(opened(here, bob))
    with imap(there, bob, PASSWORD) as owner, \
            imap(here, alice, PASSWORD) as friend:
        owner.ok('select')
        for command in (f'SELECT {folder}', f'STATUS {folder} (MESSAGES)',
                        f'COPY 1 {folder}', f'SETACL {folder} x lr',
                        f'DELETE {folder}/x', f'CREATE {folder}/x'):
            if command.startswith('COPY'):
                friend.ok('append', 'INBOX', None, None, message('a@b', 'c@d'))
                friend.ok('select')
            status, _ = friend.raw(command)
            assert status != 'OK', command
        status, lines = friend.raw(f'SELECT {folder}')
        assert status == 'NO'
        assert friend.ok('select')
        assert friend.raw('LIST "" *')[0] == 'OK'
    here.log.wait_for(f'roost-agent refuses: .*owner')
    assert len(opened(here, bob)) == before
    # free again: opened here, and its owner is led here
    release(there, bob)
    with imap(here, alice, PASSWORD) as friend:
        friend.ok('select', folder)
        here.log.wait_for(f'roost_user_opened user={bob} ')
        with imap(there, bob, PASSWORD) as owner:
            assert owner.status_items()['MESSAGES'] == 1
        assert owner_of(nodes, bob)[0] is here
        friend.ok('store', '1', '+FLAGS', r'(\Flagged)')
    with imap(here, bob, PASSWORD) as owner:
        owner.ok('select')
        assert b'Flagged' in owner.ok('fetch', '1', '(FLAGS)')[0]


def test_refusal_is_temporary_and_ends(nodes):
    (here, alice), (there, bob) = spread(nodes, USERS)
    folder = share(nodes, bob, alice)
    with imap(here, alice, PASSWORD) as friend:
        friend.send(b'x1 SELECT ' + folder.encode() + b'\r\n')
        assert b'x1 NO [UNAVAILABLE]' in friend.readline()
        release(there, bob)
        friend.ok('select', folder)  # in the same session


def test_nobody_is_pinned_by_trying_names(nodes):
    owner, _ = place(nodes, USERS[0])
    with imap(owner, USERS[0], PASSWORD) as client:
        for name in ('nobody', 'x%y', 'a' * 400):
            assert client.raw(f'SELECT shared/{name}')[0] == 'NO'
    assert int(call(owner, 'admin', 'STATUS').keys['users']) <= 1
    assert not owner.log.lines('roost_user_opened user=(nobody|x%y|aa)')


@pytest.mark.parametrize('nodes', [{'user_key': 'domain'}], indirect=True)
def test_a_domain_is_pinned_together(nodes):
    """So users who share are always on one node."""
    alice, bob = [user for user in USERS if user.endswith('@a.example')][:2]
    owner, other = place(nodes, alice)
    folder = share(nodes, bob, alice)
    assert owner_of(nodes, bob)[0] is owner
    for node in (other, owner):
        with imap(node, alice, PASSWORD) as friend, \
                imap(other, bob, PASSWORD):
            friend.ok('select', folder)
    assert opened(owner, bob) and not opened(other, bob)
    # a user of it keeps the domain here
    with imap(other, bob, PASSWORD):
        assert call(owner, 'admin', 'RELEASE', alice).code == 'refs'


def public(lab):
    return {'namespace public': {
        'type': 'public', 'separator': '/', 'prefix': 'public/',
        'subscriptions': False} | (
        {'mail_driver': 'maildir', 'mail_path': lab.store / 'public'} if NEW
        else {'location': f'maildir:{lab.store}/public'})}


def test_folder_without_owner_is_opened_by_one_node(lab):
    nodes = cluster(lab, USERS, public(lab), user_expire='1s')
    (here, alice), (there, bob) = spread(nodes, USERS)
    name = f'public:{lab.store}/public'
    with imap(there, bob, PASSWORD) as first, \
            imap(here, alice, PASSWORD) as second:
        first.ok('create', 'public/news')
        first.ok('append', 'public/news', None, None, message('a@b', 'c@d'))
        for command in ('SELECT public/news', 'CREATE public/more',
                        'STATUS public/news (MESSAGES)'):
            assert second.raw(command)[0] == 'NO', command
        assert second.ok('select') and second.raw('LIST "" *')[0] == 'OK'
        assert not opened(here, name) and len(opened(there, name)) == 1
        here.log.wait_for('roost_public_refused: public:.*owner')
        first.logout()
        wait_until(lambda: second.raw('SELECT public/news')[0] == 'OK', 10,
                   'the folder here')
        assert second.ok('fetch', '1', '(FLAGS)')[0]
    assert len(opened(here, name)) == 1
    clean(nodes)
