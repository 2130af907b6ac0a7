# SPDX-License-Identifier: MIT
# Floor 2: DKIM (RFC 6376, RFC 8463) on OpenSSL.
noinst_LTLIBRARIES += libroost-dkim.la
libroost_dkim_la_SOURCES = \
	common/dkim/base64.c common/dkim/base64.h \
	common/dkim/canon.c common/dkim/canon.h \
	common/dkim/from-address.c common/dkim/from-address.h \
	common/dkim/hash.c common/dkim/hash.h \
	common/dkim/header-list.c common/dkim/header-list.h \
	common/dkim/key.c common/dkim/key.h \
	common/dkim/record.c common/dkim/record.h \
	common/dkim/sign.c common/dkim/sign.h \
	common/dkim/tag-list.c common/dkim/tag-list.h \
	common/dkim/verify.c common/dkim/verify.h
libroost_dkim_la_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
libroost_dkim_la_LIBADD = libroost-base.la $(CRYPTO_LIBS)
