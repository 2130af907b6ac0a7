/* SPDX-License-Identifier: MIT */
/*
 * milter-conf: the settings of roost-milter, and what the handler threads
 * need of them.
 *
 * The settings struct belongs to the main thread and ends with the conf it
 * came from; a `signing` is an immutable, counted copy of the part that
 * decides about messages.
 */
#ifndef ROOST_MILTER_MILTER_CONF_H
#define ROOST_MILTER_MILTER_CONF_H

#include <stdbool.h>

#include "common/base/cidr.h"
#include "common/base/conf.h"
#include "common/dkim/sign.h"
#include "daemon/daemon.h"

struct roost_milter_settings {
	struct roost_daemon_settings daemon; /* first */
	struct roost_conf_listen listen;
	const char *socket_owner;
	int64_t socket_mode;
	const char *key_directory;
	struct roost_conf_words selectors;
	const char *key_file, *key_selector;
	struct roost_conf_words key_domains;
	bool subdomains;
	const char *key_table, *signing_table;
	const char *postgres, *postgres_table, *postgres_query;
	const char *postgres_channel;
	int64_t postgres_timeout;
	int64_t key_poll_interval;
	int64_t minimum_key_bits;
	struct roost_conf_words domains;
	struct roost_cidr_set *internal_networks, *ingress_networks;
	const char *internal_hosts;
	int64_t canonicalization;
	struct roost_conf_words sign_headers, oversign_headers, omit_headers;
	int64_t signature_lifetime;
	int64_t on_missing_key, on_bad_from, on_unparseable_from, on_error;
	int64_t on_long_line;
};

extern const struct roost_conf_table roost_milter_conf_table;

/* What no single row can say; roost_daemon_ops.check. */
int roost_milter_conf_check(const struct roost_conf *conf,
			    struct roost_err *err);

/* The answer to the mail server; the order is that of the settings' words. */
enum roost_action {
	ROOST_ACTION_PASS,
	ROOST_ACTION_TEMPFAIL,
	ROOST_ACTION_REJECT,
	ROOST_ACTION_CONTINUE, /* no setting: the message goes on being read */
};

struct roost_signing {
	struct roost_sign_rules rules;
	struct roost_cidr_set *internal, *ingress;
	struct roost_conf_words domains; /* lower case */
	enum roost_action on_missing_key, on_bad_from, on_unparseable_from;
	enum roost_action on_error;
	bool reject_long_lines;
};

/* Reads internal_hosts, too. NULL: err set. */
struct roost_signing *
roost_milter_conf_signing(const struct roost_milter_settings *settings,
			  const struct roost_log *log, struct roost_err *err);
struct roost_signing *roost_signing_ref(struct roost_signing *signing);
void roost_signing_unref(struct roost_signing **signing);

/* Whether mail of this client is ours to sign: it authenticated, or it is in
   the internal networks. An address of the ingress networks may be anybody's
   and is never internal. */
bool roost_signing_is_submission(const struct roost_signing *signing,
				 const struct roost_addr *client,
				 bool authenticated);

/* Whether `domains` names it. */
bool roost_signing_is_our_domain(const struct roost_signing *signing,
				 const char *domain);

#endif
