/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes common/dkim/{tag-list,base64,verify}: tags lie inside the text, each
 * is found by its name, base64 comes back as it was, and no signature or key
 * record crashes the verifier.
 */
#include "common/dkim/base64.h"
#include "common/dkim/tag-list.h"
#include "common/dkim/verify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tag(const struct roost_tag_list *list,
		      const struct roost_tag *tag, const char *text, size_t len)
{
	char name[128];

	if (tag->name < text || tag->name_len == 0 ||
	    tag->name_len >= sizeof(name) || tag->value < text ||
	    tag->value + tag->value_len > text + len ||
	    tag->raw_start > tag->raw_end || tag->raw_end > len)
		abort();
	memcpy(name, tag->name, tag->name_len);
	name[tag->name_len] = '\0';
	if (roost_tag_list_find(list, name) != tag)
		abort();
}

static void check_base64(const char *text, size_t len)
{
	struct roost_buf bytes = ROOST_BUF_INIT(len + 3);
	struct roost_buf back = ROOST_BUF_INIT(2 * len + 8);
	struct roost_buf again = ROOST_BUF_INIT(len + 3);

	if (roost_base64_decode(text, len, &bytes) == 0) {
		roost_base64_encode(roost_buf_str(&bytes), bytes.len, &back);
		if (roost_base64_decode(roost_buf_str(&back), back.len,
					&again) < 0 ||
		    again.len != bytes.len ||
		    memcmp(roost_buf_str(&again), roost_buf_str(&bytes),
			   again.len) != 0)
			abort();
	}
	roost_buf_free(&bytes);
	roost_buf_free(&back);
	roost_buf_free(&again);
}

/* The text is a signature, and also the key record for it. */
static void check_verify(const char *text, size_t len)
{
	struct roost_header_list list = { 0 };
	struct roost_verify verify;
	struct roost_err err;

	if (roost_header_list_add(&list, "DKIM-Signature", 14, text, len) < 0)
		return;
	if (roost_verify_parse(&verify, &list.fields[0], &err) == 0 &&
	    roost_verify_check(&verify, &list, verify.body_hash, UINT64_MAX - 1,
			       list.fields[0].value, 0,
			       &err) == ROOST_VERIFY_PASS)
		abort();
	roost_header_list_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct roost_tag_list list;
	struct roost_err err;
	size_t i;

	if (roost_tag_list_parse(&list, text, size, &err) == 0) {
		for (i = 0; i < list.count; i++)
			check_tag(&list, &list.tags[i], text, size);
	}
	check_base64(text, size);
	check_verify(text, size);
	return 0;
}
