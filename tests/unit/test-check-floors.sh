#!/bin/sh
# SPDX-License-Identifier: MIT
# The floors script must fail on each planted breach. TAP.
: "${srcdir:=.}"
check=$(cd "$srcdir" && pwd)/build-aux/check-floors.sh
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0 fail=0

result() { # 0/1 name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		fail=1
	fi
}

fresh() {
	rm -rf "$dir/tree"
	mkdir -p "$dir/tree/common/base" "$dir/tree/common/rules" \
		"$dir/tree/milter" "$dir/tree/policy" \
		"$dir/tree/dovecot-plugins/mail" \
		"$dir/tree/dovecot-plugins/compat" \
		"$dir/tree/build-aux" "$dir/tree/tests"
	for f in common/base/low common/rules/rule milter/sign policy/rule; do
		printf '/* SPDX-License-Identifier: MIT */\n/* %s */\n' "$f" \
			>"$dir/tree/$f.h"
	done
}

# plants one file with one line, and wants the numbered check to fail
breach() { # name check file line
	fresh
	printf '/* SPDX-License-Identifier: MIT */\n/* planted */\n%s\n' "$4" \
		>"$dir/tree/$3"
	out=$(sh "$check" "$dir/tree") && rc=0 || rc=$?
	[ "$rc" -ne 0 ] && echo "$out" | grep -q "^not ok $2 " &&
		[ "$(echo "$out" | grep -c '^not ok')" -eq 1 ]
	result $? "$1"
}

echo 1..9
fresh
sh "$check" "$dir/tree" >/dev/null
result $? "a clean tree passes"
breach "an include that points up" 1 common/base/x.c \
	'#include "common/rules/rule.h"'
breach "a product that includes another" 1 milter/x.c \
	'#include "policy/rule.h"'
breach "common that includes a library of the edge" 1 common/rules/x.c \
	'#include <hiredis/hiredis.h>'
breach "a plugin file that includes libevent" 1 dovecot-plugins/mail/x.c \
	'#include <event2/event.h>'
breach "an include relative to the file" 2 common/base/x.c \
	'#include "low.h"'
breach "a version test outside compat" 3 dovecot-plugins/mail/x.c \
	'#if ROOST_DOVECOT_24'
fresh
printf '/* no licence */\n' >"$dir/tree/common/base/x.c"
! sh "$check" "$dir/tree" >/dev/null
result $? "a file without its licence line"
fresh
printf '/* SPDX-License-Identifier: MIT */\nint x;\n' \
	>"$dir/tree/common/base/x.c"
! sh "$check" "$dir/tree" >/dev/null
result $? "a C file without a head comment"
exit $fail
