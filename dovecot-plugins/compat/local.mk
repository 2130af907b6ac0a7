# SPDX-License-Identifier: MIT
# Every difference between Dovecot 2.3 and 2.4, and nothing else: headers that
# hide it, or one file per release with the same functions.
if DOVECOT_24
ROOST_SETTINGS_INFO = dovecot-plugins/compat/settings-info-24.c
ROOST_SETTINGS_READ = dovecot-plugins/compat/settings-24.c
ROOST_SETTINGS_MODULE = dovecot-plugins/compat/settings-module-24.c
ROOST_INDEX_PATH = dovecot-plugins/compat/index-path-24.c
else
ROOST_SETTINGS_INFO = dovecot-plugins/compat/settings-info-23.c
ROOST_SETTINGS_READ = dovecot-plugins/compat/settings-23.c
ROOST_SETTINGS_MODULE = dovecot-plugins/compat/settings-module-23.c
ROOST_INDEX_PATH = dovecot-plugins/compat/index-path-23.c
endif
EXTRA_DIST += \
	dovecot-plugins/compat/auth-compat.h \
	dovecot-plugins/compat/index-path.h \
	dovecot-plugins/compat/index-path-23.c \
	dovecot-plugins/compat/index-path-24.c \
	dovecot-plugins/compat/base-dir.h \
	dovecot-plugins/compat/shared-owner.h \
	dovecot-plugins/compat/export.h \
	dovecot-plugins/compat/settings-23.h \
	dovecot-plugins/compat/settings-24.h \
	dovecot-plugins/compat/settings-23.c \
	dovecot-plugins/compat/settings-24.c \
	dovecot-plugins/compat/settings-info-23.c \
	dovecot-plugins/compat/settings-info-24.c \
	dovecot-plugins/compat/settings-module-23.c \
	dovecot-plugins/compat/settings-module-24.c
