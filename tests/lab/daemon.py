# SPDX-License-Identifier: MIT
"""roost-milter or roost-policyd of the build tree in a lab."""
import socket

from .process import Component, LabError


class Daemon(Component):
    """program: e.g. milter/roost-milter; conf: its settings (lists are
    joined by commas). Ready when all its listeners accept. It becomes nobody
    unless conf names a user."""

    def __init__(self, lab, program, conf, name=None):
        super().__init__(lab, name or program.rsplit('-', 1)[-1])
        self.program = lab.build.program(program)
        if self.program is None:
            raise LabError(f'{program} is not built')
        self.conf = self.dir / 'conf'
        self.settings = {'user': 'nobody'} | dict(conf)

    def prepare(self):
        self.write_conf()

    def write_conf(self, **changes):
        """(Re)writes the file; reload() makes the daemon read it."""
        self.settings |= changes
        text = ''
        for key, value in self.settings.items():
            if isinstance(value, (list, tuple)):
                value = ', '.join(map(str, value))
            text += f'{key} = {value}\n'
        self.conf.write_text(text)

    def command(self):
        return [self.program, '-c', self.conf]

    def is_ready(self):
        listeners = []
        for name in ('listen', 'socketmap_listen', 'http_listen'):
            value = self.settings.get(name, [])
            listeners += [value] if isinstance(value, str) else value
        return all(_accepts(where) for where in listeners)


def _accepts(where):
    kind, _, place = where.partition(':')
    try:
        if kind == 'unix':
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(place)
        else:
            host, _, port = place.rpartition(':')
            socket.create_connection((host, int(port)), 1).close()
        return True
    except OSError:
        return False
