/* SPDX-License-Identifier: MIT */
/*
 * roost-settings: the defaults and the form of the values; what is the same
 * on both releases of Dovecot.
 */
#include "lib.h"
#include "hostpid.h"
#include "net.h"
#include "dovecot-plugins/settings/roost-settings.h"

#define LEASE_TTL_MIN 2
#define LEASE_TTL_MAX 300
#define NODE_NAME_MAX 255

const struct roost_settings roost_default_settings = {
#define ROOST_STR(name, def, doc) .name = def,
#define ROOST_SECS(name, def, doc) .name = def,
	ROOST_SETTINGS(ROOST_STR, ROOST_SECS)
#undef ROOST_STR
#undef ROOST_SECS
};

const char *roost_settings_node(const struct roost_settings *set)
{
	return *set->roost_node != '\0' ? set->roost_node : my_hostname;
}

void roost_settings_free(const struct roost_settings **_set)
{
	const struct roost_settings *set = *_set;
	pool_t pool;

	if (set == NULL)
		return;
	*_set = NULL;
	pool = set->pool;
	pool_unref(&pool);
}

/* Node names become parts of Redis keys and of log lines. */
static bool node_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return name[len] == '\0' && len <= NODE_NAME_MAX;
}

static bool ports_are_valid(const char *ports, const char **error_r)
{
	static const char *const services[] = {
		"imap", "pop3", "lmtp", "submission", "sieve", "doveadm", NULL
	};
	const char *const *word = t_strsplit_spaces(ports, " ,\t");
	in_port_t port;

	for (; *word != NULL; word++) {
		const char *colon = strchr(*word, ':');

		if (colon == NULL || net_str2port(colon + 1, &port) < 0) {
			*error_r = t_strdup_printf("\"%s\" is not service:port",
						   *word);
			return FALSE;
		}
		if (!str_array_find(services, t_strdup_until(*word, colon))) {
			*error_r = t_strdup_printf(
				"\"%s\": the service is none of %s", *word,
				t_strarray_join(services, " "));
			return FALSE;
		}
	}
	return TRUE;
}

static bool redis_is_valid(const char *redis)
{
	const char *colon;
	in_port_t port;

	if (*redis == '\0' || strncmp(redis, "unix:/", 6) == 0)
		return TRUE;
	colon = strrchr(redis, ':');
	return colon != NULL && colon != redis && strchr(redis, '/') == NULL &&
	       net_str2port(colon + 1, &port) == 0;
}

static bool check_node(const struct roost_settings *set, const char **error_r)
{
	struct ip_addr ip;

	if (!node_is_valid(set->roost_node)) {
		*error_r = t_strdup_printf(
			"roost_node=%s: only letters, digits, \".\", \"_\" "
			"and \"-\" may stand in a node's name",
			set->roost_node);
		return FALSE;
	}
	if (*set->roost_node_addr != '\0' &&
	    net_addr2ip(set->roost_node_addr, &ip) < 0) {
		*error_r =
			t_strdup_printf("roost_node_addr=%s: not an IP address",
					set->roost_node_addr);
		return FALSE;
	}
	if (!ports_are_valid(set->roost_node_ports, error_r)) {
		*error_r = t_strdup_printf("roost_node_ports: %s", *error_r);
		return FALSE;
	}
	return TRUE;
}

bool roost_settings_check(const struct roost_settings *set,
			  const char **error_r)
{
	if (!check_node(set, error_r))
		return FALSE;
	if (!redis_is_valid(set->roost_redis)) {
		*error_r = t_strdup_printf(
			"roost_redis=%s: neither host:port nor unix:/path",
			set->roost_redis);
		return FALSE;
	}
	if (*set->roost_redis != '\0' && *set->roost_node_addr == '\0') {
		*error_r = "roost_redis is set, but roost_node_addr is not: "
			   "the other nodes must know how to reach this one";
		return FALSE;
	}
	if (set->roost_lease_ttl < LEASE_TTL_MIN ||
	    set->roost_lease_ttl > LEASE_TTL_MAX) {
		*error_r = t_strdup_printf(
			"roost_lease_ttl=%u secs: must be %d to %d seconds",
			set->roost_lease_ttl, LEASE_TTL_MIN, LEASE_TTL_MAX);
		return FALSE;
	}
	if (strcmp(set->roost_user_key, "user") != 0 &&
	    strcmp(set->roost_user_key, "domain") != 0) {
		*error_r = t_strdup_printf(
			"roost_user_key=%s: neither user nor domain",
			set->roost_user_key);
		return FALSE;
	}
	if (*set->roost_index_root != '\0' && *set->roost_index_root != '/') {
		*error_r = t_strdup_printf(
			"roost_index_root=%s: not an absolute path",
			set->roost_index_root);
		return FALSE;
	}
	return TRUE;
}
