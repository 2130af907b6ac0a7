# SPDX-License-Identifier: MIT
# Tests of plugin code with Dovecot's own lib-test.
if DOVECOT_PLUGINS
endif
