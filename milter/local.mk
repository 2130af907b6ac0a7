# SPDX-License-Identifier: MIT
# Floor 4: roost-milter. All but main() and what defines sigwait() is a library
# for the tests.
if MILTER
noinst_LTLIBRARIES += libroost-milter.la
libroost_milter_la_SOURCES = \
	milter/internal-hosts.c milter/internal-hosts.h \
	milter/key-file.c milter/key-file.h \
	milter/key-load.c milter/key-load.h \
	milter/key-report.c milter/key-report.h \
	milter/key-set.c milter/key-set.h \
	milter/key-table.c milter/key-table.h \
	milter/message.c milter/message.h \
	milter/keys.c milter/keys.h \
	milter/keys-dir.c milter/keys-pg.c milter/keys-table.c \
	milter/milter-conf.c milter/milter-conf.h \
	milter/opendkim-conf.c milter/opendkim-conf.h \
	milter/snapshot.c milter/snapshot.h \
	milter/table-file.c milter/table-file.h \
	milter/watch.c milter/watch.h
libroost_milter_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS) \
	$(CRYPTO_CFLAGS)
libroost_milter_la_LIBADD = libroost-dkim.la libroost-daemon.la \
	$(EVENT_LIBS) $(PQ_LIBS) $(CRYPTO_LIBS) -lpthread

sbin_PROGRAMS += milter/roost-milter
dist_man_MANS += docs/man/roost-milter.8
milter_roost_milter_SOURCES = \
	milter/callbacks.c milter/callbacks.h \
	milter/main.c \
	milter/nudge.c milter/nudge.h \
	milter/server.c milter/server.h \
	milter/sigwait.c
milter_roost_milter_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS) \
	$(CRYPTO_CFLAGS)
milter_roost_milter_LDADD = libroost-milter.la libroost-dkim.la \
	libroost-daemon.la libroost-base.la $(EVENT_LIBS) $(PQ_LIBS) \
	$(CRYPTO_LIBS) $(MILTER_LIBS)
endif
