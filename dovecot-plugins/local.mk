# SPDX-License-Identifier: MIT
# Floors 3 and 4: what runs inside Dovecot.
include dovecot-plugins/compat/local.mk
include dovecot-plugins/settings/local.mk
include dovecot-plugins/client/local.mk
include dovecot-plugins/agent/local.mk
include dovecot-plugins/auth/local.mk
include dovecot-plugins/mail/local.mk
include dovecot-plugins/doveadm/local.mk

if DOVECOT_PLUGINS
DOVECOT_AM_CPPFLAGS = $(AM_CPPFLAGS) $(DOVECOT_CPPFLAGS)
endif
