# SPDX-License-Identifier: MIT
if DOVECOT_PLUGINS
endif

# Needs nothing of Dovecot: also the tests read the lease page.
noinst_LTLIBRARIES += libroost-lease-page.la
libroost_lease_page_la_SOURCES = \
	dovecot-plugins/client/lease-page.c dovecot-plugins/client/lease-page.h
libroost_lease_page_la_LIBADD = libroost-base.la
