/* SPDX-License-Identifier: MIT */
/* policy-settings: the settings of roost-policyd (roost-policyd(8)). */
#include "policy/policy-settings.h"

static const char *const modes[] = {
	[ROOST_POLICY_ENFORCE] = "enforce",
	[ROOST_POLICY_OBSERVE] = "observe",
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
