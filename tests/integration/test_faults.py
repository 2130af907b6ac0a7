# SPDX-License-Identifier: MIT
"""Faults at random while real clients go on: no overlap of ownership in the
nodes' own records, no message lost or doubled, no UID used again, no flag
lost, every client converges.

ROOST_FAULT_SEED repeats a run (the seed is printed), ROOST_FAULT_COUNT is the
number of rounds (with it the seed is a new one each time), ROOST_FAULT_ONLY a regular expression for their names,
ROOST_FAULT_LOGS a folder that gets the logs of a run that fails."""
import os
import random
import re
import shutil
import time
from pathlib import Path

from fault_net import Hub
from fault_site import TTL, Site, fault_table

COUNT = int(os.environ.get('ROOST_FAULT_COUNT', 5))
# without options the same faults each time
SEED = os.environ.get('ROOST_FAULT_SEED') or (
    str(random.randrange(10 ** 6)) if 'ROOST_FAULT_COUNT' in os.environ
    else '7')
ONLY = os.environ.get('ROOST_FAULT_ONLY', '')
LOGS = os.environ.get('ROOST_FAULT_LOGS')
TWO = 0.3  # how often a second fault joins the first


def target(name):
    """Two faults at once are never of the same server."""
    return name.split()[0]


def round_of_faults(random_, table, story):
    names = [random_.choice(sorted(table))]
    if random_.random() < TWO:
        names.append(random_.choice(sorted(
            n for n in table if target(n) != target(names[0]))))
    for name in names:
        story.append(f'{time.monotonic():.1f} {name}')
        print(story[-1], flush=True)
        table[name][0]()
        time.sleep(random_.choice((0.1, 0.5, TTL, TTL * 1.6)))
    for name in names:
        if table[name][1]:
            table[name][1]()
    story.append(f'{time.monotonic():.1f} over')


def keep_logs(site):
    if LOGS:
        folder = Path(LOGS) / f'faults-{SEED}'
        folder.mkdir(parents=True, exist_ok=True)
        for each in (*site.nodes, site.redis):
            shutil.copy(each.log.path, folder / each.name)


def test_random_faults(lab):
    print(f'ROOST_FAULT_SEED={SEED} ROOST_FAULT_COUNT={COUNT}', flush=True)
    chance, story = random.Random(SEED), []
    with Hub(lab) as hub:
        site = Site(lab, hub, SEED)
        try:
            table = {name: fault for name, fault in fault_table(site).items()
                     if re.search(ONLY, name)}
            for _ in range(COUNT):
                round_of_faults(chance, table, story)
                site.converge()
                assert not site.problems(), '\n'.join(story[-6:])
        except BaseException:
            print(*story, sep='\n')
            keep_logs(site)
            raise
        finally:
            site.close()
            print(*(f'{c.name}: {c.done} done, {c.broken} broken'
                    for c in site.clients), sep='\n')
