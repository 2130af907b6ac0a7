/* SPDX-License-Identifier: MIT */
/* Unit tests of common/rules/relay: the decision order, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/rules/relay.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct roost_cidr_set *set_of(const char *text)
{
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_err err;
	char copy[256], *word, *save;

	strcpy(copy, text);
	for (word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		assert_int_equal(roost_cidr_set_add_text(set, word, &err), 0);
	return set;
}

static const struct {
	const char *name, *client, *server, *user, *method, *sender;
	enum roost_relay_verdict verdict;
	const char *rule;
} cases[] = {
	{ "stranger", "198.51.100.7", "192.0.2.25", NULL, NULL, "a@b.tld",
	  ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "stranger, IPv6", "2001:db8::7", "2001:db8::25", "", "", "a@b.tld",
	  ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "trusted", "192.0.2.7", "192.0.2.25", NULL, NULL, "a@b.tld",
	  ROOST_RELAY_DUNNO, "trusted" },
	{ "trusted, mapped", "::ffff:192.0.2.7", "192.0.2.25", NULL, NULL, NULL,
	  ROOST_RELAY_DUNNO, "trusted" },
	{ "trusted, IPv6", "2001:db8:1::7", "2001:db8::25", NULL, NULL, NULL,
	  ROOST_RELAY_DUNNO, "trusted" },
	{ "login", "198.51.100.7", "192.0.2.25", "me", "PLAIN", "a@b.tld",
	  ROOST_RELAY_DUNNO, "authenticated" },
	{ "login from the ingress", "10.0.0.2", "10.0.0.9", "me", "PLAIN",
	  "a@b.tld", ROOST_RELAY_DUNNO, "authenticated" },
	{ "login, address unknown", NULL, NULL, "me", "LOGIN", "a@b.tld",
	  ROOST_RELAY_DUNNO, "authenticated" },
	{ "user without a method", "198.51.100.7", "192.0.2.25", "me", "",
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "method without a user", "198.51.100.7", "192.0.2.25", "", "PLAIN",
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "login by XCLIENT", "198.51.100.7", "192.0.2.25", "me", "XCLIENT",
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "login by xclient", "198.51.100.7", "192.0.2.25", "me", "xclient",
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "ingress", "10.0.0.2", "192.0.2.25", NULL, NULL, "a@b.tld",
	  ROOST_RELAY_REJECT_UNAUTH, "ingress" },
	{ "ingress inside trusted", "192.0.2.200", "192.0.2.25", NULL, NULL,
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "ingress" },
	{ "trusted client on an ingress address", "192.0.2.7", "10.0.0.9", NULL,
	  NULL, "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "ingress-server" },
	{ "gateway inside trusted", "192.0.2.1", "192.0.2.25", NULL, NULL,
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "gateway" },
	{ "own address inside trusted", "192.0.2.25", "192.0.2.25", NULL, NULL,
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "own-address" },
	{ "rootless port forwarding", "127.0.0.1", "192.0.2.25", NULL, NULL,
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "loopback-mask" },
	{ "forged PROXY header, IPv6", "::1", "2001:db8::25", NULL, NULL,
	  "a@b.tld", ROOST_RELAY_REJECT_UNAUTH, "loopback-mask" },
	{ "loopback for real", "127.0.0.1", "127.0.0.1", NULL, NULL, "a@b.tld",
	  ROOST_RELAY_DUNNO, "trusted" },
	{ "loopback that is not trusted", "::1", "::1", NULL, NULL, "a@b.tld",
	  ROOST_RELAY_REJECT_UNAUTH, "not-trusted" },
	{ "client unknown", NULL, "192.0.2.25", NULL, NULL, "a@b.tld",
	  ROOST_RELAY_REJECT_UNAUTH, "unknown-address" },
	{ "server unknown", "192.0.2.7", NULL, NULL, NULL, "a@b.tld",
	  ROOST_RELAY_REJECT_UNAUTH, "unknown-address" },
	{ "granted", "203.0.113.5", "192.0.2.25", NULL, NULL,
	  "x-bounces@Lists.example.ORG", ROOST_RELAY_DUNNO, "granted-sender" },
	{ "granted, second domain", "203.0.113.5", "192.0.2.25", NULL, NULL,
	  "a@b.sub.example.net", ROOST_RELAY_DUNNO, "granted-sender" },
	{ "not below the granted domain", "203.0.113.5", "192.0.2.25", NULL,
	  NULL, "a@sub.example.net", ROOST_RELAY_REJECT_UNAUTH,
	  "sender-not-granted" },
	{ "another domain", "203.0.113.5", "192.0.2.25", NULL, NULL,
	  "a@example.org", ROOST_RELAY_REJECT_UNAUTH, "sender-not-granted" },
	{ "a domain that ends alike", "203.0.113.5", "192.0.2.25", NULL, NULL,
	  "a@xlists.example.org", ROOST_RELAY_REJECT_UNAUTH,
	  "sender-not-granted" },
	{ "granted, null sender", "203.0.113.5", "192.0.2.25", NULL, NULL, "",
	  ROOST_RELAY_REJECT_UNAUTH, "sender-not-granted" },
	{ "granted, no domain", "203.0.113.5", "192.0.2.25", NULL, NULL,
	  "lists.example.org@", ROOST_RELAY_REJECT_UNAUTH,
	  "sender-not-granted" },
	{ "grant binds an address that is trusted", "192.0.2.77", "192.0.2.25",
	  NULL, NULL, "a@b.tld", ROOST_RELAY_REJECT_UNAUTH,
	  "sender-not-granted" },
	{ "grant on an ingress address", "10.0.0.5", "192.0.2.25", NULL, NULL,
	  "a@lists.example.org", ROOST_RELAY_REJECT_UNAUTH, "ingress" },
};

static void fill_address(const char *text, struct roost_addr *addr)
{
	struct roost_err err;

	memset(addr, 0, sizeof(*addr));
	if (text != NULL)
		assert_int_equal(roost_addr_parse(text, addr, &err), 0);
}

static void test_decisions(void **state)
{
	static const char *const grant_texts[] = {
		"203.0.113.5=lists.example.org",
		"203.0.113.0/24=.sub.example.net",
		"192.0.2.77=lists.example.org",
		"10.0.0.5=lists.example.org",
	};
	struct roost_relay_grant grants[COUNT(grant_texts)];
	struct roost_cidr_set *ingress = set_of("10.0.0.0/24 192.0.2.128/25"),
			      *gateways = set_of("192.0.2.1"),
			      *own = set_of("192.0.2.25"),
			      *trusted = set_of("192.0.2.0/24 127.0.0.0/8 "
						"2001:db8:1::/48");
	struct roost_relay_networks networks = {
		.ingress = ingress,
		.gateways = gateways,
		.own = own,
		.trusted = trusted,
		.grants = grants,
		.grant_count = COUNT(grants),
	};
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(grants); i++)
		assert_int_equal(roost_relay_grant_parse(grant_texts[i],
							 &grants[i], &err),
				 0);
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_relay_request request = {
			.sasl_username = cases[i].user,
			.sasl_method = cases[i].method,
			.sender = cases[i].sender,
		};
		struct roost_relay_result result;

		fill_address(cases[i].client, &request.client);
		fill_address(cases[i].server, &request.server);
		roost_relay_decide(&networks, &request, &result);
		if (strcmp(result.rule, cases[i].rule) != 0)
			fail_msg("%s: %s", cases[i].name, result.rule);
		assert_int_equal(result.verdict, cases[i].verdict);
	}
	roost_cidr_set_free(&ingress);
	roost_cidr_set_free(&gateways);
	roost_cidr_set_free(&own);
	roost_cidr_set_free(&trusted);
}

static void test_xclient_allowed(void **state)
{
	struct roost_relay_networks networks = { .xclient_logins = true };
	struct roost_relay_request request = {
		.sasl_username = "me",
		.sasl_method = "XCLIENT",
	};
	struct roost_relay_result result;

	(void)state;
	roost_relay_decide(&networks, &request, &result);
	assert_int_equal(result.verdict, ROOST_RELAY_DUNNO);
	assert_string_equal(result.rule, "authenticated");
}

static void test_nothing_known(void **state)
{
	struct roost_relay_networks networks = { NULL };
	struct roost_relay_request request = { .sender = "a@b.tld" };
	struct roost_relay_result result;

	(void)state;
	fill_address("192.0.2.7", &request.client);
	fill_address("192.0.2.25", &request.server);
	roost_relay_decide(NULL, &request, &result);
	assert_int_equal(result.verdict, ROOST_RELAY_TEMPFAIL);
	assert_string_equal(result.rule, "no-configuration");
	roost_relay_decide(&networks, &request, &result);
	assert_int_equal(result.verdict, ROOST_RELAY_REJECT_UNAUTH);
}

/* What Postfix would take for a permit must not be among the replies. */
static void test_replies(void **state)
{
	static const char *const replies[] = {
		"DUNNO",
		"reject_unauth_destination",
		"451 4.3.5 Relaying cannot be decided now",
		"450 4.7.1 Sending limit reached, try again later",
		"553 5.7.1 Sender address is not yours",
	};
	int verdict;

	(void)state;
	for (verdict = -1; verdict < 10; verdict++) {
		const char *reply =
			roost_relay_reply((enum roost_relay_verdict)verdict);

		assert_string_equal(reply, verdict < 0 || verdict > 4
						   ? replies[2]
						   : replies[verdict]);
	}
}

static void test_grant_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "192.0.2.7", "'192.0.2.7' is not network=domain (like "
			       "192.0.2.7=lists.example.org)" },
		{ "=x.tld", "'=x.tld' is not network=domain (like "
			    "192.0.2.7=lists.example.org)" },
		{ "192.0.2.7/24=x.tld",
		  "'192.0.2.7/24': host bits are set; the network is "
		  "192.0.2.0/24" },
		{ "192.0.2.7=", "'192.0.2.7=': '' is not a domain" },
		{ "192.0.2.7=.", "'192.0.2.7=.': '.' is not a domain" },
		{ "192.0.2.7=a@x.tld",
		  "'192.0.2.7=a@x.tld': 'a@x.tld' is not a domain" },
	};
	struct roost_relay_grant grant;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(
			roost_relay_grant_parse(bad[i].text, &grant, &err), -1);
		assert_string_equal(err.msg, bad[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_xclient_allowed),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_grant_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
