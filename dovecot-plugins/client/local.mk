# SPDX-License-Identifier: MIT
# Floor 3: how Dovecot's processes talk to the agent. The libraries do not
# contain one another, for a plugin takes in all of each: it lists every one.
if DOVECOT_PLUGINS
noinst_LTLIBRARIES += libroost-agent-client.la
libroost_agent_client_la_SOURCES = \
	dovecot-plugins/client/agent-client.c \
	dovecot-plugins/client/agent-client.h \
	dovecot-plugins/client/agent-conn.c \
	dovecot-plugins/client/agent-conn.h \
	dovecot-plugins/client/agent-session.c
libroost_agent_client_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
endif

# Needs nothing of Dovecot: also the tests read the lease page.
noinst_LTLIBRARIES += libroost-lease-page.la
libroost_lease_page_la_SOURCES = \
	dovecot-plugins/client/lease-page.c dovecot-plugins/client/lease-page.h
