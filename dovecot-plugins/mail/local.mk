# SPDX-License-Identifier: MIT
# Floor 4: the mail plugin `roost`. Its number orders it among the plugins:
# after quota and acl would be too late to refuse, before them is right.
if DOVECOT_PLUGINS
mailmoduledir = $(dovecot_moduledir)
mailmodule_LTLIBRARIES = lib10_roost_plugin.la

lib10_roost_plugin_la_SOURCES = \
	dovecot-plugins/mail/roost-plugin.c \
	dovecot-plugins/mail/roost-mail.c \
	dovecot-plugins/mail/roost-mail.h \
	dovecot-plugins/mail/roost-mail-private.h \
	dovecot-plugins/mail/roost-guard.c \
	dovecot-plugins/mail/roost-guard.h \
	dovecot-plugins/mail/lease.c \
	dovecot-plugins/mail/epoch-file.c \
	dovecot-plugins/mail/epoch-file.h \
	dovecot-plugins/mail/stale-lock.c \
	dovecot-plugins/mail/stale-lock.h \
	dovecot-plugins/mail/fence.c \
	dovecot-plugins/mail/fence.h \
	dovecot-plugins/mail/fence-list.c \
	dovecot-plugins/mail/fence-mail.c \
	dovecot-plugins/mail/fence-mailbox.c \
	dovecot-plugins/mail/index-admin.c \
	dovecot-plugins/client/index-admin.h \
	dovecot-plugins/mail/index-budget.c \
	dovecot-plugins/mail/index-budget.h \
	dovecot-plugins/mail/index-dir.c \
	dovecot-plugins/mail/index-evict.c \
	dovecot-plugins/mail/index-evict.h \
	dovecot-plugins/mail/index-pack.c \
	dovecot-plugins/mail/index-restore.c \
	dovecot-plugins/mail/index-state.c \
	dovecot-plugins/mail/index-state.h \
	dovecot-plugins/mail/modseq-floor.c \
	dovecot-plugins/mail/modseq-floor.h \
	dovecot-plugins/mail/store-file.c \
	dovecot-plugins/mail/store-file.h \
	$(ROOST_INDEX_PATH)
lib10_roost_plugin_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
lib10_roost_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version
lib10_roost_plugin_la_LIBADD = libroost-agent-client.la libroost-lease-page.la \
	libroost-proto-agent.la libroost-dovecot-settings.la \
	libroost-bundle.la libroost-base.la
endif
