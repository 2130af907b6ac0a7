/* SPDX-License-Identifier: MIT */
/* Unit tests of milter/opendkim-conf: opendkim.conf as our settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "milter/opendkim-conf.h"

static int run(const char *text, struct roost_buf *out, struct roost_err *err)
{
	roost_buf_clear(out);
	return roost_opendkim_conf_translate("o", text, strlen(text), out, err);
}

static void test_lines(void **state)
{
	static const struct {
		const char *theirs, *ours;
	} cases[] = {
		{ "# comment", "" },
		{ "", "" },
		{ "Socket local:/run/s", "listen = unix:/run/s" },
		{ "Socket /run/s", "listen = unix:/run/s" },
		{ "Socket inet:8891@localhost",
		  "listen = inet:localhost:8891" },
		{ "socket\tinet:8891 # all", "listen = inet:*:8891" },
		{ "Socket inet6:8891@[::1]", "listen = inet:[::1]:8891" },
		{ "Canonicalization relaxed",
		  "canonicalization = relaxed/simple" },
		{ "Canonicalization relaxed/relaxed\r",
		  "canonicalization = relaxed/relaxed" },
		{ "KeyTable refile:/k", "key_table = /k" },
		{ "KeyTable file:/k", "key_table = file:/k" },
		{ "SigningTable refile:/s", "signing_table = refile:/s" },
		{ "InternalHosts refile:/t", "internal_hosts = /t" },
		{ "KeyFile /a$b", "key_file = /a$$b" },
		{ "Domain a.example, b.example",
		  "key_domains = a.example, b.example" },
		{ "SubDomains Yes", "subdomains = yes" },
		{ "UMask 007", "socket_mode = 0770" },
		{ "UMask 2", "socket_mode = 0775" },
		{ "UserID opendkim", "user = opendkim" },
		{ "UserID a:a", "user = a" },
		{ "On-InternalError accept", "on_error = pass" },
		{ "On-SignatureError R", "on_missing_key = reject" },
		{ "OmitHeaders Date, Message-ID",
		  "omit_headers = Date, Message-ID" },
		{ "  SignatureTTL 86400", "signature_lifetime = 86400" },
		{ "Mode sv", "" },
		{ "LogWhy", NULL },
	};
	struct roost_buf out = ROOST_BUF_INIT(4096);
	struct roost_err err;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].ours == NULL) {
			assert_int_equal(run(cases[i].theirs, &out, &err), -1);
			continue;
		}
		if (run(cases[i].theirs, &out, &err) < 0)
			fail_msg("'%s': %s", cases[i].theirs, err.msg);
		/* a line gives a line */
		len = strlen(cases[i].ours);
		if (*cases[i].theirs != '\0') {
			assert_int_equal(out.len, len + 1);
			assert_int_equal(out.data[len], '\n');
		}
		assert_memory_equal(roost_buf_str(&out), cases[i].ours, len);
	}
	roost_buf_free(&out);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "Syslog yes\n\nStatistics x\n",
		  "o:3: Statistics: roost-milter has nothing like it" },
		{ "PeerList /x", "o:1: PeerList: roost-milter has nothing "
				 "like it" },
		{ "KeyTable", "o:1: KeyTable: a value is needed" },
		{ "Mode v", "o:1: Mode: roost-milter signs: \"s\" or \"sv\" "
			    "is needed" },
		{ "SignatureAlgorithm rsa-sha1",
		  "o:1: SignatureAlgorithm: rsa-sha256 or ed25519-sha256 is "
		  "needed" },
		{ "Socket fd:3", "o:1: Socket: local:/path or inet:port@host "
				 "is needed" },
		{ "UMask 9", "o:1: UMask: an octal number is needed" },
		{ "UMask 1000", "o:1: UMask: an octal number is needed" },
		{ "UserID a:b", "o:1: UserID: the group is always the user's: "
				"name the user alone" },
		{ "SignHeaders *,+X", "o:1: SignHeaders: only a list of names "
				      "is understood" },
		{ "Domain /etc/domains", "o:1: Domain: only a list of names "
					 "is understood" },
		{ "InternalHosts 127.0.0.1",
		  "o:1: InternalHosts: only /path, file:/path and "
		  "refile:/path are understood" },
		{ "SubDomains maybe", "o:1: SubDomains: yes or no is needed" },
		{ "On-InternalError quarantine",
		  "o:1: On-InternalError: accept, tempfail or reject is "
		  "needed" },
		{ "KeyFile /a\x01", "o:1: control character" },
	};
	struct roost_buf out = ROOST_BUF_INIT(4096);
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (run(cases[i].text, &out, &err) == 0)
			fail_msg("'%s' is accepted", cases[i].text);
		assert_string_equal(err.msg, cases[i].message);
	}
	assert_int_equal(
		roost_opendkim_conf_translate("o", "\n\0", 2, &out, &err), -1);
	assert_string_equal(err.msg, "o:2: NUL character");
	roost_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
