/* SPDX-License-Identifier: MIT */
/* policy-networks: which addresses this machine shows to be masks. */
#include "policy/policy-networks.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* as in linux/route.h, which clashes with net/if.h on musl */
#define ROUTE_UP 0x1U
#define ROUTE_GATEWAY 0x2U
#define LINE_SIZE 512

/* What Docker gives to the ingress network of a swarm, now and before. */
static const char *const swarm_ingress[] = { "10.0.0.0/24", "10.255.0.0/16" };

static int add_host(struct roost_cidr_set *set, const struct roost_addr *addr,
		    struct roost_err *err)
{
	struct roost_cidr cidr;

	if (addr->family == 0)
		return 0;
	roost_cidr_around(addr, 128, &cidr);
	return roost_cidr_set_add(set, &cidr, err);
}

/* Copies the next line of the text; returns what follows it, or NULL. */
static const char *next_line(const char *text, char line[LINE_SIZE])
{
	size_t len = strcspn(text, "\n");

	if (*text == '\0')
		return NULL;
	(void)snprintf(line, LINE_SIZE, "%.*s", (int)len, text);
	return text + len + (text[len] == '\n' ? 1 : 0);
}

int roost_policy_networks_add_routes(struct roost_cidr_set *gateways,
				     const char *text, struct roost_err *err)
{
	char line[LINE_SIZE];

	while ((text = next_line(text, line)) != NULL) {
		unsigned int dest, gateway, flags, mask;
		struct roost_addr addr;

		/* addresses are integers of this machine's byte order */
		if (sscanf(line, "%*s %8x %8x %4x %*d %*d %*d %8x", &dest,
			   &gateway, &flags, &mask) != 4 ||
		    dest != 0 || mask != 0 || gateway == 0 ||
		    (flags & (ROUTE_UP | ROUTE_GATEWAY)) !=
			    (ROUTE_UP | ROUTE_GATEWAY))
			continue;
		roost_addr_from_bytes(&gateway, 4, &addr);
		if (add_host(gateways, &addr, err) < 0)
			return -1;
	}
	return 0;
}

int roost_policy_networks_add_routes6(struct roost_cidr_set *gateways,
				      const char *text, struct roost_err *err)
{
	char line[LINE_SIZE];

	while ((text = next_line(text, line)) != NULL) {
		unsigned int dest_bits, flags, byte, i;
		char dest[33], gateway[33];
		struct roost_addr addr;
		uint8_t bytes[16];

		if (sscanf(line, "%32s %2x %*s %*s %32s %*s %*s %*s %8x", dest,
			   &dest_bits, gateway, &flags) != 4 ||
		    dest_bits != 0 || strlen(gateway) != 32 ||
		    (flags & (ROUTE_UP | ROUTE_GATEWAY)) !=
			    (ROUTE_UP | ROUTE_GATEWAY))
			continue;
		for (i = 0; i < 16; i++) {
			if (sscanf(gateway + 2 * i, "%2x", &byte) != 1)
				break;
			bytes[i] = (uint8_t)byte;
		}
		if (i < 16)
			continue;
		roost_addr_from_bytes(bytes, 16, &addr);
		if (add_host(gateways, &addr, err) < 0)
			return -1;
	}
	return 0;
}

int roost_policy_networks_add_first_hosts(struct roost_cidr_set *gateways,
					  const struct roost_cidr_set *nets,
					  struct roost_err *err)
{
	size_t i;

	for (i = 0; i < roost_cidr_set_count(nets); i++) {
		const struct roost_cidr *net = roost_cidr_set_get(nets, i);
		unsigned int all = net->addr.family == 4 ? 32 : 128;
		struct roost_addr first = net->addr;

		if (net->bits == 0 || net->bits > all - 2 ||
		    roost_addr_is_loopback(&first))
			continue;
		first.bytes[all / 8 - 1] |= 1;
		if (add_host(gateways, &first, err) < 0)
			return -1;
	}
	return 0;
}

int roost_policy_networks_add_own(struct roost_policy_networks *networks,
				  const struct roost_addr *addr,
				  struct roost_err *err)
{
	struct roost_cidr net;
	size_t i;

	if (roost_addr_is_loopback(addr))
		return 0;
	for (i = 0; i < sizeof(swarm_ingress) / sizeof(swarm_ingress[0]); i++) {
		if (roost_cidr_parse(swarm_ingress[i], &net, err) < 0)
			return -1;
		if (roost_cidr_contains(&net, addr) &&
		    roost_cidr_set_add(networks->ingress, &net, err) < 0)
			return -1;
	}
	return add_host(networks->own, addr, err);
}

static int add_interfaces(struct roost_policy_networks *networks,
			  struct roost_err *err)
{
	struct ifaddrs *list, *i;
	int ret = 0;

	if (getifaddrs(&list) < 0)
		return roost_err_set(err, "cannot list the interfaces: %s",
				     strerror(errno));
	for (i = list; i != NULL && ret == 0; i = i->ifa_next) {
		struct roost_addr addr = { .family = 0 };

		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_LOOPBACK) != 0)
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in sin;

			memcpy(&sin, i->ifa_addr, sizeof(sin));
			roost_addr_from_bytes(&sin.sin_addr, 4, &addr);
		} else if (i->ifa_addr->sa_family == AF_INET6) {
			struct sockaddr_in6 sin6;

			memcpy(&sin6, i->ifa_addr, sizeof(sin6));
			roost_addr_from_bytes(&sin6.sin6_addr, 16, &addr);
		}
		if (addr.family != 0)
			ret = roost_policy_networks_add_own(networks, &addr,
							    err);
	}
	freeifaddrs(list);
	return ret;
}

/* Hands a routing table on line by line: it may be long. */
static int read_routes(const char *path, bool optional,
		       int (*add)(struct roost_cidr_set *, const char *,
				  struct roost_err *),
		       struct roost_cidr_set *gateways, struct roost_err *err)
{
	FILE *f = fopen(path, "re");
	char line[LINE_SIZE];
	int ret = 0;

	if (f == NULL && errno == ENOENT && optional)
		return 0;
	if (f == NULL)
		return roost_err_set(err, "%s: %s", path, strerror(errno));
	while (ret == 0 && fgets(line, sizeof(line), f) != NULL)
		ret = add(gateways, line, err);
	if (ret == 0 && ferror(f))
		ret = roost_err_set(err, "%s: %s", path, strerror(errno));
	fclose(f);
	return ret;
}

int roost_policy_networks_subtract(struct roost_cidr_set **set,
				   const struct roost_cidr_set *except,
				   struct roost_err *err)
{
	struct roost_cidr_set *rest = roost_cidr_set_new();
	size_t i;

	if (rest == NULL)
		return roost_err_set(err, "out of memory");
	for (i = 0; i < roost_cidr_set_count(*set); i++) {
		const struct roost_cidr *net = roost_cidr_set_get(*set, i);
		struct roost_cidr around;

		if (roost_cidr_set_find(except, &net->addr, &around) &&
		    around.bits <= net->bits)
			continue;
		if (roost_cidr_set_add(rest, net, err) < 0) {
			roost_cidr_set_free(&rest);
			return -1;
		}
	}
	roost_cidr_set_free(set);
	*set = rest;
	return 0;
}

static int detect(struct roost_policy_networks *networks,
		  const struct roost_cidr_set *trusted,
		  const struct roost_cidr_set *except, struct roost_err *err)
{
	if (add_interfaces(networks, err) < 0 ||
	    read_routes("/proc/net/route", false,
			roost_policy_networks_add_routes, networks->gateways,
			err) < 0 ||
	    read_routes("/proc/net/ipv6_route", true,
			roost_policy_networks_add_routes6, networks->gateways,
			err) < 0 ||
	    roost_policy_networks_add_first_hosts(networks->gateways, trusted,
						  err) < 0 ||
	    roost_policy_networks_subtract(&networks->ingress, except, err) <
		    0 ||
	    roost_policy_networks_subtract(&networks->gateways, except, err) <
		    0 ||
	    roost_policy_networks_subtract(&networks->own, except, err) < 0)
		return roost_err_prefix(err, "detect_networks");
	return 0;
}

int roost_policy_networks_detect(struct roost_policy_networks *networks,
				 const struct roost_cidr_set *trusted,
				 const struct roost_cidr_set *except,
				 struct roost_err *err)
{
	networks->ingress = roost_cidr_set_new();
	networks->gateways = roost_cidr_set_new();
	networks->own = roost_cidr_set_new();
	if (networks->ingress == NULL || networks->gateways == NULL ||
	    networks->own == NULL)
		return roost_err_set(err, "out of memory");
	return detect(networks, trusted, except, err);
}

static bool sets_equal(const struct roost_cidr_set *a,
		       const struct roost_cidr_set *b)
{
	size_t i, count = a == NULL ? 0 : roost_cidr_set_count(a);

	if (count != (b == NULL ? 0 : roost_cidr_set_count(b)))
		return false;
	for (i = 0; i < count; i++) {
		const struct roost_cidr *x = roost_cidr_set_get(a, i);
		const struct roost_cidr *y = roost_cidr_set_get(b, i);

		if (x->bits != y->bits || x->addr.family != y->addr.family ||
		    memcmp(x->addr.bytes, y->addr.bytes, 16) != 0)
			return false;
	}
	return true;
}

bool roost_policy_networks_equal(const struct roost_policy_networks *a,
				 const struct roost_policy_networks *b)
{
	return sets_equal(a->ingress, b->ingress) &&
	       sets_equal(a->gateways, b->gateways) &&
	       sets_equal(a->own, b->own);
}

void roost_policy_networks_free(struct roost_policy_networks *networks)
{
	roost_cidr_set_free(&networks->ingress);
	roost_cidr_set_free(&networks->gateways);
	roost_cidr_set_free(&networks->own);
}
