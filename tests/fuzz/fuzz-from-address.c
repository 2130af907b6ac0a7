/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes common/dkim/from-address: an accepted domain is a lower-case host
 * name, stands in the text behind an "@" and is the only one; a second address
 * of another domain makes the list ambiguous.
 */
#include "common/base/buf.h"
#include "common/dkim/from-address.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_domain(const char *domain)
{
	size_t len = strlen(domain);

	if (len == 0 || len >= ROOST_FROM_DOMAIN_SIZE || domain[0] == '.' ||
	    domain[len - 1] == '.' || strstr(domain, "..") != NULL ||
	    strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_buf both = ROOST_BUF_INIT(size + 64);
	struct roost_from_address from, other;
	const char *text = (const char *)data;
	enum roost_from_result result;

	result = roost_from_address_parse(text, size, &from);
	if (roost_from_address_result(result)[0] == '\0')
		abort();
	if (result != ROOST_FROM_OK)
		return 0;
	check_domain(from.domain);
	if (memchr(text, '@', size) == NULL ||
	    strlen(from.address) >= sizeof(from.address))
		abort();
	/* the address alone gives the same domain */
	if (from.address[0] != '\0' &&
	    (roost_from_address_parse(from.address, strlen(from.address),
				      &other) != ROOST_FROM_OK ||
	     strcmp(other.domain, from.domain) != 0))
		abort();
	roost_buf_append(&both, data, size);
	roost_buf_append_str(&both, ", x@no.such.domain.example");
	result = roost_from_address_parse((const char *)both.data, both.len,
					  &other);
	if (result == ROOST_FROM_OK &&
	    strcmp(from.domain, "no.such.domain.example") != 0)
		abort();
	roost_buf_free(&both);
	return 0;
}
