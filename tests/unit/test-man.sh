#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages pass mandoc's lint. That other pages are not installed
# here, or are not in mandoc's index, is not their fault. TAP.
srcdir=${srcdir:-.}
if ! command -v mandoc >/dev/null; then
	echo '1..0 # SKIP mandoc is not installed'
	exit 0
fi
n=0 fail=0
for page in "$srcdir"/docs/man/*.[1-8]; do
	n=$((n + 1))
	found=$(mandoc -Tlint "$page" 2>&1 |
		grep -v -e 'referenced manual not found' -e 'outdated mandoc.db')
	if [ -z "$found" ]; then
		echo "ok $n - $(basename "$page")"
	else
		fail=1
		echo "$found" | sed 's/^/# /'
		echo "not ok $n - $(basename "$page")"
	fi
done
echo "1..$n"
exit $fail
