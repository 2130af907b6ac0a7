/* SPDX-License-Identifier: MIT */
/* policy-nexthop: the hosts in the values of transport maps. */
#include "policy/policy-nexthop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct roost_policy_nexthop {
	const struct roost_conf_words *hosts;
};

static bool is_host(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		      c == '_' || c == ':'))
			return false;
	}
	return len > 0 && len <= 255;
}

struct roost_policy_nexthop *
roost_policy_nexthop_new(const struct roost_conf_words *hosts,
			 struct roost_err *err)
{
	struct roost_policy_nexthop *nexthop = calloc(1, sizeof(*nexthop));
	size_t i;

	if (nexthop == NULL) {
		roost_err_set(err, "out of memory");
		return NULL;
	}
	nexthop->hosts = hosts;
	for (i = 0; i < hosts->count; i++) {
		const char *word = hosts->word[i];
		const char *equals = strchr(word, '=');

		if (equals != NULL && is_host(word, (size_t)(equals - word)) &&
		    is_host(equals + 1, strlen(equals + 1)))
			continue;
		roost_err_set(err,
			      "'%.100s' is not old=new (like 0.0.0.0=mailman)",
			      word);
		roost_policy_nexthop_free(&nexthop);
		break;
	}
	return nexthop;
}

void roost_policy_nexthop_free(struct roost_policy_nexthop **nexthop)
{
	free(*nexthop);
	*nexthop = NULL;
}

/* Finds the host in "transport:[host]:port" and the like; its length, or 0. */
static size_t find_host(const char *value, const char **host_r)
{
	const char *s = strchr(value, ':');
	size_t len;

	if (s == NULL || strcspn(value, " \t/,@") < (size_t)(s - value))
		return 0;
	s++;
	if (strncmp(s, "inet:", 5) == 0)
		s += 5;
	else if (strncmp(s, "unix:", 5) == 0)
		return 0;
	if (*s == '[') {
		*host_r = ++s;
		len = strcspn(s, "]");
		return s[len] == ']' ? len : 0;
	}
	*host_r = s;
	return strcspn(s, ":, \t");
}

/* What replaces the host: it is itself when nothing does. */
static const char *replacement(const struct roost_policy_nexthop *nexthop,
			       const char *host, size_t *len)
{
	size_t i;

	for (i = 0; i < nexthop->hosts->count; i++) {
		const char *word = nexthop->hosts->word[i];
		size_t old = strcspn(word, "=");

		if (old == *len && strncasecmp(word, host, old) == 0) {
			*len = strlen(word + old + 1);
			return word + old + 1;
		}
	}
	return host;
}

static bool is_nowhere(const char *host, size_t len)
{
	static const char *const nowhere[] = {
		"0.0.0.0", "0", "::", "::0", "ipv6:::", "ipv6:::0"
	};
	size_t i;

	for (i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		if (strlen(nowhere[i]) == len &&
		    strncasecmp(host, nowhere[i], len) == 0)
			return true;
	}
	return false;
}

int roost_policy_nexthop_rewrite(const struct roost_policy_nexthop *nexthop,
				 const char *value,
				 char text[ROOST_POLICY_NEXTHOP_MAX])
{
	const char *host = value, *now, *rest;
	size_t len = find_host(value, &host), now_len = len;
	int n;

	now = len == 0 ? host : replacement(nexthop, host, &now_len);
	if (len > 0 && is_nowhere(now, now_len))
		return -1;
	rest = host + len;
	n = snprintf(text, ROOST_POLICY_NEXTHOP_MAX, "%.*s%.*s%s",
		     (int)(host - value), value, (int)now_len, now, rest);
	return n < 0 || n >= ROOST_POLICY_NEXTHOP_MAX ? -1 : 0;
}
