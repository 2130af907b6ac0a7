/* SPDX-License-Identifier: MIT */
/*
 * cidr: IP addresses, networks, and sets of networks with fast lookup.
 *
 * Both families live in one struct. An IPv4-mapped IPv6 address
 * (::ffff:192.0.2.1) is always turned into the IPv4 address it stands for, and
 * a network inside ::ffff:0:0/96 into an IPv4 network, so the same host never
 * has two forms. An IPv6 network such as ::/0 holds no IPv4 address.
 */
#ifndef ROOST_BASE_CIDR_H
#define ROOST_BASE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define ROOST_ADDR_TEXT_MAX 46 /* longest text with its NUL */
#define ROOST_CIDR_TEXT_MAX 50
#define ROOST_CIDR_SET_MAX 16384 /* networks in one set */

struct roost_addr {
	uint8_t family;	   /* 0 none, 4 or 6 */
	uint8_t bytes[16]; /* network order; the rest is zero */
};

struct roost_cidr {
	struct roost_addr addr; /* host bits are zero */
	uint8_t bits; /* prefix length in its family: 0..32 or 0..128 */
};

/* Parses a numeric address, nothing around it; no zone ("%eth0"). */
int roost_addr_parse(const char *text, struct roost_addr *addr_r,
		     struct roost_err *err);

/* The address of an AF_INET or AF_INET6 socket address given as its 4 or 16
   raw bytes (len); any other length gives family 0. */
void roost_addr_from_bytes(const void *bytes, size_t len,
			   struct roost_addr *addr_r);

/* Writes the shortest text form; "unknown" for family 0. Returns `text`. */
const char *roost_addr_format(const struct roost_addr *addr,
			      char text[ROOST_ADDR_TEXT_MAX]);

/* 127.0.0.0/8 or ::1 */
bool roost_addr_is_loopback(const struct roost_addr *addr);

/* Parses "addr/bits" or "addr" (one host). Also takes Postfix's "[v6]/bits".
   Host bits that are set are an error that names the network meant. */
int roost_cidr_parse(const char *text, struct roost_cidr *cidr_r,
		     struct roost_err *err);

/* The network of that many bits around an address (bits are cut to fit). */
void roost_cidr_around(const struct roost_addr *addr, unsigned int bits,
		       struct roost_cidr *cidr_r);

const char *roost_cidr_format(const struct roost_cidr *cidr,
			      char text[ROOST_CIDR_TEXT_MAX]);

bool roost_cidr_contains(const struct roost_cidr *cidr,
			 const struct roost_addr *addr);

/* A set of networks. Adding is for one owner; once filled it is only read,
   from any thread. */
struct roost_cidr_set;

struct roost_cidr_set *roost_cidr_set_new(void); /* NULL: out of memory */
void roost_cidr_set_free(struct roost_cidr_set **set);

/* Adds a network (one that the set already covers changes nothing); fails
   only without memory or past ROOST_CIDR_SET_MAX. */
int roost_cidr_set_add(struct roost_cidr_set *set,
		       const struct roost_cidr *cidr, struct roost_err *err);

/* Parses one network and adds it. */
int roost_cidr_set_add_text(struct roost_cidr_set *set, const char *text,
			    struct roost_err *err);

/* Adds all networks of `from`. */
int roost_cidr_set_add_all(struct roost_cidr_set *set,
			   const struct roost_cidr_set *from,
			   struct roost_err *err);

/* Whether an address is in the set; NULL and family 0 are in none.
 *cidr_r (may be NULL) is the network that holds it. O(log n). */
bool roost_cidr_set_find(const struct roost_cidr_set *set,
			 const struct roost_addr *addr,
			 struct roost_cidr *cidr_r);

/* The first pair of networks that have an address in common, lowest first. */
bool roost_cidr_set_overlap(const struct roost_cidr_set *a,
			    const struct roost_cidr_set *b,
			    struct roost_cidr *in_a_r,
			    struct roost_cidr *in_b_r);

/* The networks, lowest first (IPv4 before IPv6), none inside another. */
size_t roost_cidr_set_count(const struct roost_cidr_set *set);
const struct roost_cidr *roost_cidr_set_get(const struct roost_cidr_set *set,
					    size_t i);

#endif
