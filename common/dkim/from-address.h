/* SPDX-License-Identifier: MIT */
/*
 * from-address: the author's domain out of a From header (RFC 5322 section
 * 3.4, RFC 6854 groups).
 *
 * Strict: what two readers could understand in two ways has no domain, and is
 * not signed. A signature speaks for that domain.
 */
#ifndef ROOST_DKIM_FROM_ADDRESS_H
#define ROOST_DKIM_FROM_ADDRESS_H

#include <stddef.h>

#define ROOST_FROM_DOMAIN_SIZE 254
/* Room for the address as it is written, without comments. */
#define ROOST_FROM_ADDRESS_SIZE 512

enum roost_from_result {
	ROOST_FROM_OK,
	ROOST_FROM_EMPTY,      /* no address: blank, or an empty group */
	ROOST_FROM_SYNTAX,     /* not an address list */
	ROOST_FROM_NO_DOMAIN,  /* an address without "@" */
	ROOST_FROM_LITERAL,    /* user@[192.0.2.1] */
	ROOST_FROM_BAD_DOMAIN, /* not a host name (or one in UTF-8) */
	ROOST_FROM_AMBIGUOUS,  /* addresses of several domains */
};

struct roost_from_address {
	char domain[ROOST_FROM_DOMAIN_SIZE];   /* lower case */
	char address[ROOST_FROM_ADDRESS_SIZE]; /* the first address; "" when
						  longer than that */
};

/* `value` is what follows the colon, folds included. The struct is set for
   ROOST_FROM_OK alone. */
enum roost_from_result
roost_from_address_parse(const char *value, size_t len,
			 struct roost_from_address *from_r);

/* The result in words, for logs. */
const char *roost_from_address_result(enum roost_from_result result);

#endif
