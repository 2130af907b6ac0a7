# SPDX-License-Identifier: MIT
# Floor 3: the runtime that roost-milter and roost-policyd share.
if DAEMON
noinst_LTLIBRARIES += libroost-daemon.la
libroost_daemon_la_SOURCES = \
	daemon/daemon.c daemon/daemon.h \
	daemon/http.c daemon/http.h \
	daemon/listener.c daemon/listener.h \
	daemon/log.c daemon/log.h \
	daemon/metrics.c daemon/metrics.h \
	daemon/pg.c daemon/pg.h \
	daemon/privileges.c daemon/privileges.h \
	daemon/service.c daemon/service.h
libroost_daemon_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS) \
	$(SYSTEMD_CFLAGS)
libroost_daemon_la_LIBADD = $(EVENT_LIBS) $(PQ_LIBS) \
	$(SYSTEMD_LIBS)

if POLICY
noinst_LTLIBRARIES += libroost-daemon-redis.la
libroost_daemon_redis_la_SOURCES = daemon/redis.c daemon/redis.h
libroost_daemon_redis_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) \
	$(HIREDIS_CFLAGS)
libroost_daemon_redis_la_LIBADD = $(EVENT_LIBS) $(HIREDIS_LIBS)
endif
endif
