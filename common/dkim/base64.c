/* SPDX-License-Identifier: MIT */
/* base64: the encoding of tag values. */
#include "common/dkim/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void roost_base64_encode(const void *data, size_t len, struct roost_buf *out)
{
	const unsigned char *p = data;
	uint32_t group;
	char four[4];
	size_t i, n;

	for (i = 0; i < len; i += 3) {
		n = len - i < 3 ? len - i : 3;
		group = (uint32_t)p[i] << 16;
		if (n > 1)
			group |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			group |= p[i + 2];
		four[0] = alphabet[group >> 18];
		four[1] = alphabet[(group >> 12) & 63];
		four[2] = n > 1 ? alphabet[(group >> 6) & 63] : '=';
		four[3] = n > 2 ? alphabet[group & 63] : '=';
		roost_buf_append(out, four, 4);
	}
}

/* Appends the bytes of one group of 2 to 4 digits; 0 when no bit is lost. */
static int decode_group(uint32_t group, unsigned int digits,
			struct roost_buf *out)
{
	unsigned char bytes[3];

	group <<= 6 * (4 - digits);
	bytes[0] = (unsigned char)(group >> 16);
	bytes[1] = (unsigned char)(group >> 8);
	bytes[2] = (unsigned char)group;
	roost_buf_append(out, bytes, digits - 1);
	if (digits == 2)
		return bytes[1] == 0 && bytes[2] == 0 ? 0 : -1;
	return digits == 4 || bytes[2] == 0 ? 0 : -1;
}

int roost_base64_decode(const char *str, size_t len, struct roost_buf *out)
{
	unsigned int digits = 0, pads = 0;
	uint32_t group = 0;
	const char *at;
	size_t i;

	for (i = 0; i < len; i++) {
		if (str[i] == ' ' || str[i] == '\t' || str[i] == '\r' ||
		    str[i] == '\n')
			continue;
		if (str[i] == '=') {
			if (digits < 2 || digits + ++pads > 4)
				return -1;
			continue;
		}
		at = str[i] == '\0' ? NULL : strchr(alphabet, str[i]);
		if (at == NULL || pads > 0)
			return -1;
		group = group << 6 | (uint32_t)(at - alphabet);
		if (++digits == 4) {
			(void)decode_group(group, 4, out);
			digits = 0;
			group = 0;
		}
	}
	if (digits > 0 &&
	    (digits + pads != 4 || decode_group(group, digits, out) != 0))
		return -1;
	return out->failed ? -1 : 0;
}
