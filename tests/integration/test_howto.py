# SPDX-License-Identifier: MIT
"""docs/howto-policy.md: each configuration is taken, and gives the verdicts
of its table."""
import json
import re
import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / 'docs/howto-policy.md').read_text()
SECTIONS = {
    name: (conf, section) for section in TEXT.split('\n## ')
    for name, conf in re.findall(r'```policy\.conf (\w+)\n(.*?)```', section,
                                 re.DOTALL)}


def rows(section):
    """The rows of the table of verdicts as dictionaries."""
    lines = [[cell.strip() for cell in line.strip('|').split('|')]
             for line in section.splitlines() if line.startswith('|')]
    return [dict(zip(lines[0], line)) for line in lines[2:]]


@pytest.mark.parametrize('name', ['swarm', 'kubernetes', 'proxy', 'mailman'])
def test_howto(lab, tmp_path, name):
    text, section = SECTIONS[name]
    conf = tmp_path / 'policy.conf'
    conf.write_text(text)
    done = subprocess.run([lab.build.program('policy/roost-policyd'), '-t',
                           '-c', conf], text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert len(rows(section)) >= 3
    for row in rows(section):
        done = subprocess.run(
            # this machine is not the one of the example
            [lab.build.program('tools/roostctl'), 'explain', '--json', '-c',
             conf, '-o', 'detect_networks=no',
             f"client_address={row['client']}",
             f"server_address={row['server']}",
             f"sender={row.get('sender', '')}"],
            text=True, capture_output=True, check=True)
        found = json.loads(done.stdout)
        assert (found['verdict'], found['rule']) == \
            (row['verdict'], row['rule']), row


def test_every_howto_is_run():
    assert sorted(SECTIONS) == ['kubernetes', 'mailman', 'proxy', 'swarm']
