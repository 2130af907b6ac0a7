#!/bin/sh
# SPDX-License-Identifier: MIT
# Enforces the floors of docs/architecture.md: includes point down only, the
# products never include each other, no plugin file sees libevent, no file
# outside dovecot-plugins/compat asks for Dovecot's version, every file has
# its licence line, every C file its head comment. Speaks TAP; with an
# argument it checks that tree (the test of the check plants breaches).
LC_ALL=C
export LC_ALL
root=${1:-$(dirname "$0")/..}
cd "$root" || exit 1

# floor and name of the folder that holds a file
floor_of() {
	case $1 in
	common/base/*) echo "1 base" ;;
	common/*/*) echo "2 $(echo "$1" | cut -d/ -f2)" ;;
	dovecot-plugins/compat/* | dovecot-plugins/client/* | dovecot-plugins/settings/*)
		echo "3 plugin-base" ;;
	daemon/*) echo "3 daemon" ;;
	dovecot-plugins/*) echo "4 $(echo "$1" | cut -d/ -f2)" ;;
	milter/*) echo "4 milter" ;;
	policy/*) echo "4 policy" ;;
	tests/* | tools/*) echo "5 top" ;;
	*) echo "0 unknown" ;;
	esac
}

sources() {
	find common daemon dovecot-plugins milter policy tools tests \
		-name '*.[ch]' 2>/dev/null | sort
}

check_includes() {
	sources | while read -r file; do
		set -- $(floor_of "$file")
		floor=$1 name=$2
		sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file" |
		while read -r inc; do
			case $inc in
			common/* | daemon/* | dovecot-plugins/* | milter/* | policy/* | tools/* | tests/*) ;;
			*) continue ;;
			esac
			set -- $(floor_of "$inc")
			[ "$1" -lt "$floor" ] && continue
			[ "$1 $2" = "$floor $name" ] && continue
			echo "$file includes $inc: floor $1 ($2) from floor $floor ($name)"
		done
		case $file in
		dovecot-plugins/*)
			grep -Hn 'include *<event2/' "$file" &&
				echo "$file: libevent and Dovecot both have a struct event" ;;
		common/*)
			grep -HnE 'include *<(event2|libpq|hiredis|libmilter)' "$file" ;;
		esac
	done
}

# relative includes ("err.h") and folders on the include path hide the floor
check_include_style() {
	for header in $(find common daemon dovecot-plugins milter policy tools \
		-name '*.h' 2>/dev/null | sed 's,.*/,,' | sort -u); do
		sources | xargs grep -HnF "include \"$header\"" 2>/dev/null |
			grep -v '^dovecot-plugins/.*include "\(module-context\|config\|hash\)\.h"'
	done
	find . -name local.mk | xargs grep -Hn -- '-I$(top_srcdir)/' 2>/dev/null
}

check_versions() {
	find . -name '*.[ch]' ! -path './dovecot-plugins/compat/*' \
		-path './dovecot-plugins/*' |
		xargs -r grep -HnE 'ROOST_DOVECOT_24|DOVECOT_(ABI_)?VERSION_M|DOVECOT_PREREQ' |
		grep -v 'DOVECOT_ABI_VERSION;'
}

check_heads() {
	{ sources; find build-aux tests -name '*.sh' -o -name '*.py' | grep -Ev "tap-driver|ltmain"; } |
		while read -r file; do
			head -3 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
				[ ! -s "$file" ] || echo "$file: no SPDX licence line"
		done
	sources | while read -r file; do
		sed -n 2,3p "$file" | grep -q '/\*' || echo "$file: no head comment"
	done
}

fail=0 n=0
report() {
	n=$((n + 1))
	found=$($2)
	if [ -z "$found" ]; then
		echo "ok $n - $1"
	else
		fail=1
		echo "$found" | sed 's/^/# /'
		echo "not ok $n - $1"
	fi
}

echo 1..4
report "includes point down" check_includes
report "includes start at the root" check_include_style
report "Dovecot's version is asked in compat only" check_versions
report "licence line and head comment" check_heads
exit $fail
