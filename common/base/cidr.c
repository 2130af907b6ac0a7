/* SPDX-License-Identifier: MIT */
/* cidr: IP addresses, networks, and sets of networks with fast lookup. */
#include "common/base/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct roost_cidr_set {
	/* sorted by family and address; none contains another */
	struct roost_cidr *nets;
	size_t count, room;
};

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static unsigned int family_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

void roost_addr_from_bytes(const void *bytes, size_t len,
			   struct roost_addr *addr_r)
{
	const uint8_t *b = bytes;

	memset(addr_r, 0, sizeof(*addr_r));
	if (len == 16 && memcmp(b, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		b += sizeof(mapped_prefix);
		len = 4;
	}
	if (len != 4 && len != 16)
		return;
	addr_r->family = len == 4 ? 4 : 6;
	memcpy(addr_r->bytes, b, len);
}

/* Whether `text` is an address; mapped ones are kept as they are written. */
static bool parse_raw(const char *text, uint8_t bytes[16], size_t *len_r)
{
	*len_r = strchr(text, ':') != NULL ? 16 : 4;
	return inet_pton(*len_r == 16 ? AF_INET6 : AF_INET, text, bytes) == 1;
}

int roost_addr_parse(const char *text, struct roost_addr *addr_r,
		     struct roost_err *err)
{
	uint8_t bytes[16];
	size_t len;

	memset(addr_r, 0, sizeof(*addr_r));
	if (!parse_raw(text, bytes, &len))
		return roost_err_set(err, "'%.60s' is not an IP address", text);
	roost_addr_from_bytes(bytes, len, addr_r);
	return 0;
}

const char *roost_addr_format(const struct roost_addr *addr,
			      char text[ROOST_ADDR_TEXT_MAX])
{
	int af = addr->family == 4 ? AF_INET : AF_INET6;

	if (addr->family == 0 ||
	    inet_ntop(af, addr->bytes, text, ROOST_ADDR_TEXT_MAX) == NULL)
		snprintf(text, ROOST_ADDR_TEXT_MAX, "unknown");
	return text;
}

bool roost_addr_is_loopback(const struct roost_addr *addr)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (addr->family == 4)
		return addr->bytes[0] == 127;
	return addr->family == 6 && memcmp(addr->bytes, one, 16) == 0;
}

void roost_cidr_around(const struct roost_addr *addr, unsigned int bits,
		       struct roost_cidr *cidr_r)
{
	unsigned int i, max = family_bits(addr->family);

	if (bits > max)
		bits = max;
	cidr_r->addr = *addr;
	cidr_r->bits = (uint8_t)bits;
	for (i = bits / 8; i < 16; i++) {
		unsigned int keep = i == bits / 8 ? bits % 8 : 0;

		cidr_r->addr.bytes[i] &= (uint8_t)(0xff00U >> keep);
	}
}

/* The prefix length after the slash: decimal digits, at most `max`. */
static bool parse_bits(const char *text, unsigned int max, unsigned int *bits_r)
{
	unsigned int bits = 0;

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		bits = bits * 10 + (unsigned int)(*text - '0');
		if (bits > max)
			return false;
	}
	*bits_r = bits;
	return true;
}

/* Splits "addr/bits" or "[addr]/bits"; *bits_r is NULL without a slash. */
static bool split_cidr(const char *text, char addr[64], const char **bits_r)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);

	*bits_r = slash != NULL ? slash + 1 : NULL;
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		if (memchr(text, ':', len) == NULL)
			return false;
		text++;
		len -= 2;
	}
	if (len >= 64)
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	return true;
}

int roost_cidr_parse(const char *text, struct roost_cidr *cidr_r,
		     struct roost_err *err)
{
	char host[64], right[ROOST_CIDR_TEXT_MAX];
	struct roost_addr addr;
	const char *bits_text;
	unsigned int bits;
	uint8_t bytes[16];
	size_t len;

	memset(cidr_r, 0, sizeof(*cidr_r));
	if (!split_cidr(text, host, &bits_text) ||
	    !parse_raw(host, bytes, &len))
		return roost_err_set(err,
				     "'%.60s' is not a network "
				     "(like 192.0.2.0/24 or 2001:db8::/32)",
				     text);
	bits = (unsigned int)len * 8;
	if (bits_text != NULL && !parse_bits(bits_text, bits, &bits))
		return roost_err_set(
			err, "'%.60s': the prefix length must be 0 to %zu",
			text, len * 8);
	roost_addr_from_bytes(bytes, len, &addr);
	if (len == 16 && addr.family == 4) {
		/* ::ffff:0:0/95 and wider hold more than IPv4 */
		if (bits < 96)
			return roost_err_set(
				err,
				"'%.60s': host bits are set (an IPv4-mapped "
				"network has at least 96 bits)",
				text);
		bits -= 96;
	}
	roost_cidr_around(&addr, bits, cidr_r);
	if (memcmp(&cidr_r->addr, &addr, sizeof(addr)) != 0)
		return roost_err_set(
			err, "'%.60s': host bits are set; the network is %s",
			text, roost_cidr_format(cidr_r, right));
	return 0;
}

const char *roost_cidr_format(const struct roost_cidr *cidr,
			      char text[ROOST_CIDR_TEXT_MAX])
{
	char addr[ROOST_ADDR_TEXT_MAX];

	snprintf(text, ROOST_CIDR_TEXT_MAX, "%s/%u",
		 roost_addr_format(&cidr->addr, addr), cidr->bits);
	return text;
}

bool roost_cidr_contains(const struct roost_cidr *cidr,
			 const struct roost_addr *addr)
{
	unsigned int whole = cidr->bits / 8, rest = cidr->bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	if (addr->family == 0 || addr->family != cidr->addr.family ||
	    memcmp(addr->bytes, cidr->addr.bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((addr->bytes[whole] ^ cidr->addr.bytes[whole]) & mask) == 0;
}

struct roost_cidr_set *roost_cidr_set_new(void)
{
	return calloc(1, sizeof(struct roost_cidr_set));
}

void roost_cidr_set_free(struct roost_cidr_set **set)
{
	if (*set == NULL)
		return;
	free((*set)->nets);
	free(*set);
	*set = NULL;
}

/* The number of networks whose address is at or below addr. */
static size_t set_upper(const struct roost_cidr_set *set,
			const struct roost_addr *addr)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(&set->nets[mid].addr, addr, sizeof(*addr)) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool set_reserve(struct roost_cidr_set *set)
{
	size_t room = set->room == 0 ? 8 : set->room * 2;
	struct roost_cidr *nets;

	if (set->count < set->room)
		return true;
	if (set->count >= ROOST_CIDR_SET_MAX)
		return false;
	nets = realloc(set->nets, room * sizeof(*nets));
	if (nets == NULL)
		return false;
	set->nets = nets;
	set->room = room;
	return true;
}

int roost_cidr_set_add(struct roost_cidr_set *set,
		       const struct roost_cidr *cidr, struct roost_err *err)
{
	size_t at = set_upper(set, &cidr->addr), end;

	if (at > 0 && set->nets[at - 1].bits <= cidr->bits &&
	    roost_cidr_contains(&set->nets[at - 1], &cidr->addr))
		return 0;
	if (!set_reserve(set))
		return roost_err_set(err, "too many networks (at most %d)",
				     ROOST_CIDR_SET_MAX);
	/* a wider network with the same address replaces the one before */
	if (at > 0 && roost_cidr_contains(cidr, &set->nets[at - 1].addr))
		at--;
	for (end = at; end < set->count &&
		       roost_cidr_contains(cidr, &set->nets[end].addr);)
		end++;
	memmove(set->nets + at + 1, set->nets + end,
		(set->count - end) * sizeof(*set->nets));
	set->nets[at] = *cidr;
	set->count = set->count - (end - at) + 1;
	return 0;
}

int roost_cidr_set_add_text(struct roost_cidr_set *set, const char *text,
			    struct roost_err *err)
{
	struct roost_cidr cidr;

	if (roost_cidr_parse(text, &cidr, err) < 0)
		return -1;
	return roost_cidr_set_add(set, &cidr, err);
}

int roost_cidr_set_add_all(struct roost_cidr_set *set,
			   const struct roost_cidr_set *from,
			   struct roost_err *err)
{
	size_t i;

	for (i = 0; from != NULL && i < from->count; i++) {
		if (roost_cidr_set_add(set, &from->nets[i], err) < 0)
			return -1;
	}
	return 0;
}

bool roost_cidr_set_find(const struct roost_cidr_set *set,
			 const struct roost_addr *addr,
			 struct roost_cidr *cidr_r)
{
	size_t at;

	if (set == NULL || addr->family == 0)
		return false;
	at = set_upper(set, addr);
	if (at == 0 || !roost_cidr_contains(&set->nets[at - 1], addr))
		return false;
	if (cidr_r != NULL)
		*cidr_r = set->nets[at - 1];
	return true;
}

bool roost_cidr_set_overlap(const struct roost_cidr_set *a,
			    const struct roost_cidr_set *b,
			    struct roost_cidr *in_a_r,
			    struct roost_cidr *in_b_r)
{
	size_t i = 0, j = 0;

	while (i < a->count && j < b->count) {
		const struct roost_cidr *x = &a->nets[i], *y = &b->nets[j];

		if (roost_cidr_contains(x, &y->addr) ||
		    roost_cidr_contains(y, &x->addr)) {
			*in_a_r = *x;
			*in_b_r = *y;
			return true;
		}
		if (memcmp(&x->addr, &y->addr, sizeof(x->addr)) < 0)
			i++;
		else
			j++;
	}
	return false;
}

size_t roost_cidr_set_count(const struct roost_cidr_set *set)
{
	return set->count;
}

const struct roost_cidr *roost_cidr_set_get(const struct roost_cidr_set *set,
					    size_t i)
{
	return &set->nets[i];
}
