# SPDX-License-Identifier: MIT
if DOVECOT_PLUGINS
endif
