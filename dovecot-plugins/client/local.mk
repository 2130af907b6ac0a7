# SPDX-License-Identifier: MIT
# Floor 3: how Dovecot's processes talk to the agent.
if DOVECOT_PLUGINS
noinst_LTLIBRARIES += libroost-agent-client.la
libroost_agent_client_la_SOURCES = \
	dovecot-plugins/client/agent-client.c \
	dovecot-plugins/client/agent-client.h \
	dovecot-plugins/client/agent-conn.c \
	dovecot-plugins/client/agent-conn.h \
	dovecot-plugins/client/agent-session.c
libroost_agent_client_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
libroost_agent_client_la_LIBADD = libroost-lease-page.la \
	libroost-proto-agent.la
endif

# Needs nothing of Dovecot: also the tests read the lease page.
noinst_LTLIBRARIES += libroost-lease-page.la
libroost_lease_page_la_SOURCES = \
	dovecot-plugins/client/lease-page.c dovecot-plugins/client/lease-page.h
libroost_lease_page_la_LIBADD = libroost-base.la
