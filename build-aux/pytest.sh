#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests against real processes (tests/integration) on what was built
# in $builddir (the current directory if it was configured, else the source
# tree). Further arguments go to pytest. Results also in $builddir/pytest.xml.
set -u
srcdir=$(cd "$(dirname "$0")/.." && pwd -P) || exit 1
[ -n "${builddir-}" ] || if [ -e config.status ]; then builddir=.; else builddir=$srcdir; fi
builddir=$(cd "$builddir" && pwd -P) || exit 1
python=/usr/bin/python3
if [ "$(id -u)" -ne 0 ]; then
	echo 'pytest.sh: must be root: Dovecot and Postfix are started as root' >&2
	exit 1
fi
if ! "$python" -c 'import pytest, dkim, nacl' 2>/dev/null; then
	echo 'pytest.sh: python3-pytest, python3-dkim or python3-nacl is missing: run build-aux/install-deps' >&2
	exit 1
fi
export srcdir builddir PYTHONDONTWRITEBYTECODE=1
unset PYTHONPATH PYTHONHOME
cd "$srcdir" || exit 1
[ $# -gt 0 ] || set -- tests/integration
exec "$python" -m pytest -p no:cacheprovider -ra --tb=short \
	--junitxml="$builddir/pytest.xml" "$@"
