# SPDX-License-Identifier: MIT
"""Nodes, Redis and clients under faults, and the faults themselves."""
import os
import shutil
import signal
import struct
import threading
import time

from agent_socket import agent_pid
from fault_clients import BROKEN, Deliverer, Mirror, Worker, abandon, look, \
    session
from fault_ledger import Account, overlaps, periods
from lab import Dovecot, LabError, Redis, wait_until

TTL = 2
CLOCK = time.CLOCK_BOOTTIME
MAIL = ('imap', 'pop3', 'lmtp')
BAD_LOG = r'Panic|[Aa]ssertion|killed with signal (?!9|15)|[Cc]orrupt|' \
          r'[Dd]uplicate|Broken file|reappeared|[Ll]eak|UIDVALIDITY changed'


class FaultyRedis(Redis):
    """Writes an append-only file, which can lose its end."""

    def __init__(self, lab):
        super().__init__(lab, options=['--appendonly', 'yes',
                                       '--appendfsync', 'always'])

    def forget(self, lost_bytes=None):
        """While it is down: it lost its last bytes, or everything."""
        folder = self.dir / 'appendonlydir'
        if lost_bytes is None:
            shutil.rmtree(folder)
            return
        for file in folder.glob('*.incr.aof'):
            os.truncate(file, max(0, file.stat().st_size - lost_bytes))


class Pages(threading.Thread):
    """Watches the lease pages: when did each boot's lease end?"""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.ending = nodes, threading.Event()
        self.deadlines = {}  # boot -> the latest that was shown
        self.dropped = {}    # boot -> when it was seen to be given up

    def run(self):
        shown = {}
        while not self.ending.wait(0.005):
            for node in self.nodes:
                try:
                    data = (node.base / 'roost-lease').read_bytes()
                    boot, deadline = struct.unpack_from('<QQ', data, 16)
                except (OSError, struct.error):
                    continue
                now = time.clock_gettime_ns(CLOCK)
                before = shown.get(node.name)
                if before not in (None, boot):
                    self.dropped.setdefault(before, now)
                shown[node.name] = boot
                if deadline:
                    self.deadlines[boot] = max(deadline,
                                               self.deadlines.get(boot, 0))
                elif boot in self.deadlines:
                    self.dropped.setdefault(boot, now)

    def ends(self):
        now = time.clock_gettime_ns(CLOCK)
        return {boot: min(deadline, self.dropped.get(boot, deadline))
                for boot, deadline in self.deadlines.items()
                if deadline <= now or boot in self.dropped}


class Site:
    """hub: fault_net.Hub. users: how many."""

    def __init__(self, lab, hub, seed, users=3, nodes=2):
        self.lab, self.hub = lab, hub
        self.accounts = [Account(f'user{n}') for n in range(users)]
        self.redis = hub.join(FaultyRedis(lab)).start()
        self.nodes = [self.node(f'n{n + 1}') for n in range(nodes)]
        self.kills = {node.name: [] for node in self.nodes}
        self.hold = threading.Event()
        self.pages = Pages(self.nodes)
        self.pages.start()
        for node in self.nodes:
            node.start()
        self.mirrors = [Mirror(self, a, f'{seed} mirror {a.user}')
                        for a in self.accounts]
        self.clients = [kind(self, a, f'{seed} {a.user}')
                        for a in self.accounts for kind in (Deliverer, Worker)]
        self.clients += self.mirrors
        self.wait_served()
        for client in self.clients:
            client.start()

    def node(self, name):
        users = {account.user: 'pw' for account in self.accounts}
        redis = f'{self.redis.address}:{self.redis.port}'
        node = Dovecot(
            self.lab, name, users=users,
            roost={'redis': redis, 'lease_ttl': f'{TTL}s',
                   'user_expire': '3s', 'pack_interval': '1s'},
            extra={'auth_failure_delay': '0', 'mail_fsync': 'always',
                   'service anvil': {
                       'unix_listener anvil-auth-penalty': {'mode': 0}}})
        return self.hub.join(node)

    # ---- what holds ------------------------------------------------------

    def served(self, node, account):
        try:
            client = session(node, account.user, timeout=30)
        except BROKEN:
            return False
        try:
            look(client, account)
            client.logout()
            return True
        except BROKEN:
            return False
        finally:
            abandon(client)

    def wait_served(self, timeout=40):
        """Every user gets in by way of every node, after leases that may
        have to end, and without waiting for a lock of a dead process."""
        for node in self.nodes:
            for account in self.accounts:
                wait_until(lambda n=node, a=account: self.served(n, a),
                           timeout, lambda n=node, a=account:
                           f'{a.user} served by way of {n.name}', 0.1)

    def problems(self):
        """Everything that is wrong so far."""
        ends, found, wrong = self.pages.ends(), [], []
        for node in self.nodes:
            log = node.log.text()
            found += periods(log, self.kills[node.name], ends)
            wrong += [f'{node.name}: {line}' for line in
                      node.log.lines(BAD_LOG)]
        wrong += overlaps(found)
        for account in self.accounts:
            wrong += account.wrong
        return wrong

    def converge(self):
        """With the clients at rest, everybody sees the same, and all of it."""
        self.wait_served()
        self.hold.set()
        for client in self.clients:
            wait_until(lambda c=client: c.idle.is_set() or not c.is_alive(),
                       60, f'{client.name} at rest')
        for account, mirror in zip(self.accounts, self.mirrors):
            views = set()
            for node in self.nodes:
                client = session(node, account.user, timeout=30)
                validity, _, view = look(client, account)
                client.logout()
                views.add((validity, frozenset(view.items())))
                mirror.check(node)
            if len(views) != 1:
                account.fail(f'seen differently: {views}')
        self.hold.clear()

    def close(self):
        self.pages.ending.set()
        for client in self.clients:
            client.ending.set()
        for client in self.clients:
            client.join(60)

    # ---- faults ----------------------------------------------------------

    def kill_node(self, node):
        node.kill()
        self.kills[node.name].append(time.clock_gettime_ns(CLOCK))

    def agent(self, node, number):
        os.kill(agent_pid(node), number)

    def stall(self, node, number):
        """Mail processes that hang, as on a store that does not answer."""
        for pid in node.processes():
            try:
                with open(f'/proc/{pid}/comm') as f:
                    name = f.read().strip()
                if name in MAIL:
                    os.kill(pid, number)
            except (OSError, ProcessLookupError):
                pass


def up(node):
    try:
        node.start()
    except LabError as error:
        raise AssertionError(f'{node.name} does not start: {error}') from error


def fault_table(site):
    """name -> (begin, end), both without arguments."""
    hub, redis = site.hub, site.redis

    def back(lost=None, keep=False):
        if not keep:
            redis.forget(lost)
        redis.start()

    table = {
        'redis killed': (redis.kill, lambda: back(keep=True)),
        'redis killed, empty': (redis.kill, back),
        'redis killed, last write lost': (redis.kill, lambda: back(40)),
        'redis killed, last writes lost': (redis.kill, lambda: back(4000)),
        'redis paused': (redis.pause, redis.resume),
        'redis wiped': (lambda: redis.call('FLUSHALL'), None),
        'nodes cut from each other':
            (lambda: hub.cut(*site.nodes[:2]), hub.heal),
        'redis cut from all': (lambda: hub.cut(redis), hub.heal),
    }
    for node in site.nodes:
        n = node.name
        table |= {
            f'{n} killed': (lambda x=node: site.kill_node(x),
                            lambda x=node: up(x)),
            f'{n} stopped': (node.stop, lambda x=node: up(x)),
            f'{n} paused': (node.pause, node.resume),
            f'{n} agent killed':
                (lambda x=node: site.agent(x, signal.SIGKILL), None),
            f'{n} agent paused':
                (lambda x=node: site.agent(x, signal.SIGSTOP),
                 node.resume),
            f'{n} cut from redis':
                (lambda x=node: hub.cut(x, redis), hub.heal),
            f'{n} cut from all': (lambda x=node: hub.cut(x), hub.heal),
            f'{n} store hangs':
                (lambda x=node: site.stall(x, signal.SIGSTOP),
                 lambda x=node: site.stall(x, signal.SIGCONT)),
        }
    return table
