/* SPDX-License-Identifier: MIT */
/* policy-settings: the settings of roost-policyd (roost-policyd(8)). */
#include "policy/policy-settings.h"

#include "common/rules/ratelimit.h"

static const char *const modes[] = {
	[ROOST_POLICY_ENFORCE] = "enforce",
	[ROOST_POLICY_OBSERVE] = "observe",
	NULL,
};

static const char *const limit_states[] = {
	[ROOST_POLICY_LIMIT_RCPT] = "rcpt",
	[ROOST_POLICY_LIMIT_MESSAGE] = "end-of-message",
	NULL,
};

static const char *const limit_aways[] = {
	[ROOST_POLICY_LIMIT_LOCAL] = "local",
	[ROOST_POLICY_LIMIT_REFUSE] = "refuse",
	NULL,
};

static const char *const presets[] = {
	[ROOST_POLICY_PRESET_NONE] = "none",
	[ROOST_POLICY_PRESET_MAILU] = "mailu",
	[ROOST_POLICY_PRESET_POSTFIXADMIN] = "postfixadmin",
	NULL,
};

static const char *const senders[] = {
	[ROOST_POLICY_SENDER_OFF] = "off",
	[ROOST_POLICY_SENDER_LOCAL] = "local",
	[ROOST_POLICY_SENDER_STRICT] = "strict",
	NULL,
};

#define ROW(name, ...) ROOST_CONF_ROW(roost_policy_settings, name, __VA_ARGS__)

static const struct roost_conf_row rows[] = {
	ROW(listen, LISTEN, "unix:/var/spool/postfix/roost/policy.sock",
	    "Where Postfix asks: a list of unix:/path and inet:host:port."),
	ROW(socket_mode, MODE, "0660", "File mode of the unix sockets."),
	ROW(socket_owner, STRING, "",
	    "Owner of the unix sockets: user, user:group or :group. Empty: "
	    "the user that starts the daemon. Postfix must be able to write "
	    "to the socket, so :postfix is the usual value."),
	ROW(ingress_networks, CIDRS, "",
	    "Networks whose addresses say nothing about where a client is, "
	    "because connections from anywhere are masked by them: a Swarm "
	    "ingress network, the nodes of a Kubernetes cluster, a proxy. "
	    "Without a login nobody relays from there, or through a server "
	    "address in there, even if mynetworks and trusted_networks hold "
	    "the address."),
	ROW(trusted_networks, CIDRS, "",
	    "Networks that may relay without a login, as far as Postfix's own "
	    "restrictions allow it."),
	ROW(trusted_senders, LIST, "",
	    "Single sources that may relay with some sender domains only: a "
	    "list of network=domain, where .domain means everything below a "
	    "domain. An address named here is bound to its domains even if "
	    "trusted_networks holds it."),
	ROW(detect_networks, BOOL, "yes",
	    "Also treat as ingress what this machine shows to be one: default "
	    "gateways, its own addresses, the first address of each trusted "
	    "network, and 10.0.0.0/24 and 10.255.0.0/16 if an interface is "
	    "in them. Looked up at start, at reload and whenever an address or "
	    "a route changes, and logged."),
	ROW(detect_except, CIDRS, "",
	    "Of what detect_networks finds, leave out what lies within these "
	    "networks: the operator knows that nobody is masked by them."),
	ROW(trust_xclient_logins, BOOL, "no",
	    "Whether a login that a proxy passed on by XCLIENT counts as "
	    "one."),
	ROW(mode, ENUM, "enforce",
	    "enforce, or observe: log each verdict and leave the decision to "
	    "Postfix.",
	    .choices = modes),
	ROW(redis, STRING, "",
	    "Redis that keeps the limits for all nodes together: host:port or "
	    "unix:/path. Empty: each daemon keeps them alone."),
	ROW(redis_password, STRING, "", "Password of Redis, if it has one.",
	    .flags = ROOST_CONF_SECRET),
	ROW(redis_timeout, DURATION, "50ms",
	    "How long an answer waits for Redis. After that the daemon goes "
	    "on as limit_without_redis says, until Redis is back.",
	    .min = 5, .max = 5000),
	ROW(limit_user, STRING, "",
	    "How many recipients one login may send to: count/time, such as "
	    "100/1h. Unused time adds up to a burst of count, or of the third "
	    "number in count/time/burst. Empty: no limit."),
	ROW(limit_domain, STRING, "",
	    "The same for all logins of one domain; a login without one, and "
	    "a client without a login, counts for the domain of the sender."),
	ROW(limit_client, STRING, "",
	    "The same for one client address (IPv6: its /64), unless it is "
	    "one that masks others."),
	ROW(limit_recipient_domain, STRING, "",
	    "The same for all that is sent to one domain. Limits count for "
	    "clients that may relay, not for mail from the world."),
	ROW(limit_state, ENUM, "rcpt",
	    "Which request counts: rcpt, one for each recipient, or "
	    "end-of-message, its number of recipients at once (the daemon "
	    "must be in smtpd_end_of_data_restrictions, too).",
	    .choices = limit_states),
	ROW(limit_without_redis, ENUM, "local",
	    "While Redis is away: local, each daemon lets its share pass; or "
	    "refuse, a temporary failure.",
	    .choices = limit_aways),
	ROW(limit_nodes, INT, "1",
	    "How many daemons share the limits: each lets pass that part of "
	    "them while Redis is away.",
	    .min = 1, .max = 10000),
	ROW(notice_sent, STRING, "500/1h",
	    "Log policy_user_unusual for a login that sends to more recipients "
	    "than this through this daemon. Hinders nobody."),
	ROW(notice_refused, STRING, "20/10m",
	    "The same for a login that is refused more often than this, for a "
	    "limit or a sender address that is not its own."),
	ROW(sender_login, ENUM, "off",
	    "Whether the sender address of a client with a login must belong "
	    "to the login: off; local, if its domain is one of local_domains; "
	    "strict, always. The login itself, with an extension, and the null "
	    "sender always do.",
	    .choices = senders),
	ROW(sender_delimiter, STRING, "+",
	    "Characters that begin the extension of an address, as Postfix's "
	    "recipient_delimiter."),
	ROW(local_domains, LIST, "",
	    "Tables of our domains: hash:/path, a plain file with a domain "
	    "and any value on each line, regexp:/path, or pgsql:, the rows of "
	    "local_domains_query."),
	ROW(sender_logins, LIST, "",
	    "Tables of the sender addresses that logins may use besides their "
	    "own: address or @domain, and a list of logins, as in Postfix's "
	    "smtpd_sender_login_maps. The same kinds."),
	ROW(postgres, STRING, "",
	    "Connect string of PostgreSQL for pgsql: tables.",
	    .flags = ROOST_CONF_SECRET),
	ROW(table_preset, ENUM, "none",
	    "Whose tables the queries that are not set are for: none, mailu "
	    "or postfixadmin.",
	    .choices = presets),
	ROW(local_domains_query, STRING, "",
	    "Query of our domains: one column. Empty: that of table_preset."),
	ROW(sender_logins_query, STRING, "",
	    "Query of sender addresses: the address and a login, or a list of "
	    "logins. Empty: that of table_preset."),
	ROW(table_notify, STRING, "roost_policy",
	    "Channel to LISTEN to: after a NOTIFY all queries run again."),
	ROW(table_refresh, DURATION, "60s",
	    "How often the queries run without a NOTIFY.", .min = 1000,
	    .max = 86400000),
	ROW(max_stale, DURATION, "1d",
	    "How long the last good table serves when its file or database "
	    "cannot be read. After that sender_login gives clients with a "
	    "login a temporary failure, and nobody else, and so do socketmaps.",
	    .min = 1000, .max = 31536000000),
	ROW(socketmap_listen, LISTEN, "",
	    "Where Postfix looks up tables over the socketmap protocol. Empty: "
	    "nowhere."),
	ROW(socketmaps, LIST, "",
	    "The tables: name=hash:/path, name=regexp:/path (such as Mailman "
	    "writes; no postmap is needed) or name=pgsql:, the rows of "
	    "socketmap_query."),
	ROW(socketmap_query, STRING, "",
	    "Query of a pgsql: socketmap: key and value."),
	ROW(socketmap_hosts, LIST, "",
	    "Hosts to replace in the values, as old=new: lmtp:[0.0.0.0]:8024 "
	    "becomes lmtp:[mailman]:8024 with 0.0.0.0=mailman. A value whose "
	    "host is 0.0.0.0 or :: then is refused."),
	ROW(request_timeout, DURATION, "10s",
	    "How long a request may take to arrive, and its answer to be "
	    "taken.",
	    .min = 100, .max = 600000),
	ROW(idle_timeout, DURATION, "1000s",
	    "How long a connection may stay without a request. Postfix keeps "
	    "an unused one for 300 seconds.",
	    .min = 1000, .max = 86400000),
	ROOST_DAEMON_CONF_ROWS,
};

const struct roost_conf_table roost_policy_settings_table = {
	.env_prefix = "ROOST_POLICY_",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.size = sizeof(struct roost_policy_settings),
};

int roost_policy_settings_check_limits(const struct roost_conf *conf,
				       struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	const struct {
		const char *name, *text;
	} limits[] = {
		{ "limit_user", set->limit_user },
		{ "limit_domain", set->limit_domain },
		{ "limit_client", set->limit_client },
		{ "limit_recipient_domain", set->limit_recipient_domain },
		{ "notice_sent", set->notice_sent },
		{ "notice_refused", set->notice_refused },
	};
	struct roost_ratelimit limit;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (roost_ratelimit_parse(limits[i].text, &limit, err) < 0)
			return roost_err_prefix(
				err, "%s: %s",
				roost_conf_origin_of(conf, limits[i].name),
				limits[i].name);
	}
	return 0;
}
