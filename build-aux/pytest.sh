#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests against real processes (tests/integration) on what was built
# in $builddir (the current directory if it was configured, else the source
# tree): all of them, $ROOST_TEST_JOBS at once, or as the arguments tell pytest.
# Results also in $builddir/pytest.xml.
set -u
srcdir=$(cd "$(dirname "$0")/.." && pwd -P) || exit 1
[ -n "${builddir-}" ] || if [ -e config.status ]; then builddir=.; else builddir=$srcdir; fi
builddir=$(cd "$builddir" && pwd -P) || exit 1
python=/usr/bin/python3
if [ "$(id -u)" -ne 0 ]; then
	echo 'pytest.sh: must be root: Dovecot and Postfix are started as root' >&2
	exit 1
fi
if ! "$python" -c 'import pytest, xdist, dkim, nacl' 2>/dev/null; then
	echo 'pytest.sh: python3-pytest, -pytest-xdist, -dkim or -nacl is missing: run build-aux/install-deps' >&2
	exit 1
fi
export srcdir builddir PYTHONDONTWRITEBYTECODE=1
unset PYTHONPATH PYTHONHOME
cd "$srcdir" || exit 1
if [ $# -eq 0 ]; then
	# each test has a directory and a network of its own, and mostly waits
	set -- -n "${ROOST_TEST_JOBS:-$(($(nproc) * 2))}" tests/integration
fi
exec "$python" -m pytest -p no:cacheprovider -ra --tb=short \
	--junitxml="$builddir/pytest.xml" "$@"
