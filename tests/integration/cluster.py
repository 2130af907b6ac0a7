# SPDX-License-Identifier: MIT
"""Two nodes on one store and one Redis, and who is on which of them."""
import re

from agent_socket import call
from lab import Dovecot, Redis, imap, wait_until
from lab.dovecot import dovecot_version

NEW = dovecot_version() >= (2, 4)
LOGIN = r'imap-login: Info: ' + ('Logged in' if NEW else 'Login')
PASSWORD = 'secret-of-all'
ANVIL = {'auth_failure_delay': '0',
         'service anvil': {'unix_listener anvil-auth-penalty': {'mode': 0}}}


def plugins(*names):
    """mail_plugins of either release."""
    return {'mail_plugins': {name: True for name in names} if NEW else
            ' '.join(names)}


def cluster(lab, users, extra=None, names=('n1', 'n2'), **settings):
    """Starts the nodes; returns when all serve."""
    redis = Redis(lab).start()
    nodes = [Dovecot(lab, name, users=dict.fromkeys(users, PASSWORD),
                     extra=ANVIL | (extra or {}),
                     roost={'redis': f'{redis.address}:{redis.port}',
                            'lease_ttl': '2s'} | settings)
             for name in names]
    for node in nodes:
        node.start()
    for node in nodes:
        wait_until(lambda n=node: can_login(n, users[0]), 15,
                   f'{node.name} to serve')
    return nodes


def clean(nodes):
    """Ends them; no process crashed, no password was logged."""
    for node in nodes:
        if node.processes():
            node.stop()
        log = node.log.text()
        assert not re.findall(r'.*(?:killed with signal (?!9|15)|Panic|[Aa]ssert'
                              r'|pass field).*', log)
        assert 'secret-of-' not in log


def can_login(node, user):
    try:
        with imap(node, user, PASSWORD) as client:
            client.ok('noop')
    except (imap.error, OSError):
        return False
    return True


def owner_of(nodes, user):
    """(owner, other) of a user who has just logged in."""
    reply = call(nodes[0], 'admin', 'STATUS', user)
    assert 'pinned' in reply.keys, reply.keys
    return sorted(nodes, key=lambda node: node.name != reply.owner)


def place(nodes, user):
    """Logs the user in; returns (owner, other)."""
    assert can_login(nodes[0], user)
    return owner_of(nodes, user)


def spread(nodes, users):
    """One user of each node: [(node, user), …]."""
    found = {}
    for user in users:
        found.setdefault(place(nodes, user)[0].name, user)
        if len(found) == 2:
            return [(node, found[node.name]) for node in nodes]
    raise AssertionError('placement gave every user to one node')


def release(node, user):
    """Gives up the pin, once the last session has ended, and waits until
    Redis has done it: the agent answers before that."""
    wait_until(lambda: call(node, 'admin', 'RELEASE', user).ok, 10,
               f'release of {user}')
    wait_until(lambda: 'pinned' not in
               call(node, 'admin', 'LOOKUP', user, 'imap').keys, 10,
               f'{user} without a pin')
