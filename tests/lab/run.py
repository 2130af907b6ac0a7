# SPDX-License-Identifier: MIT
"""One run of the lab: a private directory, a private loopback /24, and the
promise that nothing of it is left behind."""
import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from .build import Build
from .process import LabError, become_subreaper, reap_orphans

MAIL_UID = 5000  # owns the mail store; needs no passwd entry


class Lab:
    def __init__(self):
        if os.geteuid() != 0:
            raise LabError('the lab needs root: Dovecot and Postfix start as '
                           'root, and mount namespaces want it')
        if subprocess.run(['unshare', '-m', 'true'], check=False,
                          capture_output=True).returncode != 0:
            raise LabError('the lab needs mount namespaces (unshare -m): '
                           'run it on a machine or in a privileged container')
        self.components = []
        self.started = set()
        self.build = Build()
        self._guard, self.net = self._take_network()
        # short: paths of unix sockets end at 108 characters
        self.dir = Path(tempfile.mkdtemp(prefix='roost.', dir='/tmp'))
        self.dir.chmod(0o755)
        self.store = self.dir / 'store'
        self.store.mkdir(mode=0o700)
        os.chown(self.store, MAIL_UID, MAIL_UID)
        self._guardian = subprocess.Popen(
            [sys.executable, '-IS', Path(__file__).with_name('guardian.py'),
             self.dir], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self.started.add(self._guardian.pid)
        become_subreaper()
        atexit.register(self.close)
        self._catch_signals()
        self._closed = False
        self._view = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def guard(self, line):
        """Tells the guardian (guardian.py) of a new process."""
        self._guardian.stdin.write(f'{line}\n')
        self._guardian.stdin.flush()

    @staticmethod
    def _take_network():
        """A free 127.A.B.0/24: the name in the abstract namespace is ours
        until we end, however we end."""
        for _ in range(200):
            net = f'127.{random.randint(10, 250)}.{random.randint(1, 250)}'
            guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                guard.bind(f'\0roost-lab-{net}')
                return guard, net
            except OSError:
                guard.close()
        raise LabError('no free loopback network')

    def address(self, host):
        """The address of that number in the lab's /24."""
        return f'{self.net}.{host}'

    def _catch_signals(self):
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, lambda n, _: sys.exit(128 + n))

    def close(self):
        """Ends everything, newest first, and removes the directory."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        ignored = self._ignore_signals()
        try:
            for component in reversed(self.components):
                component.begin_stop()
            for component in reversed(self.components):
                component.stop()
            self._sweep()
            shutil.rmtree(self.dir)
            self.guard('done')
        finally:
            self._guardian.stdin.close()
            self._guardian.wait(10)
            self._guard.close()
            for number, handler in ignored:
                signal.signal(number, handler)

    def abandon(self):
        """Another process (a fork of this one) has taken it over."""
        self._closed = True

    @staticmethod
    def _ignore_signals():
        if threading.current_thread() is not threading.main_thread():
            return []
        return [(number, signal.signal(number, signal.SIG_IGN)) for number in
                (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def _sweep(self):
        """Nothing may be left: what stop() did not end, and orphans."""
        for component in self.components:
            if component.processes():
                component.kill()
            component.release()
        reap_orphans(self.started)

    def dovecot_view(self):
        """See Build.dovecot_view(); made once for all nodes."""
        if self._view is None:
            self._view = self.build.dovecot_view(self.dir / 'dovecot')
        return self._view
