# SPDX-License-Identifier: MIT
"""A network that can be cut: this process moves into a network namespace of
its own (the hub, where the clients are), and each server gets one, too. The
hub routes between them; a cut is a routing rule that swallows packets.
Everything is nameless, so that nothing is left when the processes end."""
import ctypes
import itertools
import os
import subprocess

from lab import Component, LabError

CLONE_NEWNET = 0x40000000
HUB = 254
NET = '10.77.0'
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _ip(command, inside=None):
    enter = ['nsenter', f'--net=/proc/{inside}/ns/net'] if inside else []
    done = subprocess.run([*enter, 'ip', *command.split()], text=True,
                          check=False, capture_output=True)
    if done.returncode != 0:
        raise LabError(f'ip {command}: {done.stderr}')


class Hub:
    """As a context manager; the lab's servers are made inside it."""

    def __init__(self, lab):
        self.lab = lab
        self.cuts = {}  # rule -> its number: names alone are ambiguous
        self._numbers = itertools.count()

    def __enter__(self):
        self._before = open('/proc/thread-self/ns/net', 'rb')
        _check(_libc.unshare(CLONE_NEWNET))
        self.lab.net = NET
        _ip('link set lo up')
        _ip(f'addr add {self.lab.address(HUB)}/32 dev lo')
        # shows the namespace of who opens it
        with open('/proc/sys/net/ipv4/ip_forward', 'w') as f:
            f.write('1')
        return self

    def __exit__(self, *_):
        _check(_libc.setns(self._before.fileno(), CLONE_NEWNET))
        self._before.close()

    def join(self, component):
        """Gives the component (not started yet) a namespace."""
        holder = _Holder(self.lab, f'net-{component.name}').start()
        number = next(self._numbers)
        outer, hub = f'v{number}', self.lab.address(HUB)
        _ip(f'link add {outer} type veth peer name eth0 netns {holder.pid}')
        _ip(f'link set {outer} up')
        _ip(f'addr add {hub}/32 dev {outer}')
        for command in ('link set lo up', 'link set eth0 up',
                        f'addr add {component.address}/32 dev eth0',
                        f'route add {hub} dev eth0',
                        f'route add default via {hub} dev eth0'):
            _ip(command, holder.pid)
        _ip(f'route add {component.address} dev {outer} src {hub}')
        plain = component.inside
        component.inside = lambda argv, user=None: [
            'nsenter', f'--net=/proc/{holder.pid}/ns/net',
            *plain(argv, user)]
        return component

    def cut(self, one, other=None):
        """No packet passes between the two, or between one and all."""
        if other:
            rules = [f'from {one.address} to {other.address}',
                     f'from {other.address} to {one.address}']
        else:
            rules = [f'from {one.address}', f'to {one.address}']
        for rule in rules:
            if rule not in self.cuts:
                self.cuts[rule] = 1000 + next(self._numbers)
                _ip(f'rule add pref {self.cuts[rule]} {rule} blackhole')

    def heal(self):
        """Ends every cut."""
        while self.cuts:
            _ip(f'rule del pref {self.cuts.popitem()[1]}')


class _Holder(Component):
    """A process that keeps a network namespace."""
    stop_timeout = 2

    def inside(self, argv, user=None):
        return ['unshare', '-n', '-m', '--propagation', 'private', *argv]

    def command(self):
        return ['sleep', 'infinity']

    def is_ready(self):
        return os.readlink(f'/proc/{self.pid}/ns/net') != \
            os.readlink('/proc/thread-self/ns/net')
