/* SPDX-License-Identifier: MIT */
/* policy-settings: the settings of roost-policyd (roost-policyd(8)). */
#ifndef ROOST_POLICY_POLICY_SETTINGS_H
#define ROOST_POLICY_POLICY_SETTINGS_H

#include "common/base/conf.h"
#include "daemon/daemon.h"

#define ROOST_POLICY_CONF_PATH "/etc/roost/policy.conf"

enum roost_policy_mode { ROOST_POLICY_ENFORCE, ROOST_POLICY_OBSERVE };

enum roost_policy_limit_state {
	ROOST_POLICY_LIMIT_RCPT,
	ROOST_POLICY_LIMIT_MESSAGE
};
enum roost_policy_preset {
	ROOST_POLICY_PRESET_NONE,
	ROOST_POLICY_PRESET_MAILU,
	ROOST_POLICY_PRESET_POSTFIXADMIN
};
enum roost_policy_sender {
	ROOST_POLICY_SENDER_OFF,
	ROOST_POLICY_SENDER_LOCAL,
	ROOST_POLICY_SENDER_STRICT
};
enum roost_policy_limit_away {
	ROOST_POLICY_LIMIT_LOCAL,
	ROOST_POLICY_LIMIT_REFUSE
};

struct roost_policy_settings {
	struct roost_daemon_settings daemon; /* must be first */
	struct roost_conf_listen listen;
	int64_t socket_mode;
	const char *socket_owner;
	struct roost_cidr_set *ingress_networks;
	struct roost_cidr_set *trusted_networks;
	struct roost_conf_words trusted_senders;
	bool detect_networks;
	struct roost_cidr_set *detect_except;
	bool trust_xclient_logins;
	int64_t mode;
	const char *redis, *redis_password;
	int64_t redis_timeout;
	const char *limit_user, *limit_domain, *limit_client;
	const char *limit_recipient_domain;
	int64_t limit_state, limit_without_redis, limit_nodes;
	const char *notice_sent, *notice_refused;
	int64_t sender_login; /* enum roost_policy_sender */
	struct roost_conf_words local_domains, sender_logins;
	const char *sender_delimiter;
	const char *postgres, *table_notify;
	int64_t table_preset; /* enum roost_policy_preset */
	const char *local_domains_query, *sender_logins_query;
	int64_t table_refresh, max_stale;
	struct roost_conf_listen socketmap_listen;
	struct roost_conf_words socketmaps, socketmap_hosts;
	const char *socketmap_query;
	int64_t request_timeout, idle_timeout;
};

extern const struct roost_conf_table roost_policy_settings_table;

/* Whether the limits can be parsed. */
int roost_policy_settings_check_limits(const struct roost_conf *conf,
				       struct roost_err *err);

#endif
