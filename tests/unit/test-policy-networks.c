/* SPDX-License-Identifier: MIT */
/* Unit tests of policy/policy-networks and policy/policy-snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "policy/policy-networks.h"
#include "policy/policy-settings.h"
#include "policy/policy-snapshot.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The set as text, words separated by a blank. */
static void assert_set(struct roost_cidr_set *set, const char *expected)
{
	struct roost_buf buf = ROOST_BUF_INIT(4096);
	char text[ROOST_CIDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < roost_cidr_set_count(set); i++)
		roost_buf_printf(
			&buf, "%s%s", i == 0 ? "" : " ",
			roost_cidr_format(roost_cidr_set_get(set, i), text));
	assert_string_equal(roost_buf_str(&buf), expected);
	roost_buf_free(&buf);
}

static void test_routes(void **state)
{
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_err err;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text),
		 "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\t"
		 "Mask\t\tMTU\tWindow\tIRTT\n"
		 "eth0\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		 "eth1\t00000000\t%08X\t0003\t0\t0\t9\t00000000\t0\t0\t0\n"
		 "eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
		 "eth0\t%08X\t%08X\t0003\t0\t0\t0\t%08X\t0\t0\t0\n"
		 "down\t00000000\t%08X\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"
		 "garbage\n",
		 htonl(0xac110001), htonl(0xc0000201), htonl(0x0a010000),
		 htonl(0x0a000001), htonl(0xffff0000), htonl(0x01020304));
	assert_int_equal(roost_policy_networks_add_routes(set, text, &err), 0);
	assert_set(set, "172.17.0.1/32 192.0.2.1/32");
	roost_cidr_set_free(&set);
}

static void test_routes6(void **state)
{
	static const char text[] =
		"20010db8000000000000000000000000 40 "
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000100 00000001 00000000 "
		"00000001     eth0\n"
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 "
		"20010db8000000000000000000000001 00000400 00000001 00000000 "
		"00000003     eth0\n"
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 ffffffff 00000001 00000000 "
		"00200200       lo\n";
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_err err;

	(void)state;
	assert_int_equal(roost_policy_networks_add_routes6(set, text, &err), 0);
	assert_set(set, "2001:db8::1/128");
	roost_cidr_set_free(&set);
}

static void test_first_hosts(void **state)
{
	static const char *const trusted[] = {
		"172.18.0.0/16", "192.0.2.0/30", "198.51.100.0/31",
		"203.0.113.9",	 "127.0.0.0/8",	 "2001:db8:5::/64",
		"::1",		 "fe80::/10",
	};
	struct roost_cidr_set *nets = roost_cidr_set_new(),
			      *set = roost_cidr_set_new();
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(trusted); i++)
		assert_int_equal(
			roost_cidr_set_add_text(nets, trusted[i], &err), 0);
	assert_int_equal(roost_policy_networks_add_first_hosts(set, nets, &err),
			 0);
	assert_set(set, "172.18.0.1/32 192.0.2.1/32 2001:db8:5::1/128 "
			"fe80::1/128");
	roost_cidr_set_free(&set);
	roost_cidr_set_free(&nets);
}

static void test_own(void **state)
{
	static const char *const addrs[] = { "192.0.2.25", "127.0.0.2",
					     "10.0.0.7",   "10.255.3.4",
					     "10.0.1.7",   "2001:db8::25" };
	struct roost_policy_networks networks = {
		.ingress = roost_cidr_set_new(),
		.own = roost_cidr_set_new(),
	};
	struct roost_addr addr;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(addrs); i++) {
		assert_int_equal(roost_addr_parse(addrs[i], &addr, &err), 0);
		assert_int_equal(
			roost_policy_networks_add_own(&networks, &addr, &err),
			0);
	}
	assert_set(networks.ingress, "10.0.0.0/24 10.255.0.0/16");
	assert_set(networks.own, "10.0.0.7/32 10.0.1.7/32 10.255.3.4/32 "
				 "192.0.2.25/32 2001:db8::25/128");
	roost_policy_networks_free(&networks);
}

static struct roost_conf *conf_of(const char *text)
{
	const struct roost_conf_input input = { .path = "policy.conf" };
	struct roost_err err;
	struct roost_conf *conf = roost_conf_parse(
		&roost_policy_settings_table, &input, text, strlen(text), &err);

	if (conf == NULL)
		fail_msg("%s", err.msg);
	return conf;
}

static void test_bad_configuration(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "listen =",
		  "policy.conf:1: listen: must name a socket at least" },
		{ "mode = observe\ntrusted_senders = 192.0.2.7=a.tld,\n"
		  " 192.0.2.9\n",
		  "policy.conf:2: trusted_senders: '192.0.2.9' is not "
		  "network=domain (like 192.0.2.7=lists.example.org)" },
	};
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		struct roost_conf *conf = conf_of(bad[i].text);

		assert_int_equal(roost_policy_snapshot_check(conf, &err), -1);
		assert_string_equal(err.msg, bad[i].error);
		roost_conf_free(&conf);
	}
}

static void test_requests(void **state)
{
	static const struct {
		const char *attrs[6];
		const char *rule, *error;
	} cases[] = {
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "client_address=10.0.0.2", "server_address=192.0.2.25" },
		  "ingress",
		  NULL },
		{ { "request=smtpd_access_policy", "protocol_state=VRFY",
		    "client_address=192.0.2.7", "server_address=192.0.2.25" },
		  "trusted",
		  NULL },
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "client_address=unknown", "server_address=192.0.2.25" },
		  "unknown-address",
		  NULL },
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "client_address=fe80::7%eth0",
		    "server_address=fe80::25%eth0" },
		  "not-trusted",
		  NULL },
		{ { "protocol_state=RCPT", "client_address=192.0.2.7",
		    "server_address=192.0.2.25" },
		  NULL,
		  "no request=smtpd_access_policy" },
		{ { "request=junk_mail_policy", "protocol_state=RCPT",
		    "client_address=192.0.2.7", "server_address=192.0.2.25" },
		  NULL,
		  "no request=smtpd_access_policy" },
		{ { "request=smtpd_access_policy", "client_address=192.0.2.7",
		    "server_address=192.0.2.25" },
		  NULL,
		  "no known protocol_state" },
		{ { "request=smtpd_access_policy", "protocol_state=rcpt",
		    "client_address=192.0.2.7", "server_address=192.0.2.25" },
		  NULL,
		  "no known protocol_state" },
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "server_address=192.0.2.25" },
		  NULL,
		  "no client_address" },
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "client_address=192.0.2.7" },
		  NULL,
		  "no server_address" },
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "client_address=192.0.2.", "server_address=192.0.2.25" },
		  NULL,
		  "client_address: '192.0.2.' is not an IP address" },
		{ { "request=smtpd_access_policy", "protocol_state=RCPT",
		    "client_address=", "server_address=192.0.2.25",
		    "sasl_username=me", "sasl_method=PLAIN" },
		  NULL,
		  "client_address: '' is not an IP address" },
	};
	struct roost_conf *conf = conf_of("detect_networks = no\n"
					  "ingress_networks = 10.0.0.0/24\n"
					  "trusted_networks = 192.0.2.0/24\n");
	struct roost_policy_snapshot *snapshot;
	struct roost_err err;
	size_t i, k;

	(void)state;
	snapshot = roost_policy_snapshot_new(conf, &err);
	assert_non_null(snapshot);
	assert_false(roost_policy_snapshot_observes(snapshot));
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_policy_request request;
		struct roost_relay_result result;
		bool masked;
		int ret;

		roost_policy_request_reset(&request);
		for (k = 0; k < 6 && cases[i].attrs[k] != NULL; k++)
			assert_int_equal(
				roost_policy_request_set(
					&request, cases[i].attrs[k], &err),
				0);
		ret = roost_policy_snapshot_decide(snapshot, &request, &result,
						   &masked, &err);
		assert_int_equal(ret, cases[i].rule != NULL ? 0 : -1);
		if (ret == 0)
			assert_string_equal(result.rule, cases[i].rule);
		else
			assert_string_equal(err.msg, cases[i].error);
	}
	roost_policy_snapshot_free(&snapshot);
	roost_conf_free(&conf);
}

static void test_subtract(void **state)
{
	static const struct {
		const char *name, *net[3], *except[3], *left[3];
	} cases[] = {
		{ "nothing", { "192.0.2.1" }, { NULL }, { "192.0.2.1/32" } },
		{ "itself", { "192.0.2.1" }, { "192.0.2.1" }, { NULL } },
		{ "one of two",
		  { "192.0.2.1", "2001:db8::1" },
		  { "192.0.2.0/24" },
		  { "2001:db8::1/128" } },
		{ "a part is not enough",
		  { "10.0.0.0/24" },
		  { "10.0.0.0/25", "10.0.0.7" },
		  { "10.0.0.0/24" } },
	};
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_err err;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_cidr_set *set = roost_cidr_set_new();
		struct roost_cidr_set *except = roost_cidr_set_new();

		for (k = 0; k < 3 && cases[i].net[k] != NULL; k++)
			assert_int_equal(roost_cidr_set_add_text(
						 set, cases[i].net[k], &err),
					 0);
		for (k = 0; k < 3 && cases[i].except[k] != NULL; k++)
			assert_int_equal(
				roost_cidr_set_add_text(
					except, cases[i].except[k], &err),
				0);
		assert_int_equal(
			roost_policy_networks_subtract(&set, except, &err), 0);
		for (k = 0; k < 3 && cases[i].left[k] != NULL; k++)
			assert_string_equal(
				roost_cidr_format(roost_cidr_set_get(set, k),
						  text),
				cases[i].left[k]);
		assert_int_equal(roost_cidr_set_count(set), k);
		roost_cidr_set_free(&set);
		roost_cidr_set_free(&except);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_routes6),
		cmocka_unit_test(test_first_hosts),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_subtract),
		cmocka_unit_test(test_bad_configuration),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
