# SPDX-License-Identifier: MIT
# Floor 4: roost-policyd. libroost-policy is what roostctl explains with.
if POLICY
noinst_LTLIBRARIES += libroost-policy.la
libroost_policy_la_SOURCES = \
	policy/policy-networks.c policy/policy-networks.h \
	policy/policy-nexthop.c policy/policy-nexthop.h \
	policy/policy-settings.c policy/policy-settings.h \
	policy/policy-snapshot.c policy/policy-snapshot.h \
	policy/policy-source.c policy/policy-source.h \
	policy/policy-table.c policy/policy-table.h
libroost_policy_la_CFLAGS = $(AM_CFLAGS) $(PQ_CFLAGS)
POLICY_LIBS = libroost-policy.la libroost-daemon.la libroost-rules-relay.la \
	libroost-proto-policy.la libroost-base.la

dist_man_MANS += docs/man/roost-policyd.8
sbin_PROGRAMS += policy/roost-policyd
policy_roost_policyd_SOURCES = \
	policy/policy-buckets.c policy/policy-buckets.h \
	policy/policy-limits.c policy/policy-limits.h \
	policy/policy-server.c policy/policy-server.h \
	policy/policy-session.c policy/policy-session.h \
	policy/policy-socketmap.c policy/policy-socketmap.h \
	policy/policy-tables.c policy/policy-tables.h \
	policy/policy-watch.c policy/policy-watch.h \
	policy/roost-policyd.c
policy_roost_policyd_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(HIREDIS_CFLAGS) \
	$(PQ_CFLAGS)
policy_roost_policyd_LDADD = $(POLICY_LIBS) libroost-daemon-redis.la
endif
