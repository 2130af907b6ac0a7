#!/bin/sh
# SPDX-License-Identifier: MIT
# Dovecot loads plugins with RTLD_GLOBAL, so every symbol they export can
# collide with somebody's: only what Dovecot looks up may be visible. TAP.
allowed='_(init|deinit|preinit|version|dependencies|set_infos|set_roots)$|_service_settings(_defaults)?$|_services_array$|_config_import$|_plugin_dependenc(y|ies)$|^roost_plugin_index_admin$|^doveadm_'
n=0 fail=0
for so in $(find "${builddir:-.}/dovecot-plugins" "${builddir:-.}/.libs" -name '*.so' 2>/dev/null | sort -u); do
	n=$((n + 1))
	extra=$(nm -D --defined-only "$so" | awk '{print $3}' | grep -v '^__odr_asan\.' | # the sanitizer's own
		grep -Ev "$allowed")
	if [ -z "$extra" ]; then
		echo "ok $n - $(basename "$so") exports only entry points"
	else
		fail=1
		echo "$extra" | sed 's/^/# /'
		echo "not ok $n - $(basename "$so") exports only entry points"
	fi
done
if [ "$n" -eq 0 ]; then
	echo '1..0 # SKIP built without the Dovecot plugins'
else
	echo "1..$n"
fi
exit $fail
