/* SPDX-License-Identifier: MIT */
/* Unit tests of common/base/conf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/conf.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct test_settings {
	const char *name, *host, *secret, *dir, *query;
	bool flag;
	int64_t number, mode, wait, size, color;
	struct roost_conf_words words;
	struct roost_cidr_set *nets;
	struct roost_conf_listen listen;
};

static const char *const colors[] = { "red", "green", NULL };
#define ROW(name, ...) ROOST_CONF_ROW(test_settings, name, __VA_ARGS__)
static const struct roost_conf_row rows[] = {
	ROW(name, STRING, "nobody", ""),
	ROW(host, STRING, "$name.example.org", ""),
	ROW(secret, STRING, "", "", .flags = ROOST_CONF_SECRET),
	ROW(dir, PATH, "", ""),
	ROW(query, STRING, "", ""),
	ROW(flag, BOOL, "no", ""),
	ROW(number, INT, "7", "", .min = -5, .max = 100),
	ROW(mode, MODE, "0660", ""),
	ROW(wait, DURATION, "10s", "", .min = 0, .max = 3600000),
	ROW(size, SIZE, "64k", ""),
	ROW(color, ENUM, "red", "", .choices = colors),
	ROW(words, LIST, "", ""),
	ROW(nets, CIDRS, "", ""),
	ROW(listen, LISTEN, "inet:127.0.0.1:25", ""),
};
static const struct roost_conf_table table = {
	.env_prefix = "ROOST_TEST_",
	.rows = rows,
	.count = COUNT(rows),
	.size = sizeof(struct test_settings),
};

static struct roost_conf *parse(const char *text, const char *const *env,
				const char *const *overrides, size_t count,
				struct roost_err *err)
{
	struct roost_conf_input input = {
		.path = "t.conf",
		.env = env,
		.overrides = overrides,
		.override_count = count,
	};

	return roost_conf_parse(&table, &input, text, strlen(text), err);
}

/* Loads what must be right. */
static struct roost_conf *good(const char *text)
{
	struct roost_err err;
	struct roost_conf *conf = parse(text, NULL, NULL, 0, &err);

	if (conf == NULL)
		fail_msg("%s", err.msg);
	return conf;
}

static void test_defaults(void **state)
{
	struct roost_conf *conf = good("");
	const struct test_settings *s = roost_conf_settings(conf);

	(void)state;
	assert_string_equal(s->host, "nobody.example.org");
	assert_string_equal(s->dir, "");
	assert_false(s->flag);
	assert_int_equal(s->number, 7);
	assert_int_equal(s->mode, 0660);
	assert_int_equal(s->wait, 10000);
	assert_int_equal(s->size, 65536);
	assert_int_equal(s->color, 0);
	assert_int_equal(s->words.count, 0);
	assert_int_equal(roost_cidr_set_count(s->nets), 0);
	assert_int_equal(s->listen.count, 1);
	assert_string_equal(roost_conf_origin(conf, 0), "default");
	roost_conf_free(&conf);
	assert_null(conf);
}

static void test_file_syntax(void **state)
{
	struct roost_conf *conf = good("# a comment\n"
				       "\n"
				       "   # an indented one\n"
				       "name=  a name  \r\n"
				       "words = one,two\n"
				       "# in between\n"
				       "\t three ,, four\n"
				       "   \n"
				       " five\n"
				       "host = ${name}-$number$$ # no comment\n"
				       "query = SELECT '$1', $2 = $color\n"
				       "dir =");
	const struct test_settings *s = roost_conf_settings(conf);

	(void)state;
	assert_string_equal(s->name, "a name");
	assert_int_equal(s->words.count, 5);
	assert_string_equal(s->words.word[4], "five");
	assert_string_equal(s->host, "a name-7$ # no comment");
	assert_string_equal(s->query, "SELECT '$1', $2 = red");
	assert_string_equal(roost_conf_origin_of(conf, "words"), "t.conf:5");
	roost_conf_free(&conf);
}

static void test_values(void **state)
{
	struct roost_conf *conf =
		good("flag = true\nnumber = -5\nmode = 600\nwait = 3m\n"
		     "size = 2M\ncolor = green\ndir = /var/lib\n"
		     "nets = 10.0.0.0/8, ::1\n"
		     "listen = unix:/run/a.sock inet:[::1]:26, inet:*:27,"
		     " inet:localhost:0\n");
	const struct test_settings *s = roost_conf_settings(conf);

	(void)state;
	assert_true(s->flag);
	assert_int_equal(s->number, -5);
	assert_int_equal(s->mode, 0600);
	assert_int_equal(s->wait, 180000);
	assert_int_equal(s->size, 2097152);
	assert_int_equal(s->color, 1);
	assert_string_equal(s->dir, "/var/lib");
	assert_int_equal(roost_cidr_set_count(s->nets), 2);
	assert_int_equal(s->listen.count, 4);
	assert_string_equal(s->listen.addr[0].path, "/run/a.sock");
	assert_string_equal(s->listen.addr[0].text, "unix:/run/a.sock");
	assert_null(s->listen.addr[1].path);
	assert_string_equal(s->listen.addr[1].host, "::1");
	assert_int_equal(s->listen.addr[1].port, 26);
	assert_string_equal(s->listen.addr[1].text, "inet:[::1]:26");
	assert_string_equal(s->listen.addr[2].host, "");
	assert_string_equal(s->listen.addr[3].host, "localhost");
	assert_int_equal(s->listen.addr[3].port, 0);
	roost_conf_free(&conf);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "nam = x", "t.conf:1: unknown setting 'nam'" },
		{ "\nName = x", "t.conf:2: 'Name' is not a name" },
		{ "name", "t.conf:1: expected 'name = value'" },
		{ "= x", "t.conf:1: '' is not a name" },
		{ " name = x",
		  "t.conf:1: a line that starts with white space continues "
		  "the one before, and there is none" },
		{ "name = a\nflag = 1\nname = b",
		  "t.conf:3: name is already set at t.conf:1" },
		{ "name = a\001b", "t.conf:1: control character \\x01" },
		{ "flag = on",
		  "t.conf:1: flag: 'on' is neither yes, true, 1 nor no, "
		  "false, 0" },
		{ "flag = YES",
		  "t.conf:1: flag: 'YES' is neither yes, true, 1 nor no, "
		  "false, 0" },
		{ "flag =",
		  "t.conf:1: flag: '' is neither yes, true, 1 nor no, "
		  "false, 0" },
		{ "number = 101",
		  "t.conf:1: number: '101' is out of range (-5 to 100)" },
		{ "number = 1x", "t.conf:1: number: '1x' is not a whole "
				 "number" },
		{ "number = 99999999999999999999",
		  "t.conf:1: number: '99999999999999999999' is not a whole "
		  "number" },
		{ "number =", "t.conf:1: number: '' is not a whole number" },
		{ "mode = 0800",
		  "t.conf:1: mode: '0800' is not a file mode (like 0660)" },
		{ "mode = 01777",
		  "t.conf:1: mode: '01777' is not a file mode (like 0660)" },
		{ "wait = 2h",
		  "t.conf:1: wait: '2h' is out of range (0 to 3600000 ms)" },
		{ "wait = 5 s",
		  "t.conf:1: wait: '5 s' is not a time (like 500ms, 30s, 5m, "
		  "2h, 1d)" },
		{ "size = 9999999999G",
		  "t.conf:1: size: '9999999999G' is not a size (like 4096, "
		  "64k, 1M, 2G)" },
		{ "color = blue",
		  "t.conf:1: color: 'blue' is none of: red, green" },
		{ "dir = var", "t.conf:1: dir: 'var' is not an absolute path" },
		{ "name = x\nnets = 10.0.0.0/8,\n 10.1.1.1/16",
		  "t.conf:2: nets: '10.1.1.1/16': host bits are set; the "
		  "network is 10.1.0.0/16" },
		{ "listen = unix:run/a",
		  "t.conf:1: listen: 'unix:run/a' is neither unix:/path (at "
		  "most 107 bytes) nor inet:host:port" },
		{ "listen = inet:::1:25",
		  "t.conf:1: listen: 'inet:::1:25' is neither unix:/path (at "
		  "most 107 bytes) nor inet:host:port" },
		{ "listen = inet:a:65536",
		  "t.conf:1: listen: 'inet:a:65536' is neither unix:/path "
		  "(at most 107 bytes) nor inet:host:port" },
		{ "listen = inet::25",
		  "t.conf:1: listen: 'inet::25' is neither unix:/path (at "
		  "most 107 bytes) nor inet:host:port" },
		{ "host = $nam", "t.conf:1: host: $nam: unknown setting" },
		{ "host = ${name",
		  "t.conf:1: host: '$' is not followed by a name; a dollar "
		  "sign is written $$" },
		{ "host = a$",
		  "t.conf:1: host: '$' is not followed by a name; a dollar "
		  "sign is written $$" },
		{ "secret = x\nhost = $secret",
		  "t.conf:2: host: $secret: is a secret" },
		{ "host = a $host", "t.conf:1: host: $host: refers to itself" },
		{ "name = $host", "t.conf:1: name: $name: refers to itself" },
	};
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_conf *conf =
			parse(cases[i].text, NULL, NULL, 0, &err);

		if (conf != NULL)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(err.msg, cases[i].error);
	}
}

static void test_precedence(void **state)
{
	const char *env[] = { "PATH=/bin",
			      "ROOST_TEST_NUMBER=3",
			      "ROOST_TEST_NETS=10.0.0.0/8\n192.0.2.0/24\n",
			      "ROOST_TEST_SERVICE_HOST=10.96.0.7",
			      "ROOST_TEST_PORT=tcp://10.96.0.7:25",
			      "ROOST_TEST_PORT_25_TCP_ADDR=10.96.0.7",
			      NULL };
	const char *over[] = { "number = 4", "flag=1", "number=5" };
	struct roost_err err;
	struct roost_conf *conf =
		parse("number = 2\nname = f\n", env, over, COUNT(over), &err);
	const struct test_settings *s;

	(void)state;
	if (conf == NULL)
		fail_msg("%s", err.msg);
	s = roost_conf_settings(conf);
	assert_int_equal(s->number, 5);
	assert_true(s->flag);
	assert_string_equal(s->name, "f");
	assert_int_equal(roost_cidr_set_count(s->nets), 2);
	assert_string_equal(roost_conf_origin_of(conf, "number"), "-o");
	assert_string_equal(roost_conf_origin_of(conf, "nets"),
			    "ROOST_TEST_NETS");
	roost_conf_free(&conf);
}

static void test_bad_environment(void **state)
{
	static const struct {
		const char *env;
		const char *over, *error;
	} cases[] = {
		{ "ROOST_TEST_NUMBRE=3", NULL,
		  "ROOST_TEST_NUMBRE: unknown setting 'numbre'" },
		{ "ROOST_TEST_NUMBER=x", NULL,
		  "ROOST_TEST_NUMBER: number: 'x' is not a whole number" },
		{ "ROOST_TEST_NAME_FILE=/etc/hostname", NULL,
		  "ROOST_TEST_NAME_FILE: unknown setting 'name_file'" },
		{ "ROOST_TEST_SECRET_FILE=/nonexistent/x", NULL,
		  "ROOST_TEST_SECRET_FILE: /nonexistent/x: No such file or "
		  "directory" },
		{ "ROOST_TEST_NAME=a\033[31m", NULL,
		  "ROOST_TEST_NAME: name: control character in the value" },
		{ "A=b", "nam=1", "-o: unknown setting 'nam'" },
		{ "A=b", "name", "-o name: expected name=value" },
		{ "A=b", "flag=2",
		  "-o: flag: '2' is neither yes, true, 1 nor no, false, 0" },
	};
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const char *env[] = { cases[i].env, NULL };

		assert_null(parse("", env, &cases[i].over,
				  cases[i].over != NULL ? 1 : 0, &err));
		assert_string_equal(err.msg, cases[i].error);
	}
}

static void test_secret(void **state)
{
	char path[] = "/tmp/test-conf-XXXXXX", variable[128], *printed;
	const char *env[] = { variable, NULL };
	struct roost_conf *conf;
	struct roost_err err;
	size_t size;
	FILE *out;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "pa$$word $1\n", 12), 12);
	close(fd);
	snprintf(variable, sizeof(variable), "ROOST_TEST_SECRET_FILE=%s", path);
	conf = parse("query = a$$b$1$$\nhost = h", env, NULL, 0, &err);
	unlink(path);
	if (conf == NULL)
		fail_msg("%s", err.msg);
	assert_string_equal(
		((const struct test_settings *)roost_conf_settings(conf))
			->secret,
		"pa$$word $1");
	out = open_memstream(&printed, &size);
	roost_conf_print(conf, out);
	fclose(out);
	assert_null(strstr(printed, "pa$$"));
	assert_non_null(strstr(printed, "\nsecret = (hidden)\n"));
	assert_non_null(strstr(printed, "\nquery = a$$b$1$$\n"));
	assert_non_null(strstr(printed, "\ndir =\n"));
	assert_non_null(strstr(printed, "name = nobody\n"));
	free(printed);
	roost_conf_free(&conf);
}

static void test_bounds(void **state)
{
	size_t size = 2 * ROOST_CONF_VALUE_MAX, i;
	char *text = malloc(size + 1);
	struct roost_err err;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	memcpy(text, "name = ", 7);
	assert_null(parse(text, NULL, NULL, 0, &err));
	assert_string_equal(err.msg, "t.conf:1: the value is too long");
	/* each doubles the one before */
	text[0] = '\0';
	strcat(text, "name = ");
	for (i = 0; i < 40000; i++)
		text[7 + i] = 'y';
	strcpy(text + 7 + i, "\nhost = $name$name");
	assert_null(parse(text, NULL, NULL, 0, &err));
	assert_string_equal(err.msg, "t.conf:2: host: the value is too long");
	strcpy(text, "words =");
	for (i = 0; i <= ROOST_CONF_WORDS_MAX; i++)
		strcpy(text + 7 + 2 * i, " a");
	assert_null(parse(text, NULL, NULL, 0, &err));
	assert_string_equal(err.msg, "t.conf:1: words: too many words in the "
				     "list (at most 4096)");
	free(text);
}

static void test_load(void **state)
{
	struct roost_conf_input input = { .path = "/nonexistent/t.conf" };
	struct roost_err err;
	struct roost_conf *conf;

	(void)state;
	assert_null(roost_conf_load(&table, &input, &err));
	assert_string_equal(err.msg,
			    "/nonexistent/t.conf: No such file or directory");
	input.path = "/";
	assert_null(roost_conf_load(&table, &input, &err));
	assert_string_equal(err.msg, "/: Is a directory");
	input.path = NULL;
	conf = roost_conf_load(&table, &input, &err);
	assert_non_null(conf);
	roost_conf_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_file_syntax),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_bad_environment),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
