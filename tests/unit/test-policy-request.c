/* SPDX-License-Identifier: MIT */
/* Unit tests of common/proto/policy-request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/proto/policy-request.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HEAD "request=smtpd_access_policy\nprotocol_state=RCPT\n"

static const char full[] =
	HEAD "protocol_name=SMTP\nhelo_name=some.domain.tld\n"
	     "queue_id=\nsender=foo@bar.tld\nrecipient=a b=\"c@ext\"@our.tld\n"
	     "recipient_count=0\nclient_address=1.2.3.4\nclient_name=x\n"
	     "reverse_client_name=x\ninstance=123.456.7\nsasl_method=plain\n"
	     "sasl_username=you\nsasl_sender=\nsize=12345\nserver_port=25\n"
	     "server_address=10.3.2.1\ncompatibility_level=3.7\n\n";

static void test_full_request(void **state)
{
	struct roost_policy_request r;
	struct roost_err err;
	char data[1024];

	(void)state;
	memcpy(data, full, sizeof(full));
	strcpy(data + sizeof(full) - 1, "request=");
	roost_policy_request_reset(&r);
	assert_int_equal(
		roost_policy_request_parse(&r, data, strlen(data), &err), 1);
	assert_int_equal(r.size, sizeof(full) - 1);
	assert_string_equal(r.value[ROOST_POLICY_REQUEST],
			    "smtpd_access_policy");
	assert_string_equal(r.value[ROOST_POLICY_RECIPIENT],
			    "a b=\"c@ext\"@our.tld");
	assert_string_equal(r.value[ROOST_POLICY_CLIENT_ADDRESS], "1.2.3.4");
	assert_string_equal(r.value[ROOST_POLICY_SERVER_ADDRESS], "10.3.2.1");
	assert_string_equal(r.value[ROOST_POLICY_SASL_USERNAME], "you");
	assert_string_equal(r.value[ROOST_POLICY_INSTANCE], "123.456.7");
	/* what follows is untouched */
	assert_string_equal(data + r.size, "request=");
}

static void test_byte_by_byte(void **state)
{
	struct roost_policy_request r;
	struct roost_err err;
	char data[1024];
	size_t i;

	(void)state;
	memcpy(data, full, sizeof(full));
	roost_policy_request_reset(&r);
	for (i = 1; i < sizeof(full) - 1; i++) {
		assert_int_equal(roost_policy_request_parse(&r, data, i, &err),
				 0);
		assert_null(r.value[ROOST_POLICY_REQUEST]);
	}
	assert_int_equal(roost_policy_request_parse(&r, data, i, &err), 1);
	assert_string_equal(r.value[ROOST_POLICY_SENDER], "foo@bar.tld");
	assert_null(strchr(r.value[ROOST_POLICY_SERVER_ADDRESS], '\n'));
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: strlen */
		const char *error;
	} cases[] = {
		{ HEAD "nonsense\n\n", 0, "attribute 3 is not name=value" },
		{ "=x\n\n", 0, "attribute 1 is not name=value" },
		{ HEAD "sender=a\r\n\n", 0, "CR at the end of attribute 3" },
		{ "request=a\r\n\r\n", 0, "CR at the end of attribute 1" },
		{ "sender=a\0b\n\n", 12, "NUL byte in attribute 1" },
		{ "\0\0=\n\n", 5, "NUL byte in attribute 1" },
		{ HEAD "client_address=1.2.3.4\nclient_address=1.2.3.4\n\n", 0,
		  "'client_address' is given twice" },
		{ HEAD "sasl_username=\nsasl_username=me\n\n", 0,
		  "'sasl_username' is given twice" },
		{ HEAD "recipient=a@b\nx=y\nrecipient=c@d\n\n", 0,
		  "'recipient' is given twice" },
		{ HEAD "request=x\n", 0, "'request' is given twice" },
	};
	struct roost_policy_request r;
	struct roost_err err;
	char data[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		size_t len = cases[i].len != 0 ? cases[i].len
					       : strlen(cases[i].text);

		memcpy(data, cases[i].text, len);
		roost_policy_request_reset(&r);
		assert_int_equal(
			roost_policy_request_parse(&r, data, len, &err), -1);
		assert_string_equal(err.msg, cases[i].error);
	}
}

/* Parses a request that is made of one piece many times over. */
static int parse_many(const char *head, const char *piece, size_t times,
		      const char *tail, struct roost_err *err)
{
	struct roost_buf buf = ROOST_BUF_INIT(1 << 20);
	struct roost_policy_request r;
	int ret;

	roost_buf_append_str(&buf, head);
	while (times-- > 0)
		roost_buf_append_str(&buf, piece);
	roost_buf_append_str(&buf, tail);
	assert_false(buf.failed);
	roost_policy_request_reset(&r);
	ret = roost_policy_request_parse(&r, (char *)buf.data, buf.len, err);
	roost_buf_free(&buf);
	return ret;
}

static void test_limits(void **state)
{
	struct roost_err err;

	(void)state;
	assert_int_equal(parse_many("", "n", 256, "=v\n\n", &err), 1);
	assert_int_equal(parse_many("", "n", 257, "=v\n\n", &err), -1);
	assert_string_equal(err.msg, "name of attribute 1 is too long");
	assert_int_equal(parse_many("n=", "v", 16384, "\n\n", &err), 1);
	assert_int_equal(parse_many("n=", "v", 16385, "\n\n", &err), -1);
	assert_string_equal(err.msg, "value of 'n' is too long");
	assert_int_equal(parse_many("", "a=b\n", 256, "\n", &err), 1);
	assert_int_equal(parse_many("", "a=b\n", 257, "\n", &err), -1);
	assert_string_equal(err.msg, "more than 256 attributes");
	/* a line without an end is not waited for */
	assert_int_equal(parse_many("n=", "v", 16384, "", &err), 0);
	assert_int_equal(parse_many("n=", "v", 17000, "", &err), -1);
	assert_string_equal(err.msg, "attribute 1 is too long");
}

static void test_request_limit(void **state)
{
	struct roost_buf piece = ROOST_BUF_INIT(20000);
	struct roost_err err;
	size_t i;

	(void)state;
	roost_buf_append_str(&piece, "n=");
	for (i = 0; i < 16379; i++)
		roost_buf_append_char(&piece, 'v');
	roost_buf_append_char(&piece, '\n');
	/* 4 * 16382 + 8 = 65536 */
	assert_int_equal(
		parse_many("", roost_buf_str(&piece), 4, "a=bcdef\n\n", &err),
		-1);
	assert_int_equal(
		parse_many("", roost_buf_str(&piece), 4, "a=bcde\n\n", &err),
		1);
	assert_int_equal(parse_many("", roost_buf_str(&piece), 5, "\n", &err),
			 -1);
	assert_string_equal(err.msg, "request of more than 65536 bytes");
	roost_buf_free(&piece);
}

static void test_set(void **state)
{
	struct roost_policy_request r;
	struct roost_err err;

	(void)state;
	roost_policy_request_reset(&r);
	assert_int_equal(
		roost_policy_request_set(&r, "client_address=::1", &err), 0);
	assert_string_equal(r.value[ROOST_POLICY_CLIENT_ADDRESS], "::1");
	assert_int_equal(
		roost_policy_request_set(&r, "client_address=::2", &err), -1);
	assert_int_equal(roost_policy_request_set(&r, "client=::2", &err), -1);
	assert_string_equal(err.msg, "'client' is no attribute that counts");
	assert_int_equal(roost_policy_request_set(&r, "x", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_request),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_request_limit),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
