#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds Roost and shows it at work: two Dovecot nodes over one maildir store,
# Postfix, Redis, PostgreSQL, roost-milter and roost-policyd, in a private
# directory on private loopback addresses. Nothing of this machine's
# configuration is touched; at the end all is stopped and removed.
#   ./demo.sh [--yes] [--keep] [--debian13]
# --yes: install missing packages without asking. --keep: leave it running and
# say how to play with it and how to stop it. --debian13: in a Debian 13
# chroot, with Dovecot 2.4. Status 0 only if everything was as it should be.
set -u
cd "$(dirname "$0")" || exit 1

yes= keep= debian13=
for arg; do
	case $arg in
	--yes) yes=--yes ;;
	--keep) keep=--keep ;;
	--debian13) debian13=yes ;;
	*) echo 'usage: ./demo.sh [--yes] [--keep] [--debian13]' >&2; exit 2 ;;
	esac
done
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo 'demo.sh: must be root: Dovecot and Postfix are started as root' >&2
		exit 1
	}
	exec sudo ./demo.sh "$@"
fi
if [ -n "$debian13" ]; then
	exec build-aux/with-debian13 $yes -- ./demo.sh --yes $keep
fi
build-aux/install-deps $yes build demo || exit
echo 'Building…'
began=$(date +%s)
mkdir -p build
build-aux/build-tree plain --enable-werror >build/demo.log 2>&1 </dev/null || {
	tail -n 40 build/demo.log
	echo 'demo.sh: the build failed, all of it is in build/demo.log' >&2
	exit 1
}
echo "Built in $(($(date +%s) - began)) s."
builddir=$PWD/build/plain PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1
export builddir PYTHONPATH PYTHONDONTWRITEBYTECODE
exec /usr/bin/python3 -m lab.demo $keep
