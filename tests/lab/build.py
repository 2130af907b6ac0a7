# SPDX-License-Identifier: MIT
"""Finds what `make` built, and shows it to Dovecot as if it were installed."""
import os
import re
import shutil
from pathlib import Path

DOVECOT_CONFIG_DIRS = ('/usr/lib/dovecot', '/usr/lib64/dovecot',
                       '/usr/local/lib/dovecot')


def dovecot_config():
    """The shell variables of Dovecot's own dovecot-config."""
    for folder in DOVECOT_CONFIG_DIRS:
        path = Path(folder) / 'dovecot-config'
        if path.exists():
            pairs = re.findall(r'^(\w+)=["\']?(.*?)["\']?$',
                               path.read_text(), re.MULTILINE)
            return dict(pairs)
    return {}


class Build:
    def __init__(self):
        source = Path(__file__).resolve().parents[2]
        self.source = Path(os.environ.get('srcdir', source)).resolve()
        self.root = Path(os.environ.get('builddir', self.source)).resolve()

    def program(self, path):
        """A built program, such as milter/roost-milter; None if it is not
        there. Of a libtool wrapper, the program itself."""
        real = self.root / Path(path).parent / '.libs' / Path(path).name
        for candidate in (real, self.root / path):
            if candidate.exists():
                return candidate
        return None

    def dovecot_modules(self):
        """Pairs (built .so, folder it would be installed to)."""
        found = []
        folders = [self.root, *(self.root / 'dovecot-plugins').glob('**')]
        for la in (la for folder in folders for la in folder.glob('*.la')):
            text = la.read_text()
            libdir = re.search(r"^libdir='(.+)'", text, re.MULTILINE)
            name = re.search(r"^dlname='(.+)'", text, re.MULTILINE)
            if libdir and name:
                found.append((la.parent / '.libs' / name[1], libdir[1]))
        return found

    def dovecot_view(self, target):
        """Copies Dovecot's module and libexec folders to target and adds
        what was built: Dovecot finds passdb drivers, settings modules and
        service programs nowhere else. Returns pairs (copy, original) to be
        bind-mounted by a node."""
        config = dovecot_config()
        folders = {config[name] for name in
                   ('dovecot_moduledir', 'dovecot_pkglibexecdir')}
        # a folder inside another one comes along with it
        tops = [f for f in folders
                if not any(f.startswith(o + '/') for o in folders)]
        view = []
        for number, folder in enumerate(sorted(tops)):
            copy = Path(target) / str(number)
            shutil.copytree(folder, copy, symlinks=True)
            view.append((copy, folder))
        for built, folder in self.dovecot_modules():
            self._add(view, built, folder)
        agent = self.program('dovecot-plugins/agent/roost-agent')
        if agent:
            self._add(view, agent, config['dovecot_pkglibexecdir'])
        return view

    @staticmethod
    def _add(view, built, folder):
        for copy, original in view:
            if folder == original or folder.startswith(original + '/'):
                where = copy / folder[len(original):].lstrip('/')
                where.mkdir(parents=True, exist_ok=True)
                shutil.copy2(built, where / built.name)
