# SPDX-License-Identifier: MIT
# Floor 2: the decisions, as pure functions; time is an argument.
noinst_LTLIBRARIES += libroost-rules-pin.la
libroost_rules_pin_la_SOURCES = \
	common/rules/lease.c common/rules/lease.h \
	common/rules/placement.c common/rules/placement.h \
	common/rules/user-hash.c common/rules/user-hash.h \
	common/rules/user-key.c common/rules/user-key.h
libroost_rules_pin_la_LIBADD = -lm

noinst_LTLIBRARIES += libroost-rules-relay.la
libroost_rules_relay_la_SOURCES = \
	common/rules/ratelimit.c common/rules/ratelimit.h \
	common/rules/relay.c common/rules/relay.h
