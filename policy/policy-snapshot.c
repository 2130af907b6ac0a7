/* SPDX-License-Identifier: MIT */
/* policy-snapshot: everything a decision needs. */
#include "policy/policy-snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "policy/policy-networks.h"
#include "policy/policy-settings.h"

struct roost_policy_snapshot {
	enum roost_policy_mode mode;
	struct roost_policy_networks detected; /* sets may be NULL */
	struct roost_cidr_set *ingress;	       /* configured and detected */
	struct roost_relay_grant *grants;
	struct roost_relay_networks networks;
};

/* Parses trusted_senders; *grants_r has one entry per word. */
static int parse_grants(const struct roost_conf *conf,
			struct roost_relay_grant **grants_r,
			struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	const struct roost_conf_words *words = &set->trusted_senders;
	struct roost_relay_grant *grants;
	size_t i;

	grants = calloc(words->count + 1, sizeof(*grants));
	if (grants == NULL)
		return roost_err_set(err, "out of memory");
	for (i = 0; i < words->count; i++) {
		if (roost_relay_grant_parse(words->word[i], &grants[i], err) <
		    0) {
			free(grants);
			return roost_err_prefix(
				err, "%s: trusted_senders",
				roost_conf_origin_of(conf, "trusted_senders"));
		}
	}
	*grants_r = grants;
	return 0;
}

int roost_policy_snapshot_check(const struct roost_conf *conf,
				struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	struct roost_relay_grant *grants;

	if (set->listen.count == 0)
		return roost_err_set(err,
				     "%s: listen: must name a socket at least",
				     roost_conf_origin_of(conf, "listen"));
	if (parse_grants(conf, &grants, err) < 0)
		return -1;
	free(grants);
	return roost_policy_settings_check_limits(conf, err);
}

static int fill(struct roost_policy_snapshot *s, const struct roost_conf *conf,
		struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);

	s->mode = (enum roost_policy_mode)set->mode;
	s->ingress = roost_cidr_set_new();
	if (s->ingress == NULL)
		return roost_err_set(err, "out of memory");
	if (parse_grants(conf, &s->grants, err) < 0 ||
	    (set->detect_networks &&
	     roost_policy_networks_detect(&s->detected, set->trusted_networks,
					  set->detect_except, err) < 0) ||
	    roost_cidr_set_add_all(s->ingress, set->ingress_networks, err) <
		    0 ||
	    roost_cidr_set_add_all(s->ingress, s->detected.ingress, err) < 0)
		return -1;
	s->networks.ingress = s->ingress;
	s->networks.gateways = s->detected.gateways;
	s->networks.own = s->detected.own;
	s->networks.trusted = set->trusted_networks;
	s->networks.grants = s->grants;
	s->networks.grant_count = set->trusted_senders.count;
	s->networks.xclient_logins = set->trust_xclient_logins;
	return 0;
}

struct roost_policy_snapshot *
roost_policy_snapshot_new(const struct roost_conf *conf, struct roost_err *err)
{
	struct roost_policy_snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		roost_err_set(err, "out of memory");
	else if (fill(s, conf, err) < 0)
		roost_policy_snapshot_free(&s);
	return s;
}

void roost_policy_snapshot_free(struct roost_policy_snapshot **snapshot)
{
	struct roost_policy_snapshot *s = *snapshot;

	if (s == NULL)
		return;
	*snapshot = NULL;
	roost_policy_networks_free(&s->detected);
	roost_cidr_set_free(&s->ingress);
	free(s->grants);
	free(s);
}

bool roost_policy_snapshot_same_networks(const struct roost_policy_snapshot *a,
					 const struct roost_policy_snapshot *b)
{
	return roost_policy_networks_equal(&a->detected, &b->detected);
}

static void log_detected(const struct roost_cidr_set *set, const char *kind,
			 const struct roost_log *log)
{
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_log_line line;
	size_t i;

	for (i = 0; set != NULL && i < roost_cidr_set_count(set); i++) {
		roost_log_begin(&line, log, ROOST_LOG_INFO, "network_detected");
		roost_log_str(&line, "kind", kind);
		roost_log_str(
			&line, "network",
			roost_cidr_format(roost_cidr_set_get(set, i), text));
		roost_log_end(&line);
	}
}

static void log_overlap(const struct roost_cidr_set *masks, const char *kind,
			const struct roost_cidr_set *trusted,
			const struct roost_log *log)
{
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr mask, net;
	struct roost_log_line line;

	if (masks == NULL ||
	    !roost_cidr_set_overlap(masks, trusted, &mask, &net))
		return;
	roost_log_begin(&line, log, ROOST_LOG_WARNING, "networks_overlap");
	roost_log_str(&line, "trusted", roost_cidr_format(&net, text));
	roost_log_str(&line, "kind", kind);
	roost_log_str(&line, "network", roost_cidr_format(&mask, text));
	roost_log_str(&line, "msg",
		      "what is in both is not trusted: see roost-policyd(8)");
	roost_log_end(&line);
}

void roost_policy_snapshot_log(const struct roost_policy_snapshot *snapshot,
			       const struct roost_log *log)
{
	const struct roost_relay_networks *n = &snapshot->networks;

	log_detected(snapshot->detected.ingress, "ingress", log);
	log_detected(snapshot->detected.gateways, "gateway", log);
	log_detected(snapshot->detected.own, "own", log);
	log_overlap(n->ingress, "ingress", n->trusted, log);
	log_overlap(n->own, "own", n->trusted, log);
}

bool roost_policy_snapshot_observes(const struct roost_policy_snapshot *s)
{
	return s->mode == ROOST_POLICY_OBSERVE;
}

const struct roost_relay_networks *
roost_policy_snapshot_networks(const struct roost_policy_snapshot *snapshot)
{
	return &snapshot->networks;
}

static bool is_known_state(const char *state)
{
	static const char *const states[] = {
		"CONNECT", "EHLO",	     "HELO", "MAIL", "RCPT",
		"DATA",	   "END-OF-MESSAGE", "VRFY", "ETRN",
	};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(state, states[i]) == 0)
			return true;
	}
	return false;
}

/* Postfix writes "unknown" for what is no IP address. */
static int parse_address(const struct roost_policy_request *request,
			 enum roost_policy_attr attr, const char *name,
			 struct roost_addr *addr_r, struct roost_err *err)
{
	const char *text = request->value[attr];
	char plain[128];

	if (text == NULL)
		return roost_err_set(err, "no %s", name);
	memset(addr_r, 0, sizeof(*addr_r));
	if (strcmp(text, "unknown") == 0)
		return 0;
	/* the zone of a link-local address says nothing here */
	if (strlen(text) < sizeof(plain)) {
		strcpy(plain, text);
		plain[strcspn(plain, "%")] = '\0';
		text = plain;
	}
	if (roost_addr_parse(text, addr_r, err) < 0)
		return roost_err_prefix(err, "%s", name);
	return 0;
}

int roost_policy_snapshot_decide(const struct roost_policy_snapshot *snapshot,
				 const struct roost_policy_request *request,
				 struct roost_relay_result *result_r,
				 bool *masked_r, struct roost_err *err)
{
	const char *const *value = request->value;
	struct roost_relay_request relay = {
		.sasl_username = value[ROOST_POLICY_SASL_USERNAME],
		.sasl_method = value[ROOST_POLICY_SASL_METHOD],
		.sender = value[ROOST_POLICY_SENDER],
	};

	if (value[ROOST_POLICY_REQUEST] == NULL ||
	    strcmp(value[ROOST_POLICY_REQUEST], "smtpd_access_policy") != 0)
		return roost_err_set(err, "no request=smtpd_access_policy");
	if (value[ROOST_POLICY_PROTOCOL_STATE] == NULL ||
	    !is_known_state(value[ROOST_POLICY_PROTOCOL_STATE]))
		return roost_err_set(err, "no known protocol_state");
	if (parse_address(request, ROOST_POLICY_CLIENT_ADDRESS,
			  "client_address", &relay.client, err) < 0 ||
	    parse_address(request, ROOST_POLICY_SERVER_ADDRESS,
			  "server_address", &relay.server, err) < 0)
		return -1;
	roost_relay_decide(&snapshot->networks, &relay, result_r);
	*masked_r = roost_relay_is_masked(&snapshot->networks, &relay);
	return 0;
}
