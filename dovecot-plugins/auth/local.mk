# SPDX-License-Identifier: MIT
# Floor 4: the passdb driver "roost"; auth finds it by the file's name.
if DOVECOT_PLUGINS
authmoduledir = $(dovecot_moduledir)/auth
authmodule_LTLIBRARIES = libauthdb_roost.la
libauthdb_roost_la_SOURCES = \
	dovecot-plugins/auth/authdb-roost.h \
	dovecot-plugins/auth/passdb-roost.c \
	dovecot-plugins/auth/splice.c \
	dovecot-plugins/auth/splice.h
libauthdb_roost_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
libauthdb_roost_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version
libauthdb_roost_la_LIBADD = libroost-agent-client.la libroost-lease-page.la \
	libroost-proto-agent.la libroost-base.la
endif
