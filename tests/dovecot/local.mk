# SPDX-License-Identifier: MIT
# Tests of plugin code with Dovecot's own lib-test.
if DOVECOT_PLUGINS
check_PROGRAMS += tests/dovecot/test-guard
TESTS += tests/dovecot/test-guard
tests_dovecot_test_guard_SOURCES = tests/dovecot/test-guard.c \
	dovecot-plugins/mail/roost-guard.c
tests_dovecot_test_guard_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
tests_dovecot_test_guard_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,-rpath,$(dovecot_pkglibdir)
tests_dovecot_test_guard_LDADD = libroost-lease-page.la libroost-base.la \
	$(LIBDOVECOT)

check_PROGRAMS += tests/dovecot/test-agent-client tests/dovecot/test-settings
TESTS += tests/dovecot/test-agent-client tests/dovecot/test-settings
tests_dovecot_test_agent_client_SOURCES = tests/dovecot/test-agent-client.c
tests_dovecot_test_agent_client_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
tests_dovecot_test_agent_client_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,-rpath,$(dovecot_pkglibdir)
tests_dovecot_test_agent_client_LDADD = libroost-agent-client.la \
	libroost-lease-page.la libroost-proto-agent.la libroost-base.la \
	$(LIBDOVECOT)
tests_dovecot_test_settings_SOURCES = tests/dovecot/test-settings.c
tests_dovecot_test_settings_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
tests_dovecot_test_settings_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,-rpath,$(dovecot_pkglibdir)
tests_dovecot_test_settings_LDADD = libroost-dovecot-settings.la $(LIBDOVECOT)
endif
