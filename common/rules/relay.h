/* SPDX-License-Identifier: MIT */
/*
 * relay: may this client send mail through us to anywhere?
 *
 * One pure function, so that the daemon and `roostctl explain` cannot differ.
 * It never says yes: the best verdict, DUNNO, leaves the decision to Postfix's
 * own restrictions; the others take the relay right away whatever mynetworks
 * says. An address in the ingress network is never evidence of origin
 * (invariant I6); what is not known never relays.
 */
#ifndef ROOST_RULES_RELAY_H
#define ROOST_RULES_RELAY_H

#include <stdbool.h>

#include "common/base/cidr.h"
#include "common/base/err.h"

enum roost_relay_verdict {
	/* Postfix's own rules decide. */
	ROOST_RELAY_DUNNO,
	/* Only to destinations that Postfix itself is responsible for. */
	ROOST_RELAY_REJECT_UNAUTH,
	/* No decision is possible. */
	ROOST_RELAY_TEMPFAIL,
	/* Later: a limit is used up. */
	ROOST_RELAY_LIMITED,
	/* The sender address is not the login's. */
	ROOST_RELAY_NOT_OWNER,
	ROOST_RELAY_VERDICT_COUNT
};

/* A source that may send with one sender domain only: ".example.org" means
   every domain below example.org. */
struct roost_relay_grant {
	struct roost_cidr source;
	const char *domain;
};

struct roost_relay_networks {
	/* where masked addresses come from; any of them may be NULL */
	const struct roost_cidr_set *ingress;
	const struct roost_cidr_set *gateways;
	const struct roost_cidr_set *own; /* of this machine, no loopback */
	const struct roost_cidr_set *trusted;
	const struct roost_relay_grant *grants;
	size_t grant_count;
	bool xclient_logins; /* a login passed on by XCLIENT counts */
};

struct roost_relay_request {
	struct roost_addr client, server;	 /* family 0: unknown */
	const char *sasl_username, *sasl_method; /* "" or NULL: none */
	const char *sender; /* "" or NULL: the null sender */
};

struct roost_relay_result {
	enum roost_relay_verdict verdict;
	const char *rule; /* the name of what decided: docs/events.md */
	bool has_network;
	struct roost_cidr network; /* the network that the rule found */
};

/* `networks` NULL: nothing is known, a temporary failure. */
void roost_relay_decide(const struct roost_relay_networks *networks,
			const struct roost_relay_request *request,
			struct roost_relay_result *result_r);

/* Whether the client's or server's address may be a mask. */
bool roost_relay_is_masked(const struct roost_relay_networks *networks,
			   const struct roost_relay_request *request);

/* The action for Postfix: one of five fixed strings. */
const char *roost_relay_reply(enum roost_relay_verdict verdict);

/* "dunno", "reject", "tempfail", "limited" or "not-owner": for logs and
   metrics. */
const char *roost_relay_verdict_name(enum roost_relay_verdict verdict);

/* Parses "network=domain"; the domain is kept by reference. */
int roost_relay_grant_parse(const char *text, struct roost_relay_grant *grant_r,
			    struct roost_err *err);

#endif
