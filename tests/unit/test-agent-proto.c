/* SPDX-License-Identifier: MIT */
/* Unit tests of common/proto/agent-proto. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/kv.h"
#include "common/proto/agent-proto.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name, *line;
	int result;
	struct roost_agent_request req;
} request_cases[] = {
	{ "lookup",
	  "1\tLOOKUP\talice@example.com\timap",
	  1,
	  { .id = 1,
	    .command = ROOST_AGENT_LOOKUP,
	    .user = "alice@example.com",
	    .service = "imap" } },
	{ "claim with hop and an unknown key",
	  "2\tCLAIM\ta\tlmtp\tnew=1\thop=n1\tbare",
	  1,
	  { .id = 2,
	    .command = ROOST_AGENT_CLAIM,
	    .user = "a",
	    .service = "lmtp",
	    .hop = "n1" } },
	{ "a user that looks like a key",
	  "2\tCLAIM\thop=x\timap",
	  1,
	  { .id = 2,
	    .command = ROOST_AGENT_CLAIM,
	    .user = "hop=x",
	    .service = "imap" } },
	{ "awkward user",
	  "2147483647\tOPEN\t a\001tb\001n%u\xff\tpop3\t77",
	  1,
	  { .id = 2147483647,
	    .command = ROOST_AGENT_OPEN,
	    .user = " a\tb\n%u\xff",
	    .service = "pop3",
	    .pid = 77 } },
	{ "close",
	  "9\tCLOSE\t2",
	  1,
	  { .id = 9, .command = ROOST_AGENT_CLOSE, .open_id = 2 } },
	{ "status of the node",
	  "3\tSTATUS",
	  1,
	  { .id = 3, .command = ROOST_AGENT_STATUS } },
	{ "status of a user",
	  "3\tSTATUS\tbob",
	  1,
	  { .id = 3, .command = ROOST_AGENT_STATUS, .user = "bob" } },
	{ "nodes", "4\tNODES", 1, { .id = 4, .command = ROOST_AGENT_NODES } },
	{ "release",
	  "5\tRELEASE\tbob",
	  1,
	  { .id = 5, .command = ROOST_AGENT_RELEASE, .user = "bob" } },
	{ "kick",
	  "5\tKICK\tbob",
	  1,
	  { .id = 5, .command = ROOST_AGENT_KICK, .user = "bob" } },
	{ "move",
	  "5\tMOVE\tbob\tn2",
	  1,
	  { .id = 5,
	    .command = ROOST_AGENT_MOVE,
	    .user = "bob",
	    .node = "n2" } },
	{ "drain this node",
	  "5\tDRAIN",
	  1,
	  { .id = 5, .command = ROOST_AGENT_DRAIN } },
	{ "drain another",
	  "5\tDRAIN\tn2",
	  1,
	  { .id = 5, .command = ROOST_AGENT_DRAIN, .node = "n2" } },
	{ "undrain",
	  "5\tUNDRAIN\tn2",
	  1,
	  { .id = 5, .command = ROOST_AGENT_UNDRAIN, .node = "n2" } },
	{ "weight",
	  "5\tWEIGHT\tn2\t0",
	  1,
	  { .id = 5, .command = ROOST_AGENT_WEIGHT, .node = "n2" } },
	{ "weight too high", "6\tWEIGHT\tn2\t10001", 0, { .id = 6 } },
	{ "weight that is none", "6\tWEIGHT\tn2\t-1", 0, { .id = 6 } },
	{ "move to nowhere", "6\tMOVE\tbob", 0, { .id = 6 } },
	{ "move to an empty node", "6\tMOVE\tbob\t", 0, { .id = 6 } },
	{ "unknown command", "6\tlookup\ta\tb", 0, { .id = 6 } },
	{ "too few arguments", "6\tOPEN\ta\timap", 0, { .id = 6 } },
	{ "empty user", "6\tLOOKUP\t\timap", 0, { .id = 6 } },
	{ "empty service", "6\tLOOKUP\ta\t", 0, { .id = 6 } },
	{ "empty hop", "6\tCLAIM\ta\timap\thop=", 0, { .id = 6 } },
	{ "bad pid", "6\tOPEN\ta\timap\t-1", 0, { .id = 6 } },
	{ "pid 0", "6\tOPEN\ta\timap\t0", 0, { .id = 6 } },
	{ "no command", "6", -1, { .id = 6 } },
	{ "no ID", "LOOKUP\ta\timap", -1, { .id = 0 } },
	{ "ID 0", "0\tNODES", -1, { .id = 0 } },
	{ "ID too high", "2147483648\tNODES", -1, { .id = 0 } },
	{ "bad escape", "1\tLOOKUP\ta\001x\timap", -1, { .id = 0 } },
	{ "empty line", "", -1, { .id = 0 } },
};

static void check_str(const char *a, const char *b)
{
	if (b == NULL)
		assert_null(a);
	else
		assert_string_equal(a, b);
}

static void test_requests(void **state)
{
	struct roost_agent_request req;
	struct roost_err err;
	char line[256];
	size_t i;
	int result;

	(void)state;
	for (i = 0; i < COUNT(request_cases); i++) {
		print_message("# %s\n", request_cases[i].name);
		snprintf(line, sizeof(line), "%s", request_cases[i].line);
		result = roost_agent_proto_parse_request(line, strlen(line),
							 &req, &err);
		assert_int_equal(result, request_cases[i].result);
		assert_int_equal(req.id, request_cases[i].req.id);
		if (result <= 0) {
			assert_true(err.msg[0] != '\0');
			continue;
		}
		assert_int_equal(req.command, request_cases[i].req.command);
		check_str(req.user, request_cases[i].req.user);
		check_str(req.service, request_cases[i].req.service);
		check_str(req.hop, request_cases[i].req.hop);
		check_str(req.node, request_cases[i].req.node);
		assert_int_equal(req.weight, request_cases[i].req.weight);
		assert_int_equal(req.pid, request_cases[i].req.pid);
		assert_int_equal(req.open_id, request_cases[i].req.open_id);
	}
}

static void test_names_are_bounded(void **state)
{
	char line[ROOST_AGENT_PROTO_MAX_LINE + 8];
	struct roost_agent_request req;
	struct roost_err err;
	int n;

	(void)state;
	for (n = ROOST_AGENT_PROTO_MAX_USER; n < ROOST_AGENT_PROTO_MAX_USER + 2;
	     n++) {
		snprintf(line, sizeof(line), "1\tLOOKUP\t%0*d\timap", n, 0);
		assert_int_equal(roost_agent_proto_parse_request(
					 line, strlen(line), &req, &err),
				 n <= ROOST_AGENT_PROTO_MAX_USER ? 1 : 0);
	}
	memset(line, 'x', sizeof(line));
	assert_int_equal(roost_agent_proto_parse_request(
				 line, ROOST_AGENT_PROTO_MAX_LINE, &req, &err),
			 -1);
}

static void test_requests_round_trip(void **state)
{
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);
	struct roost_agent_request req;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(request_cases); i++) {
		if (request_cases[i].result != 1)
			continue;
		roost_buf_clear(&buf);
		roost_agent_proto_format_request(&buf, &request_cases[i].req);
		assert_int_equal(buf.data[buf.len - 1], '\n');
		assert_int_equal(
			roost_agent_proto_parse_request(
				(char *)buf.data, buf.len - 1, &req, &err),
			1);
		check_str(req.user, request_cases[i].req.user);
		check_str(req.hop, request_cases[i].req.hop);
		check_str(req.node, request_cases[i].req.node);
		assert_int_equal(req.weight, request_cases[i].req.weight);
	}
	roost_buf_free(&buf);
}

static void test_replies(void **state)
{
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);
	struct roost_agent_line reply;
	struct roost_err err;

	(void)state;
	roost_agent_proto_begin_ok(&buf, 7);
	roost_kv_pair(&buf, "owner", "node 1");
	roost_kv_pair_uint(&buf, "epoch", 1700000000000000ULL);
	roost_kv_flag(&buf, "self");
	roost_agent_proto_end(&buf);
	assert_string_equal(roost_buf_str(&buf),
			    "7\tOK\towner=node 1\tepoch=1700000000000000\t"
			    "self\n");
	assert_int_equal(roost_agent_proto_parse_reply(
				 (char *)buf.data, buf.len - 1, &reply, &err),
			 0);
	assert_int_equal(reply.id, 7);
	assert_true(reply.ok);
	assert_string_equal(roost_agent_proto_get(&reply, "owner"), "node 1");
	assert_true(roost_agent_proto_get_uint(&reply, "epoch", UINT64_MAX) ==
		    1700000000000000ULL);
	assert_int_equal(roost_agent_proto_get_uint(&reply, "epoch", 65535), 0);
	assert_int_equal(roost_agent_proto_get_uint(&reply, "port", 65535), 0);
	assert_non_null(roost_agent_proto_get(&reply, "self"));
	assert_null(roost_agent_proto_get(&reply, "pinned"));

	roost_buf_clear(&buf);
	roost_agent_proto_begin_fail(&buf, 8, "away", "no\tlease");
	roost_agent_proto_end(&buf);
	assert_int_equal(roost_agent_proto_parse_reply(
				 (char *)buf.data, buf.len - 1, &reply, &err),
			 0);
	assert_false(reply.ok);
	assert_string_equal(roost_agent_proto_get(&reply, "reason"),
			    "no\tlease");
	roost_buf_free(&buf);
}

static void test_bad_replies(void **state)
{
	static const char *const cases[] = {
		"",	 "x",	   "1",		  "1\tok",
		"0\tOK", "-1\tOK", "1\tOK\t\001", "1\tMAYBE"
	};
	struct roost_agent_line reply;
	struct roost_err err;
	char line[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		snprintf(line, sizeof(line), "%s", cases[i]);
		assert_int_equal(roost_agent_proto_parse_reply(
					 line, strlen(line), &reply, &err),
				 -1);
	}
}

static void test_version(void **state)
{
	static const struct {
		const char *line;
		int result;
	} cases[] = {
		{ "VERSION\troost-agent\t1\t0", 0 },
		{ "VERSION\troost-agent\t1\t99", 0 },
		{ "VERSION\troost-agent\t1\t0\tmore", 0 },
		{ "VERSION\troost-agent\t2\t0", -1 },
		{ "VERSION\troost-agent\t1", -1 },
		{ "VERSION\tauth-client\t1\t0", -1 },
		{ "1\tNODES", -1 },
		{ "", -1 },
	};
	struct roost_buf buf = ROOST_BUF_INIT(64);
	struct roost_err err;
	char line[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		snprintf(line, sizeof(line), "%s", cases[i].line);
		assert_int_equal(roost_agent_proto_check_version(
					 line, strlen(line), &err),
				 cases[i].result);
	}
	roost_agent_proto_version(&buf);
	assert_int_equal(roost_agent_proto_check_version((char *)buf.data,
							 buf.len - 1, &err),
			 0);
	roost_buf_free(&buf);
}

static void test_roles(void **state)
{
	static const char *const expected[] = {
		[ROOST_AGENT_ROLE_MAIL] = "OPEN CLOSE ",
		[ROOST_AGENT_ROLE_AUTH] = "LOOKUP CLAIM ",
		[ROOST_AGENT_ROLE_ADMIN] = "LOOKUP STATUS NODES RELEASE ",
	};
	char allowed[128];
	int role, command;

	(void)state;
	for (role = 0; role <= ROOST_AGENT_ROLE_ADMIN; role++) {
		allowed[0] = '\0';
		for (command = 0; command <= ROOST_AGENT_RELEASE; command++) {
			if (!roost_agent_proto_allowed(
				    (enum roost_agent_role)role,
				    (enum roost_agent_command)command))
				continue;
			strcat(allowed,
			       roost_agent_proto_command_name(
				       (enum roost_agent_command)command));
			strcat(allowed, " ");
		}
		assert_string_equal(allowed, expected[role]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_names_are_bounded),
		cmocka_unit_test(test_requests_round_trip),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
