# SPDX-License-Identifier: MIT
# Floor 2: the index bundle format (zstd, SHA-256).
noinst_LTLIBRARIES += libroost-bundle.la
libroost_bundle_la_SOURCES = \
	common/bundle/bundle.h common/bundle/header.c \
	common/bundle/bundle-copy.c common/bundle/bundle-read.c \
	common/bundle/bundle-write.c \
	common/bundle/epoch-record.c common/bundle/epoch-record.h \
	common/bundle/floor.c common/bundle/floor.h \
	common/bundle/uidlist-head.c common/bundle/uidlist-head.h
libroost_bundle_la_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS)
libroost_bundle_la_LIBADD = $(CRYPTO_LIBS) $(ZSTD_LIBS)
