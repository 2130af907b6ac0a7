# SPDX-License-Identifier: MIT
# Floor 4: the Dovecot service that owns the node's lease.
AGENT_LUA = \
	dovecot-plugins/agent/scripts/node-end.lua \
	dovecot-plugins/agent/scripts/node-get.lua \
	dovecot-plugins/agent/scripts/node-renew.lua \
	dovecot-plugins/agent/scripts/shard-gen.lua \
	dovecot-plugins/agent/scripts/user-assert.lua \
	dovecot-plugins/agent/scripts/user-claim.lua \
	dovecot-plugins/agent/scripts/user-release.lua
EXTRA_DIST += $(AGENT_LUA) dovecot-plugins/agent/lua-to-c.sh

if DOVECOT_PLUGINS
agentdir = $(dovecot_libexecdir)
agent_PROGRAMS = dovecot-plugins/agent/roost-agent
# started by Dovecot alone, with its options
AM_INSTALLCHECK_STD_OPTIONS_EXEMPT = dovecot-plugins/agent/roost-agent

dovecot_plugins_agent_roost_agent_SOURCES = \
	dovecot-plugins/agent/agent.h \
	dovecot-plugins/agent/agent-admin.c \
	dovecot-plugins/agent/agent-admin.h \
	dovecot-plugins/agent/agent-claim.c \
	dovecot-plugins/agent/agent-claim.h \
	dovecot-plugins/agent/agent-hiredis.c \
	dovecot-plugins/agent/agent-hiredis.h \
	dovecot-plugins/agent/agent-lease.c \
	dovecot-plugins/agent/agent-lease.h \
	dovecot-plugins/agent/agent-leave.c \
	dovecot-plugins/agent/agent-leave.h \
	dovecot-plugins/agent/agent-main.c \
	dovecot-plugins/agent/agent-nodes.c \
	dovecot-plugins/agent/agent-nodes.h \
	dovecot-plugins/agent/agent-pins.c \
	dovecot-plugins/agent/agent-pins.h \
	dovecot-plugins/agent/agent-redis.c \
	dovecot-plugins/agent/agent-redis.h \
	dovecot-plugins/agent/agent-session.c \
	dovecot-plugins/agent/agent-session.h \
	dovecot-plugins/agent/agent-status.c \
	dovecot-plugins/agent/agent-status.h
nodist_dovecot_plugins_agent_roost_agent_SOURCES = \
	dovecot-plugins/agent/agent-scripts.h
dovecot_plugins_agent_roost_agent_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
dovecot_plugins_agent_roost_agent_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
dovecot_plugins_agent_roost_agent_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,-rpath,$(dovecot_pkglibdir)
dovecot_plugins_agent_roost_agent_LDADD = libroost-dovecot-settings.la \
	libroost-lease-page.la libroost-proto-agent.la libroost-rules-pin.la \
	libroost-base.la $(LIBDOVECOT_STORAGE) $(LIBDOVECOT) $(HIREDIS_LIBS)

dovecot-plugins/agent/agent-scripts.h: $(AGENT_LUA) \
		dovecot-plugins/agent/lua-to-c.sh
	$(AM_V_GEN)mkdir -p dovecot-plugins/agent && \
	$(SHELL) $(srcdir)/dovecot-plugins/agent/lua-to-c.sh \
		$(AGENT_LUA:%=$(srcdir)/%) >$@.tmp && mv $@.tmp $@
BUILT_SOURCES += dovecot-plugins/agent/agent-scripts.h
CLEANFILES += dovecot-plugins/agent/agent-scripts.h
endif
