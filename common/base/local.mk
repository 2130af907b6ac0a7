# SPDX-License-Identifier: MIT
# Floor 1: plain C11, needs nothing.
noinst_LTLIBRARIES += libroost-base.la
libroost_base_la_SOURCES = \
	common/base/buf.c common/base/buf.h \
	common/base/cidr.c common/base/cidr.h \
	common/base/conf.c common/base/conf.h common/base/conf-private.h \
	common/base/conf-file.c common/base/conf-value.c \
	common/base/err.c common/base/err.h \
	common/base/kv.c common/base/kv.h
