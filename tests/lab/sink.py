# SPDX-License-Identifier: MIT
"""Where the lab's outgoing mail ends: Postfix's smtp-sink, which keeps each
message in a file."""
import os
import pwd
import socket

from .process import Component, wait_until


class SmtpSink(Component):
    def __init__(self, lab, name='sink', host=26, port=10026):
        super().__init__(lab, name)
        self.address, self.port = lab.address(host), port
        self.folder = self.dir / 'mail'

    def prepare(self):
        account = pwd.getpwnam('postfix')
        self.folder.mkdir()
        os.chown(self.folder, account.pw_uid, account.pw_gid)

    def command(self):
        return ['smtp-sink', '-4', '-u', 'postfix', '-d', f'{self.folder}/',
                f'{self.address}:{self.port}', '100']

    def is_ready(self):
        try:
            with socket.create_connection((self.address, self.port), 1):
                return True
        except OSError:
            return False

    def messages(self):
        """The messages received so far, oldest first, as they went over the
        wire (bytes, CRLF line ends)."""
        paths = list(self.folder.iterdir())
        # asked afterwards: what was made since is not among the paths
        busy = self._open_files()
        complete = [path for path in paths if path.name not in busy]
        complete.sort(key=lambda path: path.stat().st_mtime_ns)
        return [self._unpack(path.read_bytes()) for path in complete]

    def _open_files(self):
        names = set()
        for fd in os.scandir(f'/proc/{self.pid}/fd'):
            try:
                names.add(os.path.basename(os.readlink(fd.path)))
            except FileNotFoundError:
                pass
        return names

    @staticmethod
    def _unpack(dump):
        """Takes off the X- lines and the Received field that smtp-sink puts
        before a message, and the empty line after it."""
        head, _, rest = dump.partition(b'\nReceived: ')
        del head
        lines = rest.split(b'\n')
        while lines[1].startswith(b'\t'):
            del lines[1]
        return b'\r\n'.join(lines[1:-1])

    def wait(self, count, timeout=20):
        """Waits for that many messages and returns them."""
        return wait_until(
            lambda: len(found := self.messages()) >= count and found,
            timeout, lambda: f'{count} messages in {self.folder}, '
                             f'{len(self.messages())} came')
