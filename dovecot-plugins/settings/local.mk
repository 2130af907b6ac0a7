# SPDX-License-Identifier: MIT
# Floor 3: the settings of the Dovecot side. libroost-dovecot-settings.la is
# for whoever reads them; libroost_settings.so is loaded by Dovecot's config
# process and is named and exported as that wants it.
if DOVECOT_PLUGINS
settingsmoduledir = $(dovecot_moduledir)/settings
settingsmodule_LTLIBRARIES = libroost_settings.la

libroost_settings_la_SOURCES = \
	dovecot-plugins/settings/roost-settings.c \
	dovecot-plugins/settings/roost-settings.h \
	dovecot-plugins/settings/settings-module.h \
	dovecot-plugins/settings/settings-table.h \
	$(ROOST_SETTINGS_INFO) $(ROOST_SETTINGS_MODULE)
libroost_settings_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
libroost_settings_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version

noinst_LTLIBRARIES += libroost-dovecot-settings.la
libroost_dovecot_settings_la_SOURCES = \
	dovecot-plugins/settings/roost-settings.c \
	$(ROOST_SETTINGS_INFO) $(ROOST_SETTINGS_READ)
libroost_dovecot_settings_la_CPPFLAGS = $(DOVECOT_AM_CPPFLAGS)
endif
