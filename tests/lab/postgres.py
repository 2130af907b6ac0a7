# SPDX-License-Identifier: MIT
"""PostgreSQL of a lab: a throw-away cluster, no fsync, trust."""
import glob
import os
import pwd
import signal
import subprocess

from .process import Component, LabError, LogFile


class Postgres(Component):
    user = 'postgres'
    stop_signal = signal.SIGINT  # "fast": does not wait for clients
    start_timeout = 60

    def __init__(self, lab, name='pg', host=5, port=15432):
        super().__init__(lab, name)
        self.address, self.port = lab.address(host), port
        self.log = LogFile(self.dir / 'log')
        self.data = self.dir / 'data'
        self._ready_from = 0

    @staticmethod
    def program(name):
        """Debian's psql on PATH is a slow wrapper: take the real ones."""
        found = sorted(glob.glob(f'/usr/lib/postgresql/*/bin/{name}'),
                       key=lambda path: int(path.split('/')[4]))
        if not found and os.path.exists(f'/usr/bin/{name}'):
            found = [f'/usr/bin/{name}']
        if not found:
            raise LabError(f'PostgreSQL ({name}) is not installed')
        return found[-1]

    def prepare(self):
        account = pwd.getpwnam(self.user)
        os.chown(self.dir, account.pw_uid, account.pw_gid)
        done = subprocess.run(
            self.inside([self.program('initdb'), '-N', '-D', self.data,
                         '-A', 'trust', '-U', 'postgres', '-E', 'UTF8',
                         '--locale=C'], self.user),
            capture_output=True, text=True, cwd=self.dir, timeout=120)
        if done.returncode != 0:
            raise LabError(f'initdb: {done.stdout}{done.stderr}')
        self.out.path.touch()
        with open(self.data / 'postgresql.conf', 'a') as conf:
            conf.write(f"listen_addresses = '{self.address}'\n"
                       f"port = {self.port}\n"
                       f"unix_socket_directories = '{self.dir}'\n"
                       'fsync = off\nsynchronous_commit = off\n'
                       'full_page_writes = off\nmax_connections = 50\n'
                       'shared_buffers = 16MB\n')
        self.log = self.out

    def start(self):
        self._ready_from = self.out.mark()
        return super().start()

    def command(self):
        return [self.program('postgres'), '-D', self.data]

    def is_ready(self):
        return 'ready to accept connections' in self.out.text(self._ready_from)

    def sql(self, text, database='postgres', role='postgres'):
        """Runs SQL; returns the rows as lists of str."""
        done = subprocess.run(
            [self.program('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1',
             '-F', '\t', '-d', self.dsn(database, role), '-f', '-'],
            input=text, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise LabError(f'psql: {done.stderr}')
        return [line.split('\t') for line in done.stdout.splitlines()]

    def dsn(self, database='postgres', role='postgres'):
        return f'postgresql://{role}@{self.address}:{self.port}/{database}'
