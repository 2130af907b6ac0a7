/* SPDX-License-Identifier: MIT */
/* ctl-dkim-verify: checks the signatures of a message in a file. */
#include "tools/ctl-dkim.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/dkim/record.h"
#include "common/dkim/verify.h"
#include "milter/key-file.h"
#include "tools/ctl-dkim-mail.h"

#define RECORDS_MAX 16

struct records {
	struct roost_buf text[RECORDS_MAX];
	size_t count;
};

/* Takes a record from a file that holds it (-r) or a key (-k). */
static int add_record(struct records *records, const char *path, bool is_key,
		      struct roost_err *err)
{
	struct roost_buf file = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX), *record;
	struct roost_key *key = NULL;
	int ret;

	if (records->count == RECORDS_MAX)
		return roost_err_set(err, "more than %d keys", RECORDS_MAX);
	record = &records->text[records->count++];
	record->max = ROOST_RECORD_MAX;
	ret = roost_key_file_read(path, &file, err);
	if (ret < 0)
		return -1;
	if (is_key) {
		key = roost_key_public_pem(roost_buf_str(&file), file.len, err);
		ret = key == NULL ? -1 : roost_key_record(key, record);
		roost_key_unref(&key);
	} else {
		ret = roost_record_read(roost_buf_str(&file), file.len, record,
					err);
	}
	roost_key_file_forget(&file);
	return ret == 0 ? 0 : roost_err_prefix(err, "%s", path);
}

static int hash_body(const struct roost_ctl_mail *mail,
		     const struct roost_verify *verify,
		     unsigned char digest[ROOST_HASH_SIZE], uint64_t *size_r,
		     struct roost_err *err)
{
	struct roost_hash *hash = roost_hash_new(err);
	int ret;

	if (hash == NULL)
		return -1;
	roost_hash_begin(hash, verify->body_canon, verify->body_limit);
	roost_hash_body(hash, mail->body, mail->body_len);
	ret = roost_hash_end(hash, digest, err);
	*size_r = roost_hash_canonical_size(hash);
	roost_hash_free(&hash);
	return ret;
}

/* The best that any of the keys makes of a signature. */
static enum roost_verify_result check(const struct roost_ctl_mail *mail,
				      const struct roost_verify *verify,
				      const struct records *records,
				      struct roost_err *err)
{
	enum roost_verify_result result = ROOST_VERIFY_PERMERROR, one;
	unsigned char digest[ROOST_HASH_SIZE];
	struct roost_err why;
	uint64_t size;
	size_t i;

	if (hash_body(mail, verify, digest, &size, err) < 0)
		return ROOST_VERIFY_PERMERROR;
	for (i = 0; i < records->count; i++) {
		one = roost_verify_check(verify, &mail->headers, digest, size,
					 roost_buf_str(&records->text[i]),
					 (uint64_t)time(NULL), &why);
		if (one == ROOST_VERIFY_PASS)
			return one;
		if (i == 0 || one < result) {
			result = one;
			*err = why;
		}
	}
	return result;
}

static enum roost_verify_result verify_field(const struct roost_ctl_mail *mail,
					     const struct roost_header *field,
					     const struct records *records)
{
	static const char *const names[] = { "pass", "fail", "permerror" };
	enum roost_verify_result result = ROOST_VERIFY_PERMERROR;
	struct roost_verify verify;
	struct roost_err err = { "" };

	if (roost_verify_parse(&verify, field, &err) < 0) {
		printf("permerror  %s\n", err.msg);
		return result;
	}
	result = check(mail, &verify, records, &err);
	printf("%-9s  %s %s%s%s\n", names[result], verify.query,
	       roost_key_type_name(verify.type),
	       result == ROOST_VERIFY_PASS ? "" : ": ",
	       result == ROOST_VERIFY_PASS ? "" : err.msg);
	return result;
}

static int verify_mail(const char *path, const struct records *records,
		       struct roost_err *err)
{
	static const char name[] = "DKIM-Signature";
	size_t i, found = 0, passed = 0;
	struct roost_ctl_mail mail;

	if (roost_ctl_mail_read(&mail, path, err) < 0) {
		roost_ctl_mail_free(&mail);
		return 2;
	}
	for (i = 0; i < mail.headers.count; i++) {
		const struct roost_header *field = &mail.headers.fields[i];

		if (!roost_header_name_equal(field->name, field->name_len, name,
					     sizeof(name) - 1))
			continue;
		found++;
		if (verify_field(&mail, field, records) == ROOST_VERIFY_PASS)
			passed++;
	}
	if (found == 0)
		printf("none       no signature\n");
	roost_ctl_mail_free(&mail);
	return passed > 0 ? 0 : 1;
}

int roost_ctl_dkim_verify(int argc, char *argv[])
{
	struct records records = { .count = 0 };
	struct roost_err err = { "" };
	int c, status = 0;
	size_t i;

	while (status == 0 && (c = getopt(argc, argv, "k:r:")) != -1) {
		if (c != 'k' && c != 'r')
			status = -1;
		else if (add_record(&records, optarg, c == 'k', &err) < 0)
			status = 2;
	}
	if (status == 0 && (argc - optind > 1 || records.count == 0))
		status = -1;
	if (status == 0)
		status = verify_mail(argv[optind], &records, &err);
	if (status == 2)
		fprintf(stderr, "roostctl dkim verify: %s\n", err.msg);
	for (i = 0; i < records.count; i++)
		roost_buf_free(&records.text[i]);
	return status;
}
