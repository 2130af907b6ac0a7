# SPDX-License-Identifier: MIT
"""Processes of a lab: started in a mount namespace of their own, which names
them for good (also those that daemonise), waited for, ended."""
import ctypes
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something of the lab did not do what was waited for."""


def become_subreaper():
    """Orphans of our processes become our children, not init's."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_until(condition, timeout, what, interval=0.01):
    """Polls condition() until it is true and returns its value. Past timeout
    (seconds) raises LabError; what: text, or a function that makes it."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise LabError(f'not within {timeout} s: {text}')
        time.sleep(interval)


def greets(address, port):
    """Whether a server accepts there and says something."""
    try:
        with socket.create_connection((address, port), 1) as connection:
            return connection.recv(1) != b''
    except OSError:
        return False


class LogFile:
    """A growing log. Positions are byte offsets: mark() is the end now."""

    def __init__(self, path):
        self.path = Path(path)

    def text(self, since=0):
        try:
            with open(self.path, 'rb') as f:
                f.seek(since)
                return f.read().decode('utf-8', 'replace')
        except FileNotFoundError:
            return ''

    def mark(self):
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def lines(self, pattern='', since=0):
        """The lines that match the regular expression."""
        return [line for line in self.text(since).splitlines()
                if re.search(pattern, line)]

    def wait_for(self, pattern, timeout=10, since=0):
        """Waits for a line that matches; returns the match object."""
        return wait_until(
            lambda: re.search(pattern, self.text(since), re.MULTILINE),
            timeout, lambda: f'/{pattern}/ in {self.path}\n{self.tail()}')

    def tail(self, lines=25):
        return '\n'.join(
            '    ' + line for line in self.text().splitlines()[-lines:])


def default_signals():
    """For preexec_fn: signals that a job in the background ignores end the
    program again."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def mount_namespace(pid):
    """Names the mount namespace of a live process; None if it is gone."""
    try:
        return os.readlink(f'/proc/{pid}/ns/mnt')
    except OSError:
        return None


def processes_in(namespace):
    """The pids that live in a mount namespace. Its number stands for it only
    while something holds it: a freed one is soon given to somebody else."""
    pids = (int(entry) for entry in os.listdir('/proc') if entry.isdigit())
    return [pid for pid in pids if mount_namespace(pid) == namespace]


def has_ended(pid):
    """Whether nothing of a process is left but its status. One that has no
    namespace any more may still be closing its sockets."""
    try:
        if os.listdir(f'/proc/{pid}/task') != [str(pid)]:
            return False  # other threads
        with open(f'/proc/{pid}/stat', encoding='latin-1') as f:
            return f.read().rpartition(')')[2].split()[0] in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return True


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def reap_orphans(known):
    """Reaps children that we only inherited; known: pids with a Popen."""
    while True:
        try:
            info = os.waitid(os.P_ALL, 0,
                             os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if info is None or info.si_pid in known:
            return
        os.waitpid(info.si_pid, 0)


class Component:
    """One server of the lab. Subclasses say how it is prepared, what is run
    and when it is ready."""

    stop_signal = signal.SIGTERM
    stop_timeout = 10
    start_timeout = 20

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.dir = lab.dir / name
        self.dir.mkdir(mode=0o755)
        self.out = LogFile(self.dir / 'out')
        self.log = self.out
        self.popen = None
        self.namespace = None  # mount namespace, while _held keeps it
        self._held = None
        self.prepared = False
        lab.components.append(self)

    def __repr__(self):
        return f'<{type(self).__name__} {self.name}>'

    # ---- for subclasses ------------------------------------------------

    def prepare(self):
        """Makes configuration and data, once, before the first start."""

    def command(self):
        """The program and its arguments; it must stay in the foreground."""
        raise NotImplementedError

    def is_ready(self):
        return True

    mounts = ()  # pairs (folder, where it is seen instead)
    user = None

    # ---- control ---------------------------------------------------------

    def inside(self, argv, user=None):
        """argv, wrapped so that it runs in a mount namespace of its own that
        shows what the component sees."""
        script = 'set -e\n'
        for folder, where in self.mounts:
            script += f'mount --bind {shlex.quote(str(folder))} ' \
                      f'{shlex.quote(str(where))}\n'
        script += 'exec "$@"\n'
        drop = ['setpriv', f'--reuid={user}', f'--regid={user}',
                '--init-groups'] if user else []
        return ['unshare', '-m', '--propagation', 'private',
                'sh', '-c', script, 'sh', *drop, *map(str, argv)]

    def run(self, *argv, check=True, timeout=30, **kwargs):
        """Runs a command to its end as the component would see it and
        returns the CompletedProcess (text; output captured)."""
        done = subprocess.run(self.inside(argv), text=True,
                              stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=timeout, **kwargs)
        if check and done.returncode != 0:
            raise LabError(f'{shlex.join(map(str, argv))} exited with '
                           f'{done.returncode}: {done.stdout}{done.stderr}')
        return done

    def start(self):
        if self.processes():
            raise LabError(f'{self.name} runs already')
        if not self.prepared:
            self.prepare()
            self.prepared = True
        with open(self.out.path, 'ab') as out:
            self.popen = subprocess.Popen(
                self.inside(self.command(), self.user), cwd=self.dir,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        self.lab.started.add(self.popen.pid)
        ours = mount_namespace('self')
        wait_until(
            lambda: self._alive() and
            mount_namespace(self.popen.pid) not in (ours, None),
            5, f'{self.name} in its own mount namespace')
        self._hold_namespace()
        wait_until(lambda: self._alive() and self.is_ready(),
                   self.start_timeout,
                   lambda: f'{self.name} ready\n{self.log.tail()}')
        return self

    def _hold_namespace(self):
        self.release()
        self._held = open(f'/proc/{self.popen.pid}/ns/mnt', 'rb')
        self.namespace = os.readlink(f'/proc/self/fd/{self._held.fileno()}')
        self.lab.guard(self.popen.pid)

    def release(self):
        """Forgets the processes of the last start."""
        self.namespace = None
        if self._held:
            self._held.close()
            self._held = None

    def _alive(self):
        if self.popen.poll() is not None:
            text = self.out.tail()
            if self.log is not self.out:
                text += '\n' + self.log.tail()
            raise LabError(f'{self.name} ended with status '
                           f'{self.popen.returncode}\n{text}')
        return True

    @property
    def pid(self):
        return self.popen.pid

    def processes(self):
        """The pids of all its processes."""
        return processes_in(self.namespace) if self.namespace else []

    def signal(self, number):
        """Sends a signal to the main process."""
        send_signal(self.popen.pid, number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def begin_stop(self):
        """Asks the main process to end; does not wait."""
        if self.processes():
            self.resume()
            self.signal(self.stop_signal)

    def stop(self):
        """Orderly; what is left after stop_timeout is killed."""
        pids = set(self.processes())
        self.begin_stop()
        try:
            wait_until(lambda: not pids or has_ended(self.pid),
                       self.stop_timeout, '')
            pids |= self._each(signal.SIGTERM)
            wait_until(lambda: self._has_ended(pids), self.stop_timeout, '')
        except LabError:
            self.kill()

    def kill(self):
        """SIGKILL for all its processes, as a power failure would."""
        pids = self._each(signal.SIGSTOP) | self._each(signal.SIGKILL)
        wait_until(lambda: self._has_ended(pids), 10,
                   lambda: f'{self.name} dead: {self.processes()}')

    def pause(self):
        """Stops all its processes where they are (SIGSTOP)."""
        self._each(signal.SIGSTOP)

    def resume(self):
        self._each(signal.SIGCONT)

    def _has_ended(self, pids):
        """Whether it has no processes, and those have ended for good."""
        if self.popen:
            self.popen.poll()  # no zombie of ours
        return all(map(has_ended, pids)) and not self.processes()

    def _each(self, number):
        """A process may fork before it gets the signal: repeat until no new
        one is seen. Returns the pids."""
        seen = set()
        while new := set(self.processes()) - seen:
            for pid in new:
                send_signal(pid, number)
            seen |= new
        return seen
