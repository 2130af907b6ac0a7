/* SPDX-License-Identifier: MIT */
/* Unit tests of milter/{milter-conf,message}: the settings' own checks, whose
   mail is signed, and what becomes of a message in each situation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "milter/key-load.h"
#include "milter/message.h"

static const char ed[] =
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

static struct roost_conf *parse(const char *text, struct roost_err *err)
{
	const struct roost_conf_input input = { .path = "milter.conf" };

	return roost_conf_parse(&roost_milter_conf_table, &input, text,
				strlen(text), err);
}

static void test_conf_check(void **state)
{
	static const struct {
		const char *text, *message; /* NULL: right */
	} cases[] = {
		{ "key_directory = /keys\n", NULL },
		{ "postgres = host=/run\n", NULL },
		{ "key_table=/a\nsigning_table=refile:/b\n", NULL },
		{ "", "no keys: set key_directory" },
		{ "key_table = /a\n", "milter.conf:1: key_table: key_table" },
		{ "signing_table = /a\n",
		  "milter.conf:1: signing_table: key_table" },
		{ "key_directory=/k\nsign_headers = To\n",
		  "milter.conf:2: sign_headers: From must be signed" },
		{ "key_directory=/k\noversign_headers = From, a:b\n",
		  "milter.conf:2: oversign_headers: a:b is no header name" },
		{ "key_directory=/k\nlisten =\n",
		  "milter.conf:2: listen: one address" },
		{ "key_directory=/k\nlisten = unix:/a, unix:/b\n",
		  "milter.conf:2: listen: one address" },
		{ "key_directory=/k\nlisten = inet:127.0.0.1:0\n",
		  "milter.conf:2: listen: a port is needed" },
		{ "key_directory=/k\ncanonicalization = relaxed\n",
		  "milter.conf:2" },
		{ "key_directory=/k\non_error = ignore\n", "milter.conf:2" },
		{ "key_directory=/k\nminimum_key_bits = 512\n",
		  "milter.conf:2" },
		{ "key_directory=/k\nno_such = 1\n", "milter.conf:2" },
	};
	struct roost_conf *conf;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good;

		err.msg[0] = '\0';
		conf = parse(cases[i].text, &err);
		good = conf != NULL && roost_milter_conf_check(conf, &err) == 0;
		if (good != (cases[i].message == NULL) ||
		    (!good && strstr(err.msg, cases[i].message) == NULL))
			fail_msg("'%s': '%s'", cases[i].text, err.msg);
		roost_conf_free(&conf);
	}
}

static struct roost_signing *make_signing(const char *text)
{
	struct roost_err err = { "" };
	struct roost_conf *conf = parse(text, &err);
	struct roost_signing *signing = NULL;

	if (conf != NULL)
		signing = roost_milter_conf_signing(roost_conf_settings(conf),
						    NULL, &err);
	if (signing == NULL)
		fail_msg("%s", err.msg);
	roost_conf_free(&conf);
	return signing;
}

static void test_submission(void **state)
{
	static const struct {
		const char *client;
		bool authenticated, submission;
	} cases[] = {
		{ "127.0.0.1", false, true },
		{ "::1", false, true },
		{ "10.1.2.3", false, true },
		{ "192.0.2.1", false, false },
		{ "192.0.2.1", true, true },
		/* the ingress lies inside the internal network */
		{ "10.255.0.7", false, false },
		{ "10.255.0.7", true, true },
		{ "::ffff:10.255.0.7", false, false },
	};
	struct roost_signing *signing = make_signing(
		"internal_networks = 127.0.0.0/8, ::1, 10.0.0.0/8\n"
		"ingress_networks = 10.255.0.0/16\n");
	const struct roost_addr none = { 0 };
	struct roost_addr addr;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(roost_addr_parse(cases[i].client, &addr, &err),
				 0);
		if (roost_signing_is_submission(signing, &addr,
						cases[i].authenticated) !=
		    cases[i].submission)
			fail_msg("%s", cases[i].client);
	}
	assert_false(roost_signing_is_submission(signing, &none, false));
	roost_signing_unref(&signing);
}

/* good.example has a key, broken.example one that cannot be read */
static struct roost_snapshot *make_snapshot(const char *text, bool incomplete)
{
	struct roost_signing *signing = make_signing(text);
	struct roost_key_set *sets[ROOST_SNAPSHOT_SETS] = { NULL };
	struct roost_key_report report;
	struct roost_key_load load = {
		.set = roost_key_set_new(ROOST_KEY_MATCH_DOMAIN),
		.report = &report,
		.min_bits = 1024,
	};
	struct roost_key_load_name name = { .pattern = "good.example",
					    .domain = "%",
					    .selector = "sel",
					    .identity = "x@sub.%",
					    .place = "p" };
	struct roost_snapshot *snapshot;
	struct roost_err err;

	roost_key_report_init(&report);
	assert_int_equal(
		roost_key_load_text(&load, &name, ed, strlen(ed), &err), 0);
	name.pattern = "broken.example";
	assert_int_equal(roost_key_load_text(&load, &name, "x", 1, &err), 0);
	assert_int_equal(roost_key_set_finish(load.set, NULL, &err), 0);
	sets[1] = load.set;
	snapshot = roost_snapshot_new(signing, sets, incomplete);
	roost_key_report_free(&report);
	roost_key_set_unref(&load.set);
	roost_signing_unref(&signing);
	return snapshot;
}

struct situation {
	const char *name, *settings, *from, *second_from, *body;
	bool incomplete;
	enum roost_message_outcome outcome;
	enum roost_action action;
};

#define LONG_200                                                               \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG_LINE LONG_200 LONG_200 LONG_200 LONG_200 LONG_200

static const struct situation situations[] = {
	{ "signed", "", " a@good.example", NULL, "Hi\r\n", false,
	  ROOST_MESSAGE_SIGNED, ROOST_ACTION_PASS },
	{ "empty body", "", " a@good.example", NULL, "", false,
	  ROOST_MESSAGE_SIGNED, ROOST_ACTION_PASS },
	{ "not ours", "", " a@other.example", NULL, "", false,
	  ROOST_MESSAGE_NOT_OURS, ROOST_ACTION_PASS },
	{ "subdomain is another domain", "", " a@sub.good.example", NULL, "",
	  false, ROOST_MESSAGE_NOT_OURS, ROOST_ACTION_PASS },
	{ "no From", "", NULL, NULL, "", false, ROOST_MESSAGE_NO_FROM,
	  ROOST_ACTION_REJECT },
	{ "two From", "", " a@good.example", " a@good.example", "", false,
	  ROOST_MESSAGE_TWO_FROM, ROOST_ACTION_REJECT },
	{ "two From, set to pass", "on_bad_from = pass\n", " a@good.example",
	  " b@good.example", "", false, ROOST_MESSAGE_TWO_FROM,
	  ROOST_ACTION_PASS },
	{ "unparseable From", "", " a@good.example <b@good.example>", NULL, "",
	  false, ROOST_MESSAGE_BAD_FROM, ROOST_ACTION_PASS },
	{ "unparseable From, set to reject", "on_unparseable_from = reject\n",
	  " nobody", NULL, "", false, ROOST_MESSAGE_BAD_FROM,
	  ROOST_ACTION_REJECT },
	{ "broken key", "", " a@broken.example", NULL, "", false,
	  ROOST_MESSAGE_MISSING_KEY, ROOST_ACTION_TEMPFAIL },
	{ "broken key, set to pass", "on_missing_key = pass\n",
	  " a@broken.example", NULL, "", false, ROOST_MESSAGE_MISSING_KEY,
	  ROOST_ACTION_PASS },
	{ "domain listed, no key", "domains = Other.example\n",
	  " a@other.example", NULL, "", false, ROOST_MESSAGE_MISSING_KEY,
	  ROOST_ACTION_TEMPFAIL },
	{ "a source has not answered", "", " a@other.example", NULL, "", true,
	  ROOST_MESSAGE_MISSING_KEY, ROOST_ACTION_TEMPFAIL },
	{ "a source has not answered, another knows", "", " a@good.example",
	  NULL, "", true, ROOST_MESSAGE_SIGNED, ROOST_ACTION_PASS },
	{ "long line", "", " a@good.example", NULL, LONG_LINE "\r\n", false,
	  ROOST_MESSAGE_SIGNED, ROOST_ACTION_PASS },
	{ "long line, set to reject", "on_long_line = reject\n",
	  " a@good.example", NULL, LONG_LINE "\r\n", false,
	  ROOST_MESSAGE_LONG_LINE, ROOST_ACTION_REJECT },
	{ "long header line, set to reject", "on_long_line = reject\n",
	  " \"" LONG_LINE "\" <a@good.example>", NULL, "", false,
	  ROOST_MESSAGE_LONG_LINE, ROOST_ACTION_REJECT },
};

static void run(struct roost_message *message, const struct situation *s)
{
	const struct roost_message_decision *decision;
	enum roost_action action;
	size_t count;

	roost_message_start(message, make_snapshot(s->settings, s->incomplete));
	if (s->from != NULL)
		roost_message_header(message, "From", s->from, true);
	roost_message_header(message, "Subject", " Hi", true);
	if (s->second_from != NULL)
		roost_message_header(message, "FROM", s->second_from, true);
	action = roost_message_end_headers(message);
	if (action == ROOST_ACTION_CONTINUE) {
		roost_message_body(message, s->body, strlen(s->body));
		action = roost_message_end(message, 1700000000);
	}
	decision = roost_message_decision(message);
	count = roost_message_signature_count(message);
	if (action != s->action || decision->action != s->action ||
	    decision->outcome != s->outcome)
		fail_msg("%s: action %d, %s", s->name, (int)action,
			 roost_message_outcome_name(decision->outcome));
	assert_int_equal(count, s->outcome == ROOST_MESSAGE_SIGNED ? 1 : 0);
	if (count == 1) {
		const char *value = roost_message_signature(message, 0);

		assert_non_null(strstr(value, "d=good.example;"));
		assert_non_null(strstr(value, "s=sel;"));
		assert_non_null(strstr(value, "i=x@sub.good.example;"));
		assert_string_equal(decision->selectors, "ed25519:sel");
	} else {
		assert_non_null(decision->reason);
	}
	if (strcmp(s->body, LONG_LINE "\r\n") == 0)
		assert_int_equal(decision->longest_line, 1000);
}

static void test_situations(void **state)
{
	struct roost_err err;
	struct roost_message *message = roost_message_new(&err);
	size_t i, again;

	(void)state;
	assert_non_null(message);
	for (again = 0; again < 2; again++) {
		for (i = 0; i < sizeof(situations) / sizeof(situations[0]); i++)
			run(message, &situations[i]);
	}
	roost_message_free(&message);
}

static void test_out_of_order(void **state)
{
	struct roost_err err;
	struct roost_message *message = roost_message_new(&err);

	(void)state;
	assert_int_equal(roost_message_end(message, 1), ROOST_ACTION_TEMPFAIL);
	roost_message_reset(message);
	assert_int_equal(roost_message_end_headers(message),
			 ROOST_ACTION_TEMPFAIL);
	roost_message_reset(message);
	roost_message_header(message, "From", " a@b.c", true);
	roost_message_body(message, "x", 1);
	/* a body without an end of headers decides all the same */
	roost_message_start(message, make_snapshot("", false));
	roost_message_body(message, "x", 1);
	assert_int_equal(roost_message_end(message, 1), ROOST_ACTION_REJECT);
	roost_message_start(message, make_snapshot("", false));
	roost_message_header(message, "From", " a@good.example", true);
	assert_int_equal(roost_message_end(message, 1), ROOST_ACTION_PASS);
	assert_int_equal(roost_message_decision(message)->outcome,
			 ROOST_MESSAGE_SIGNED);
	roost_message_free(&message);
}

static void test_header_bomb(void **state)
{
	struct roost_err err;
	struct roost_message *message = roost_message_new(&err);
	int i;

	(void)state;
	roost_message_start(message, make_snapshot("", false));
	roost_message_header(message, "From", " a@good.example", true);
	for (i = 0; i < ROOST_HEADER_LIST_MAX_FIELDS + 10; i++)
		roost_message_header(message, "To", " b@c.d", true);
	assert_int_equal(roost_message_end_headers(message),
			 ROOST_ACTION_TEMPFAIL);
	assert_int_equal(roost_message_decision(message)->outcome,
			 ROOST_MESSAGE_ERROR);
	/* fields that are not signed do not count */
	roost_message_start(message, make_snapshot("", false));
	for (i = 0; i < ROOST_HEADER_LIST_MAX_FIELDS + 10; i++)
		roost_message_header(message, "X-Other", " b@c.d", true);
	roost_message_header(message, "From", " a@good.example", true);
	assert_int_equal(roost_message_end_headers(message),
			 ROOST_ACTION_CONTINUE);
	roost_message_free(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf_check),
		cmocka_unit_test(test_submission),
		cmocka_unit_test(test_situations),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_header_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
