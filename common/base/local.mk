# SPDX-License-Identifier: MIT
# Floor 1: plain C11, needs nothing.
noinst_LTLIBRARIES += libroost-base.la
libroost_base_la_SOURCES = \
	common/base/buf.c common/base/buf.h \
	common/base/err.c common/base/err.h \
	common/base/kv.c common/base/kv.h
