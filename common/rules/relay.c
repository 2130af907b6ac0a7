/* SPDX-License-Identifier: MIT */
/* relay: may this client send mail through us to anywhere? */
#include "common/rules/relay.h"

#include <string.h>
#include <strings.h>

static void decide(struct roost_relay_result *result,
		   enum roost_relay_verdict verdict, const char *rule)
{
	result->verdict = verdict;
	result->rule = rule;
}

/* Whether the set holds the address; notes the network that does. */
static bool is_in(const struct roost_cidr_set *set,
		  const struct roost_addr *addr,
		  struct roost_relay_result *result)
{
	if (!roost_cidr_set_find(set, addr, &result->network))
		return false;
	result->has_network = true;
	return true;
}

static bool is_authenticated(const struct roost_relay_networks *networks,
			     const struct roost_relay_request *request)
{
	if (request->sasl_username == NULL || *request->sasl_username == '\0' ||
	    request->sasl_method == NULL || *request->sasl_method == '\0')
		return false;
	/* whoever may speak XCLIENT can claim any login */
	return networks->xclient_logins ||
	       strcasecmp(request->sasl_method, "XCLIENT") != 0;
}

/* The rule by which the address may be a mask, or NULL. */
static const char *find_mask(const struct roost_relay_networks *networks,
			     const struct roost_relay_request *request,
			     struct roost_relay_result *result)
{
	if (is_in(networks->ingress, &request->client, result))
		return "ingress";
	if (is_in(networks->ingress, &request->server, result))
		return "ingress-server";
	if (is_in(networks->gateways, &request->client, result))
		return "gateway";
	if (is_in(networks->own, &request->client, result))
		return "own-address";
	/* rootless port forwarding, or a forged PROXY header */
	if (roost_addr_is_loopback(&request->client) &&
	    !roost_addr_is_loopback(&request->server))
		return "loopback-mask";
	return NULL;
}

bool roost_relay_is_masked(const struct roost_relay_networks *networks,
			   const struct roost_relay_request *request)
{
	struct roost_relay_result result;

	return find_mask(networks, request, &result) != NULL;
}

static bool domain_matches(const char *domain, const char *sender)
{
	const char *at = sender == NULL ? NULL : strrchr(sender, '@');
	size_t len, want = strlen(domain);

	if (at == NULL || at[1] == '\0')
		return false;
	len = strlen(++at);
	if (*domain != '.')
		return strcasecmp(domain, at) == 0;
	return len > want && strcasecmp(domain, at + len - want) == 0;
}

/* Whether grants limit the client; *allowed_r: one of them lets it pass. */
static bool find_grants(const struct roost_relay_networks *networks,
			const struct roost_relay_request *request,
			struct roost_relay_result *result, bool *allowed_r)
{
	size_t i;

	*allowed_r = false;
	for (i = 0; i < networks->grant_count && !*allowed_r; i++) {
		const struct roost_relay_grant *grant = &networks->grants[i];

		if (!roost_cidr_contains(&grant->source, &request->client))
			continue;
		result->network = grant->source;
		result->has_network = true;
		*allowed_r = domain_matches(grant->domain, request->sender);
	}
	return result->has_network;
}

void roost_relay_decide(const struct roost_relay_networks *networks,
			const struct roost_relay_request *request,
			struct roost_relay_result *result_r)
{
	const char *mask;
	bool allowed;

	memset(result_r, 0, sizeof(*result_r));
	if (networks == NULL)
		decide(result_r, ROOST_RELAY_TEMPFAIL, "no-configuration");
	else if (is_authenticated(networks, request))
		decide(result_r, ROOST_RELAY_DUNNO, "authenticated");
	else if (request->client.family == 0 || request->server.family == 0)
		decide(result_r, ROOST_RELAY_REJECT_UNAUTH, "unknown-address");
	else if ((mask = find_mask(networks, request, result_r)) != NULL)
		decide(result_r, ROOST_RELAY_REJECT_UNAUTH, mask);
	else if (find_grants(networks, request, result_r, &allowed))
		decide(result_r,
		       allowed ? ROOST_RELAY_DUNNO : ROOST_RELAY_REJECT_UNAUTH,
		       allowed ? "granted-sender" : "sender-not-granted");
	else if (is_in(networks->trusted, &request->client, result_r))
		decide(result_r, ROOST_RELAY_DUNNO, "trusted");
	else
		decide(result_r, ROOST_RELAY_REJECT_UNAUTH, "not-trusted");
}

const char *roost_relay_reply(enum roost_relay_verdict verdict)
{
	switch (verdict) {
	case ROOST_RELAY_DUNNO:
		return "DUNNO";
	case ROOST_RELAY_REJECT_UNAUTH:
		return "reject_unauth_destination";
	case ROOST_RELAY_LIMITED:
		return "450 4.7.1 Sending limit reached, try again later";
	case ROOST_RELAY_NOT_OWNER:
		return "553 5.7.1 Sender address is not yours";
	case ROOST_RELAY_TEMPFAIL:
	case ROOST_RELAY_VERDICT_COUNT:
		break;
	}
	/* with its text: Postfix takes a bare 451 for a permit */
	return "451 4.3.5 Relaying cannot be decided now";
}

const char *roost_relay_verdict_name(enum roost_relay_verdict verdict)
{
	switch (verdict) {
	case ROOST_RELAY_DUNNO:
		return "dunno";
	case ROOST_RELAY_REJECT_UNAUTH:
		return "reject";
	case ROOST_RELAY_LIMITED:
		return "limited";
	case ROOST_RELAY_NOT_OWNER:
		return "not-owner";
	case ROOST_RELAY_TEMPFAIL:
	case ROOST_RELAY_VERDICT_COUNT:
		break;
	}
	return "tempfail";
}

int roost_relay_grant_parse(const char *text, struct roost_relay_grant *grant_r,
			    struct roost_err *err)
{
	const char *equals = strchr(text, '=');
	char source[64];
	size_t len;

	len = equals == NULL ? 0 : (size_t)(equals - text);
	if (len == 0 || len >= sizeof(source))
		return roost_err_set(err,
				     "'%.60s' is not network=domain (like "
				     "192.0.2.7=lists.example.org)",
				     text);
	memcpy(source, text, len);
	source[len] = '\0';
	if (roost_cidr_parse(source, &grant_r->source, err) < 0)
		return -1;
	grant_r->domain = equals + 1;
	len = strlen(grant_r->domain);
	if (len == 0 || len > 255 || strcmp(grant_r->domain, ".") == 0 ||
	    strpbrk(grant_r->domain, "@=*/\\\"<> ") != NULL)
		return roost_err_set(err, "'%.60s': '%.60s' is not a domain",
				     text, grant_r->domain);
	return 0;
}
