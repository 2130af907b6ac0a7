#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures of roost-policyd beside a trivial epoll server (the floor),
interleaved: round after round, each server in turn. Run in the build tree:
    tests/bench/policy.py [ROUNDS] [SECONDS]
"""
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Daemon, Lab, Redis, wait_until  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = sys.argv[2] if len(sys.argv) > 2 else '1'
LIMIT = '1000000/1s/100000000'


def policyd(lab, name, **settings):
    path = lab.dir / f'{name}.sock'
    daemon = Daemon(lab, 'policy/roost-policyd', {
        'listen': f'unix:{path}', 'socket_mode': '0666', 'user': 'nobody',
        'detect_networks': 'no', 'ingress_networks': '10.0.0.0/24',
        'trusted_networks': '192.0.2.0/24', 'notice_sent': ''} | settings,
        name=name).start()
    return path, daemon


def main():
    source = Path(__file__).with_name('policy-load.c')
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        load = f'{folder}/policy-load'
        subprocess.run(['cc', '-O2', '-o', load, source], check=True)
        floor = lab.dir / 'floor.sock'
        responder = subprocess.Popen([load, 'floor', floor])
        try:
            wait_until(floor.exists, 5, 'floor')
            redis = Redis(lab).start()
            where = f'{redis.address}:{redis.port}'
            idle_path, idle_daemon = policyd(lab, 'idle')
            servers = {
                'floor': floor,
                'rules only': policyd(lab, 'rules')[0],
                'rules only, no log': policyd(lab, 'quiet',
                                              log_level='warning')[0],
                'Redis, 1 key': policyd(lab, 'one', redis=where,
                                        limit_user=LIMIT)[0],
                'Redis, 3 keys': policyd(
                    lab, 'three', redis=where, limit_user=LIMIT,
                    limit_domain=LIMIT, limit_recipient_domain=LIMIT)[0],
            }
            compare(load, servers)
            idle(load, idle_path, idle_daemon)
        finally:
            responder.kill()


def measure(load, path, connections):
    done = subprocess.run([load, 'load', path, str(connections), SECONDS],
                          check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def compare(load, servers):
    for connections in (1, 16):
        runs = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, path in servers.items():
                runs[name].append(measure(load, path, connections))
        print(f'{connections} connection(s): requests/s, of the floor in the '
              'same round, p50, p99')
        for name, found in runs.items():
            share = statistics.median(
                mine[0] / base[0] for mine, base in zip(found, runs['floor']))
            rate, p50, p99 = (statistics.median(column)
                              for column in zip(*found))
            print(f'  {name:20} {rate:9.0f} {share:6.0%} {p50:6.0f} µs '
                  f'{p99:6.0f} µs')


def idle(load, path, daemon):
    """10,000 idle connections beside 16 that work."""
    def rss():
        with open(f'/proc/{daemon.pid}/status') as f:
            return [int(line.split()[1]) for line in f
                    if line.startswith('VmRSS')][0]
    before, memory = measure(load, path, 16), rss()
    holder = subprocess.Popen([load, 'idle', path, '10000', '600'],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == 'ready\n'
        with_idle = measure(load, path, 16)
        print(f'10,000 idle connections: {with_idle[0] / before[0]:.0%} of '
              f'the rate without, {rss() - memory} KiB more')
    finally:
        holder.kill()


if __name__ == '__main__':
    os.chdir(Path(__file__).resolve().parents[2])
    os.environ.setdefault('builddir', '.')
    main()
