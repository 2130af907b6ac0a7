#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, and runs every test there is.
#   ./check.sh [--yes] [--debian13]
# --yes: install without asking. --debian13: all of it in a Debian 13 chroot,
# against Dovecot 2.4. Works in build/, the tree itself is not configured. The
# last line is "N passed, N failed, N skipped", the status 0 only if nothing
# failed and everything ran.
set -u
cd "$(dirname "$0")" || exit 1
top=$(pwd -P)

yes=no debian13=no
for arg; do
	case $arg in
	--yes) yes=yes ;;
	--debian13) debian13=yes ;;
	*) echo 'usage: ./check.sh [--yes] [--debian13]' >&2; exit 2 ;;
	esac
done
[ "$yes" = yes ] && yes=--yes || yes=
if [ "$debian13" = yes ]; then
	exec build-aux/with-debian13 $yes -- ./check.sh --yes
fi
if [ "$(id -u)" -ne 0 ]; then
	echo 'check.sh: must be root: the tests start Dovecot and Postfix' >&2
	exit 1
fi

passed=0 failed=0 skipped=0
build=$top/build
mkdir -p "$build"
skips=$build/skips
: >"$skips"
unset srcdir builddir MAKEFLAGS MFLAGS MAKELEVEL

# step NAME COMMAND...: output goes to build/NAME.log, a failure shows its end
step() {
	name=$1 began=$(date +%s)
	shift
	"$@" >"$build/$name.log" 2>&1 </dev/null
	status=$?
	if [ "$status" -eq 0 ]; then
		echo "-- $name: done in $(($(date +%s) - began)) s"
		return 0
	fi
	echo "-- $name: FAILED (status $status, build/$name.log)"
	tail -n 60 "$build/$name.log"
	return 1
}

# What could not even run counts as one failure.
did_not_run() {
	echo "-- $1: did not run to its end"
	failed=$((failed + 1))
}

# Adds up the summaries that automake prints, lists what was skipped.
count_make() {
	log=$build/$1.log
	if ! grep -q '^# TOTAL: ' "$log"; then
		did_not_run "$1"
		return
	fi
	total() {
		sed -n "s/^# $1: *//p" "$log" | awk '{ n += $1 } END { print n + 0 }'
	}
	echo "   $(total PASS) passed, $(($(total FAIL) + $(total ERROR) + $(total XPASS))) failed, $(total SKIP) skipped"
	passed=$((passed + $(total PASS) + $(total XFAIL)))
	failed=$((failed + $(total FAIL) + $(total ERROR) + $(total XPASS)))
	skipped=$((skipped + $(total SKIP)))
	sed -n "s/^SKIP: /$1: /p" "$log" >>"$skips"
}

run_make() { # name, folder, further arguments of make
	step "$1" make -C "$build/$2" check VERBOSE=1 -k
	ran=$?
	before=$failed
	count_make "$1"
	if [ "$ran" -ne 0 ] && [ "$failed" -eq "$before" ]; then
		did_not_run "$1"
	fi
}

run_pytest() {
	rm -f "$build/plain/pytest.xml"
	step integration env builddir="$build/plain" \
		"$build/src/build-aux/pytest.sh"
	ran=$?
	counts=$(/usr/bin/python3 - "$build/plain/pytest.xml" 2>/dev/null <<-'END'
		import sys, xml.etree.ElementTree as tree
		root = tree.parse(sys.argv[1]).getroot()
		suites = [root] if root.tag == 'testsuite' else list(root)
		def total(name):
		    return sum(int(suite.get(name, 0)) for suite in suites)
		bad = total('failures') + total('errors')
		print(total('tests') - bad - total('skipped'), bad, total('skipped'))
	END
	) || counts=
	if [ -z "$counts" ]; then
		did_not_run integration
		return
	fi
	set -- $counts
	echo "   $1 passed, $2 failed, $3 skipped"
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	[ "$ran" -eq 0 ] || [ "$2" -gt 0 ] || did_not_run integration
	sed -n 's/^SKIPPED \[[0-9]*\] /integration: /p' "$build/integration.log" >>"$skips"
}

finish() {
	if [ -s "$skips" ]; then
		echo '-- skipped:'
		sed 's/^/   /' "$skips"
	fi
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

if ! build-aux/install-deps $yes build test; then
	did_not_run install-deps
	finish
fi
if step build build-aux/build-tree plain --enable-werror; then
	run_make unit plain
	run_pytest
else
	did_not_run unit
	did_not_run integration
fi
if step build-sanitized build-aux/build-tree sanitized --enable-werror \
	--enable-sanitizers; then
	run_make unit-sanitized sanitized
else
	did_not_run unit-sanitized
fi
finish
