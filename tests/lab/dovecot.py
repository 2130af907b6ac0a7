# SPDX-License-Identifier: MIT
"""A Dovecot node of a lab, 2.3 or 2.4, with or without Roost."""
import os
import re
import subprocess
from functools import cache

from .dovecot_conf import base_conf, render, roost_conf
from .process import Component, LabError, LogFile, greets, wait_until

IMAP_PORT, POP3_PORT, LMTP_PORT = 10143, 10110, 10024


@cache
def dovecot_version():
    """As (2, 3, 19)."""
    text = subprocess.run(['dovecot', '--version'], check=True, text=True,
                          capture_output=True).stdout
    return tuple(int(n) for n in re.match(r'(\d+)\.(\d+)\.(\d+)', text)
                 .groups())


class Dovecot(Component):
    """users: name -> password. roost: None for plain Dovecot, else a dict of
    Roost's settings without roost_ ({} for a cluster of one). extra: more settings, nested dicts
    by block name, merged over the generated ones. index: folder for the
    indexes (plain Dovecot); store: the mail store, shared by default."""

    imap_port, pop3_port, lmtp_port = IMAP_PORT, POP3_PORT, LMTP_PORT
    start_timeout = 30

    def __init__(self, lab, name='n1', host=None, users=None, roost=None,
                 extra=None, index=None, store=None):
        super().__init__(lab, name)
        self.address = lab.address(
            host or 1 + sum(isinstance(c, Dovecot) for c in lab.components
                            if c is not self))
        self.users = dict(users or {})
        self.roost, self.extra = roost, extra or {}
        self.index, self.store = index, store or lab.store
        self.base = self.dir / 'base'
        self.conf = self.dir / 'dovecot.conf'
        self.passwd = self.dir / 'passwd'
        self.log = LogFile(self.dir / 'log')
        self.version = dovecot_version()

    def prepare(self):
        for folder in (self.base, self.dir / 'state'):
            folder.mkdir()
        # processes that dropped privileges reopen it
        self.log.path.touch(mode=0o666)
        self.write_users()
        self.write_conf()
        if self.roost is not None:
            (self.dir / 'index').mkdir()
            (self.dir / 'index').chmod(0o1777)
            self.mounts = self.lab.dovecot_view()

    def write_users(self):
        self.passwd.write_text(''.join(
            f'{user}:{{PLAIN}}{password}::::::\n'
            for user, password in self.users.items()))

    def write_conf(self):
        conf = base_conf(self)
        if self.roost is not None:
            _merge(conf, roost_conf(self, self.roost))
        _merge(conf, self.extra)
        self.conf.write_text(render(conf))

    def command(self):
        return ['dovecot', '-F', '-c', self.conf]

    def is_ready(self):
        return all(greets(self.address, port) for port in
                   (self.imap_port, self.pop3_port, self.lmtp_port))

    def start(self):
        # a killed master leaves this, and its number may be in use again
        (self.base / 'master.pid').unlink(missing_ok=True)
        return super().start()

    def doveadm(self, *args, check=True, timeout=30):
        """Runs doveadm against this node; returns the CompletedProcess."""
        return self.run('doveadm', '-c', self.conf, *args, check=check,
                        timeout=timeout)

    def home(self, user):
        return self.store / user

    def wait_no_sessions(self, timeout=10):
        """Until no client's session is left (an idle lmtp process stays)."""
        wait_until(lambda: not self._mail_processes(), timeout,
                   lambda: f'{self.name} without sessions\n{self.log.tail()}')

    def _mail_processes(self):
        names = ('imap', 'pop3', 'imap-hibernate')
        return [pid for pid in self.processes() if _comm(pid) in names]


def _comm(pid):
    try:
        with open(f'/proc/{pid}/comm') as f:
            return f.read().strip()
    except OSError:
        return None


def _merge(conf, more):
    """Settings of more win; blocks are merged, None removes."""
    for key, value in more.items():
        if value is None:
            conf.pop(key, None)
        elif isinstance(value, dict) and isinstance(conf.get(key), dict):
            _merge(conf[key], value)
        else:
            conf[key] = value
