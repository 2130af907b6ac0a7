# SPDX-License-Identifier: MIT
# Manual pages and guides.
EXTRA_DIST += docs/agent-protocol.md docs/bundle-format.md docs/howto-remove.md \
	docs/howto-opendkim.md docs/howto-policy.md
dist_man_MANS += docs/man/doveadm-roost.1 docs/man/roost-dovecot.7
