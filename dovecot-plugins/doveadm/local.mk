# SPDX-License-Identifier: MIT
# Floor 4: `doveadm roost …`; doveadm loads every module of its folder.
if DOVECOT_PLUGINS
doveadmmoduledir = $(dovecot_moduledir)/doveadm
doveadmmodule_LTLIBRARIES = lib10_doveadm_roost_plugin.la
lib10_doveadm_roost_plugin_la_SOURCES = \
	dovecot-plugins/doveadm/doveadm-index.c \
	dovecot-plugins/doveadm/doveadm-roost.c \
	dovecot-plugins/doveadm/roost-query.c \
	dovecot-plugins/doveadm/roost-query.h \
	dovecot-plugins/doveadm/doveadm-roost.h
lib10_doveadm_roost_plugin_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
lib10_doveadm_roost_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version
lib10_doveadm_roost_plugin_la_LIBADD = libroost-agent-client.la \
	libroost-lease-page.la libroost-proto-agent.la libroost-base.la
endif
