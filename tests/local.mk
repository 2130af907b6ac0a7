# SPDX-License-Identifier: MIT
# What `make check` runs: unit, plugin and fuzz-replay programs and the checks
# of build-aux; every one speaks TAP. The tests against real processes are
# tests/integration (pytest), run by `make check-integration`.
TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_COMPILER = $(SHELL) $(top_srcdir)/build-aux/run-test
SH_LOG_DRIVER = $(LOG_DRIVER)
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)' builddir='$(builddir)'; \
	export srcdir builddir;

include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/dovecot/local.mk
include tests/model/local.mk

# not the folders: what was built in them would come along
EXTRA_DIST += $(wildcard $(srcdir)/tests/lab/*.py) \
	$(wildcard $(srcdir)/tests/integration/*.py)
CLEANFILES += pytest.xml
check-integration: all
	$(SHELL) $(top_srcdir)/build-aux/pytest.sh
.PHONY: check-integration

# Programs that the tests against real processes drive.
noinst_PROGRAMS =
if DAEMON
noinst_PROGRAMS += tests/integration/pg-probe
tests_integration_pg_probe_SOURCES = tests/integration/pg-probe.c
tests_integration_pg_probe_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS)
tests_integration_pg_probe_LDADD = libroost-daemon.la libroost-base.la
endif
