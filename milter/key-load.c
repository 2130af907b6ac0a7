/* SPDX-License-Identifier: MIT */
/* key-load: puts one key, given as text or as a file, into a set. */
#include "milter/key-load.h"

#include "milter/key-file.h"

#include <string.h>

/* The key of the text, parsed unless the previous set has it. */
static struct roost_key *get_key(const struct roost_key_load *load,
				 const char *text, size_t len,
				 unsigned char digest[ROOST_HASH_SIZE],
				 struct roost_err *err)
{
	struct roost_key *key;

	if (roost_hash_once(text, len, digest, err) < 0)
		return NULL;
	key = roost_key_set_reuse(load->previous, digest);
	if (key != NULL && (roost_key_type(key) != ROOST_KEY_RSA ||
			    roost_key_bits(key) >= load->min_bits))
		return key;
	roost_key_unref(&key);
	return roost_key_parse(text, len, load->min_bits, err);
}

int roost_key_load_broken(const struct roost_key_load *load,
			  const struct roost_key_load_name *name,
			  const char *why, struct roost_err *err)
{
	roost_key_report_add(load->report, ROOST_LOG_ERROR, name->place,
			     "domain %s, selector %s: %s", name->domain,
			     name->selector, why);
	return roost_key_set_add_broken(load->set, load->previous,
					name->pattern, name->selector, err);
}

int roost_key_load_text(const struct roost_key_load *load,
			const struct roost_key_load_name *name,
			const char *text, size_t len, struct roost_err *err)
{
	struct roost_key_signer signer = {
		.domain = (char *)(uintptr_t)name->domain,
		.selector = (char *)(uintptr_t)name->selector,
		.identity = (char *)(uintptr_t)name->identity,
	};
	struct roost_err why;
	int ret;

	signer.key = get_key(load, text, len, signer.digest, &why);
	if (signer.key == NULL)
		return roost_key_load_broken(load, name, why.msg, err);
	ret = roost_key_set_add(load->set, name->pattern, &signer, err);
	roost_key_unref(&signer.key);
	return ret;
}

int roost_key_load_file(const struct roost_key_load *load,
			const struct roost_key_load_name *name,
			const char *path, struct roost_err *err)
{
	struct roost_buf text = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX);
	const char *warning;
	struct roost_err why;
	int ret;

	if (roost_key_file_read_private(path, &text, &warning, &why) < 0) {
		ret = roost_key_load_broken(load, name, why.msg, err);
	} else {
		if (warning != NULL)
			roost_key_report_add(load->report, ROOST_LOG_WARNING,
					     path, "%s", warning);
		ret = roost_key_load_text(load, name, roost_buf_str(&text),
					  text.len, err);
	}
	roost_key_file_forget(&text);
	return ret;
}

static bool is_name(const char *text, size_t max)
{
	size_t label = 0, i;

	for (i = 0; text[i] != '\0' && i <= max; i++) {
		char c = text[i];

		if (c == '.' && label > 0)
			label = 0;
		else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			 (c >= '0' && c <= '9') || c == '-' || c == '_')
			label++;
		else
			return false;
		if (label > 63)
			return false;
	}
	return label > 0 && i <= max;
}

const char *roost_key_load_check_name(const char *domain, const char *selector)
{
	if (strcmp(domain, "%") != 0 &&
	    !is_name(domain, ROOST_FROM_DOMAIN_SIZE - 1))
		return "bad domain name";
	return is_name(selector, 200) ? NULL : "bad selector";
}
