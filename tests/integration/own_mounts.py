# SPDX-License-Identifier: MIT
"""File systems that only this test process and its children see, and that
cannot outlive them."""
import contextlib
import ctypes
import os
import subprocess

import pytest

CLONE_NEWNS = 0x20000


@pytest.fixture(scope='session')
def own_mounts():
    """What is mounted from now on stays among ourselves."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)


@contextlib.contextmanager
def tmpfs(folder, size):
    """A tmpfs of that many bytes, for an index root."""
    folder.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=1777',
                    'none', folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', folder], check=False)
