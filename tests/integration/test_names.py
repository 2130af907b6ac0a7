# SPDX-License-Identifier: MIT
"""User names that nobody should have: a clear answer, and nothing breaks."""
import pytest

from agent_socket import agent_pid
from cluster import NEW, PASSWORD, can_login, clean, cluster, owner_of
from lab import imap, lmtp_send

# what an unusual site may have; no colon: passwd-file
GOOD = ['plain', 'per%cent%u', 'grün', 'a b', '{3}', 'x' * 200]
BAD = ['tab\tname', 'line\nfeed', '\x01t', 'nul\0name', 'x' * 513,
       '\xff\xfe', '../../etc', '%{home}' * 20]
ANY = {'auth_username_chars': '', 'auth_mechanisms': 'plain'}
# whatever name is verified here
STATIC = {'passdb static': {'password': PASSWORD}} if NEW else \
    {'passdb#static': {'driver': 'static', 'args': f'password={PASSWORD}'}}


class raw(imap):
    """AUTHENTICATE PLAIN with any bytes in the name."""

    def login(self, user, password):
        name = user.encode('latin-1' if '\xff' in user else 'utf-8')
        self.authenticate('PLAIN', lambda _: b'\0' + name + b'\0' +
                          password.encode())


@pytest.fixture
def nodes(lab, request):
    running = cluster(lab, GOOD, ANY | getattr(request, 'param', {}))
    yield running
    clean(running)


def agents(nodes):
    return [agent_pid(node) for node in nodes]


def test_unusual_names_are_served_by_one_node(nodes):
    for name in GOOD[1:]:
        with raw(nodes[0], name, PASSWORD) as client:
            client.ok('select')
        owner, other = owner_of(nodes, name)
        with raw(other, name, PASSWORD) as client:
            client.ok('noop')
        assert owner_of(nodes, name) == [owner, other]


@pytest.mark.parametrize('nodes', [STATIC], indirect=True)
def test_hostile_names_open_nothing_and_break_nothing(nodes):
    before = agents(nodes)
    for number, name in enumerate(BAD):
        with pytest.raises((imap.error, OSError)):
            with raw(nodes[number % 2], name, PASSWORD) as client:
                client.ok('select')
    for name in ('x' * 513, '%{home}', 'a b'):
        with pytest.raises(Exception):
            lmtp_send(nodes[0], 'x@example.org', name)
    assert agents(nodes) == before
    for node in nodes:
        assert can_login(node, 'plain')
    assert not list(nodes[0].store.glob('**/etc'))
