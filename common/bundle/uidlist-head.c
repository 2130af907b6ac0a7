/* SPDX-License-Identifier: MIT */
/* uidlist-head: the first line of dovecot-uidlist, "3 V<uidvalidity>
   N<uidnext> G<guid>[ <key><value>]...". */
#include "common/bundle/uidlist-head.h"

#include <string.h>

static int parse_uint32(const char *value, size_t len, uint32_t *out)
{
	uint64_t n = 0;

	if (len == 0 || len > 10)
		return -1;
	for (; len > 0; len--, value++) {
		if (*value < '0' || *value > '9')
			return -1;
		n = n * 10 + (uint64_t)(*value - '0');
	}
	if (n == 0 || n > UINT32_MAX)
		return -1;
	*out = (uint32_t)n;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse_guid(const char *value, size_t len,
		      uint8_t guid[ROOST_BUNDLE_GUID_SIZE])
{
	size_t i;

	if (len != 2 * ROOST_BUNDLE_GUID_SIZE)
		return -1;
	for (i = 0; i < ROOST_BUNDLE_GUID_SIZE; i++) {
		int hi = hex_digit(value[2 * i]);
		int lo = hex_digit(value[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		guid[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int roost_uidlist_head_parse(const void *data, size_t size,
			     struct roost_uidlist_head *head,
			     struct roost_err *err)
{
	const char *p = data, *end;
	uint32_t uid_next = 0;
	bool have_guid = false;

	memset(head, 0, sizeof(*head));
	end = memchr(p, '\n',
		     size < ROOST_UIDLIST_HEAD_MAX ? size
						   : ROOST_UIDLIST_HEAD_MAX);
	if (end == NULL)
		return roost_err_set(err, "dovecot-uidlist: no first line");
	if (end - p < 2 || p[0] != '3' || p[1] != ' ')
		return roost_err_set(err, "dovecot-uidlist: not version 3");
	for (p += 2; p < end; p++) {
		const char *value = p + 1;
		const char *space = memchr(p, ' ', (size_t)(end - p));
		const char *stop = space != NULL ? space : end;
		size_t len = stop > value ? (size_t)(stop - value) : 0;
		int ret = 0;

		if (*p == 'V')
			ret = parse_uint32(value, len, &head->uid_validity);
		else if (*p == 'N')
			ret = parse_uint32(value, len, &uid_next);
		else if (*p == 'G') {
			ret = parse_guid(value, len, head->guid);
			have_guid = true;
		}
		if (ret < 0)
			return roost_err_set(
				err, "dovecot-uidlist: bad value of %c", *p);
		p = stop;
	}
	if (!have_guid || head->uid_validity == 0 || uid_next == 0)
		return roost_err_set(err, "dovecot-uidlist: GUID, UIDVALIDITY "
					  "or UIDNEXT missing");
	head->unused =
		uid_next == 1 && (size_t)(end + 1 - (const char *)data) == size;
	return 0;
}
