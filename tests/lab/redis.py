# SPDX-License-Identifier: MIT
"""Redis (or Valkey) of a lab, and a few lines of its protocol."""
import shutil
import socket

from .process import Component, LabError, LogFile


class RedisError(Exception):
    pass


class Redis(Component):
    def __init__(self, lab, name='redis', host=6, port=16379, options=()):
        """options: more command line arguments, e.g. --appendonly yes."""
        super().__init__(lab, name)
        self.address, self.port = lab.address(host), port
        self.log = LogFile(self.dir / 'log')
        self.options = list(options)

    def command(self):
        program = shutil.which('redis-server') or shutil.which('valkey-server')
        if not program:
            raise LabError('neither redis-server nor valkey-server here')
        return [program, '--bind', self.address, '--port', self.port,
                '--dir', self.dir, '--logfile', self.log.path, '--save', '',
                '--protected-mode', 'no', *self.options]

    def is_ready(self):
        try:
            return self.call('PING', timeout=1) == 'PONG'
        except (OSError, RedisError):
            return False

    def call(self, *args, timeout=5):
        """Sends one command; returns its reply as str, int, list or None."""
        words = [str(arg).encode() for arg in args]
        request = b'*%d\r\n' % len(words) + b''.join(
            b'$%d\r\n%s\r\n' % (len(word), word) for word in words)
        with socket.create_connection((self.address, self.port),
                                      timeout) as connection:
            connection.sendall(request)
            with connection.makefile('rb') as stream:
                return self._reply(stream)

    def _reply(self, stream):
        line = stream.readline()
        if not line.endswith(b'\r\n'):
            raise RedisError('connection closed')
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b'+':
            return rest
        if kind == b'-':
            raise RedisError(rest)
        if kind == b':':
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b'$':
            return stream.read(int(rest) + 2)[:-2].decode('utf-8', 'replace')
        return [self._reply(stream) for _ in range(int(rest))]
