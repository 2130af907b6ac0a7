/* SPDX-License-Identifier: MIT */
/* message: one message on its way through the milter. */
#include "milter/message.h"

#include <stdlib.h>
#include <string.h>

enum state {
	IDLE,
	HEADERS,
	BODY,
	DONE, /* a decision stands */
};

struct signature {
	enum roost_key_type type;
	struct roost_buf value;
};

struct roost_message {
	enum state state;
	struct roost_snapshot *snapshot;
	struct roost_header_list headers; /* those that may be signed */
	size_t from_count;
	bool too_many; /* headers past the bound were dropped */
	struct roost_from_address from;
	const struct roost_key_rule *rule; /* lives as the snapshot */
	struct roost_hash *hash;
	uint64_t longest_line;
	struct signature signatures[ROOST_KEY_TYPES];
	size_t signature_count;
	struct roost_buf selectors;
	struct roost_err reason;
	struct roost_message_decision decision;
};

struct roost_message *roost_message_new(struct roost_err *err)
{
	struct roost_message *message = calloc(1, sizeof(*message));

	if (message == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	message->selectors.max = 1024;
	message->hash = roost_hash_new(err);
	if (message->hash == NULL)
		roost_message_free(&message);
	return message;
}

void roost_message_free(struct roost_message **_message)
{
	struct roost_message *message = *_message;
	size_t i;

	*_message = NULL;
	if (message == NULL)
		return;
	roost_message_reset(message);
	for (i = 0; i < ROOST_KEY_TYPES; i++)
		roost_buf_free(&message->signatures[i].value);
	roost_buf_free(&message->selectors);
	roost_hash_free(&message->hash);
	free(message);
}

void roost_message_reset(struct roost_message *message)
{
	message->state = IDLE;
	roost_snapshot_unref(&message->snapshot);
	roost_header_list_clear(&message->headers);
	message->from_count = 0;
	message->too_many = false;
	message->rule = NULL;
	message->longest_line = 0;
	message->signature_count = 0;
	roost_buf_clear(&message->selectors);
	memset(&message->decision, 0, sizeof(message->decision));
}

void roost_message_start(struct roost_message *message,
			 struct roost_snapshot *snapshot)
{
	roost_message_reset(message);
	message->snapshot = snapshot;
	message->state = HEADERS;
}

static enum roost_action decide(struct roost_message *message,
				enum roost_message_outcome outcome,
				enum roost_action action, const char *reason)
{
	message->decision.outcome = outcome;
	message->decision.action = action;
	message->decision.reason = reason;
	message->decision.longest_line = message->longest_line;
	message->state = DONE;
	return action;
}

enum roost_action roost_message_failed(struct roost_message *message,
				       const char *reason)
{
	/* without a snapshot no setting is known: the safe answer */
	enum roost_action action =
		message->snapshot == NULL
			? ROOST_ACTION_TEMPFAIL
			: message->snapshot->signing->on_error;

	(void)roost_err_set(&message->reason, "%s", reason);
	message->signature_count = 0;
	return decide(message, ROOST_MESSAGE_ERROR, action,
		      message->reason.msg);
}

/* The longest line of a header field, its name included. */
static void measure(struct roost_message *message, size_t name_len,
		    const char *value)
{
	size_t line = name_len + 1, n;

	for (;;) {
		n = strcspn(value, "\n");
		line += n;
		if (line > message->longest_line)
			message->longest_line = line;
		if (value[n] == '\0')
			break;
		value += n + 1;
		line = 0;
	}
}

static int add_header(struct roost_message *message, const char *name,
		      size_t name_len, const char *value, bool whole)
{
	struct roost_buf full = ROOST_BUF_INIT(ROOST_HEADER_LIST_MAX_BYTES);
	int ret;

	if (whole)
		return roost_header_list_add(&message->headers, name, name_len,
					     value, strlen(value));
	roost_buf_append_char(&full, ' ');
	roost_buf_append_str(&full, value);
	ret = full.failed
		      ? -1
		      : roost_header_list_add(&message->headers, name, name_len,
					      roost_buf_str(&full), full.len);
	roost_buf_free(&full);
	return ret;
}

void roost_message_header(struct roost_message *message, const char *name,
			  const char *value, bool whole)
{
	size_t name_len = strlen(name);

	if (message->state != HEADERS)
		return;
	measure(message, name_len, value);
	if (roost_header_name_equal(name, name_len, "From", 4))
		message->from_count++;
	if (roost_sign_wants(&message->snapshot->signing->rules, name,
			     name_len) &&
	    add_header(message, name, name_len, value, whole) < 0)
		message->too_many = true;
}

static enum roost_action check_from(struct roost_message *message)
{
	const struct roost_signing *signing = message->snapshot->signing;
	const struct roost_header *field;
	enum roost_from_result result;

	if (message->from_count == 0)
		return decide(message, ROOST_MESSAGE_NO_FROM,
			      signing->on_bad_from, "no From header");
	if (message->from_count > 1)
		return decide(message, ROOST_MESSAGE_TWO_FROM,
			      signing->on_bad_from,
			      "more than one From header");
	field = roost_header_list_from_bottom(&message->headers, "From", 4, 0);
	if (field == NULL || message->too_many)
		return roost_message_failed(message, "too many header fields");
	result = roost_from_address_parse(field->value, field->value_len,
					  &message->from);
	if (result != ROOST_FROM_OK)
		return decide(message, ROOST_MESSAGE_BAD_FROM,
			      signing->on_unparseable_from,
			      roost_from_address_result(result));
	message->decision.domain = message->from.domain;
	return ROOST_ACTION_CONTINUE;
}

static bool has_key(const struct roost_key_rule *rule)
{
	size_t type;

	for (type = 0; type < ROOST_KEY_TYPES; type++) {
		if (rule->signers[type].key != NULL)
			return true;
	}
	return false;
}

static enum roost_action check_key(struct roost_message *message)
{
	const struct roost_snapshot *snapshot = message->snapshot;
	const struct roost_signing *signing = snapshot->signing;
	const char *reason = NULL;

	message->rule = roost_snapshot_find(snapshot, &message->from);
	if (message->rule != NULL && has_key(message->rule))
		return ROOST_ACTION_CONTINUE;
	if (message->rule != NULL)
		reason = "the domain's key can not be used";
	else if (snapshot->incomplete)
		reason = "a key source has not answered yet";
	else if (roost_signing_is_our_domain(signing, message->from.domain))
		reason = "the domain has no key";
	else
		return decide(message, ROOST_MESSAGE_NOT_OURS,
			      ROOST_ACTION_PASS, "not a domain of ours");
	return decide(message, ROOST_MESSAGE_MISSING_KEY,
		      signing->on_missing_key, reason);
}

enum roost_action roost_message_end_headers(struct roost_message *message)
{
	const struct roost_signing *signing;
	enum roost_action action;

	if (message->state == DONE)
		return message->decision.action;
	if (message->state != HEADERS)
		return roost_message_failed(message, "out of order");
	action = check_from(message);
	if (action == ROOST_ACTION_CONTINUE && message->state == HEADERS)
		action = check_key(message);
	if (message->state == DONE)
		return action;
	signing = message->snapshot->signing;
	roost_hash_begin(message->hash, signing->rules.body_canon,
			 ROOST_HASH_NO_LIMIT);
	message->state = BODY;
	return ROOST_ACTION_CONTINUE;
}

void roost_message_body(struct roost_message *message, const void *data,
			size_t len)
{
	/* a body without an end of headers: that decision comes first */
	if (message->state == HEADERS)
		(void)roost_message_end_headers(message);
	if (message->state == BODY)
		roost_hash_body(message->hash, data, len);
}

/* The text of a template: "%" stands for the author's domain. */
static int expand(const char *template, const char *domain,
		  struct roost_buf *out)
{
	for (; *template != '\0'; template ++) {
		if (*template == '%')
			roost_buf_append_str(out, domain);
		else
			roost_buf_append_char(out, *template);
	}
	return out->failed ? -1 : 0;
}

/* Whether "i=" may go with "d=": the same domain or one below it. */
static bool identity_fits(const char *identity, const char *domain)
{
	const char *at = strrchr(identity, '@');
	size_t len, domain_len = strlen(domain);

	if (at == NULL || (len = strlen(at + 1)) < domain_len)
		return false;
	at += 1 + len - domain_len;
	return roost_header_name_equal(at, domain_len, domain, domain_len) &&
	       (at[-1] == '@' || at[-1] == '.');
}

static int sign_with(struct roost_message *message,
		     const struct roost_key_signer *key,
		     const struct roost_sign_prepared *prepared,
		     const unsigned char *digest, uint64_t now,
		     struct roost_err *err)
{
	struct roost_buf domain = ROOST_BUF_INIT(ROOST_FROM_DOMAIN_SIZE);
	struct roost_buf identity = ROOST_BUF_INIT(512);
	struct signature *sig = &message->signatures[message->signature_count];
	struct roost_sign_signer signer = { .key = key->key,
					    .selector = key->selector };
	int ret;

	ret = expand(key->domain, message->from.domain, &domain);
	signer.domain = roost_buf_str(&domain);
	if (expand(key->identity, message->from.domain, &identity) == 0 &&
	    identity_fits(roost_buf_str(&identity), signer.domain))
		signer.identity = roost_buf_str(&identity);
	if (ret < 0)
		(void)roost_err_set(err, "signing domain too long");
	else
		ret = roost_sign_make(&message->snapshot->signing->rules,
				      prepared, &signer, digest, now,
				      &sig->value, err);
	roost_buf_free(&domain);
	roost_buf_free(&identity);
	if (ret < 0)
		return -1;
	sig->type = roost_key_type(key->key);
	message->signature_count++;
	roost_buf_printf(&message->selectors, "%s%s:%s",
			 message->selectors.len > 0 ? "," : "",
			 roost_key_type_name(sig->type), key->selector);
	return 0;
}

static int sign(struct roost_message *message, uint64_t now,
		struct roost_err *err)
{
	unsigned char digest[ROOST_HASH_SIZE];
	struct roost_sign_prepared prepared;
	int ret;
	size_t type;

	if (roost_hash_end(message->hash, digest, err) < 0)
		return -1;
	ret = roost_sign_prepare(&message->snapshot->signing->rules,
				 &message->headers, &prepared, err);
	for (type = 0; type < ROOST_KEY_TYPES && ret == 0; type++) {
		if (message->rule->signers[type].key != NULL)
			ret = sign_with(message, &message->rule->signers[type],
					&prepared, digest, now, err);
	}
	roost_sign_prepared_free(&prepared);
	return ret;
}

enum roost_action roost_message_end(struct roost_message *message, uint64_t now)
{
	struct roost_err err;
	uint64_t longest;

	if (message->state == HEADERS)
		(void)roost_message_end_headers(message);
	if (message->state == DONE)
		return message->decision.action;
	if (message->state != BODY)
		return roost_message_failed(message, "out of order");
	longest = roost_hash_longest_line(message->hash);
	if (longest > message->longest_line)
		message->longest_line = longest;
	if (message->longest_line > ROOST_MESSAGE_LINE_MAX &&
	    message->snapshot->signing->reject_long_lines)
		return decide(message, ROOST_MESSAGE_LONG_LINE,
			      ROOST_ACTION_REJECT, "a line is too long");
	if (sign(message, now, &err) < 0)
		return roost_message_failed(message, err.msg);
	message->decision.selectors = roost_buf_str(&message->selectors);
	return decide(message, ROOST_MESSAGE_SIGNED, ROOST_ACTION_PASS, NULL);
}

size_t roost_message_signature_count(const struct roost_message *message)
{
	return message->signature_count;
}

const char *roost_message_signature(const struct roost_message *message,
				    size_t n)
{
	return roost_buf_str(&message->signatures[n].value);
}

enum roost_key_type
roost_message_signature_type(const struct roost_message *message, size_t n)
{
	return message->signatures[n].type;
}

const struct roost_message_decision *
roost_message_decision(const struct roost_message *message)
{
	return &message->decision;
}

const char *roost_message_outcome_name(enum roost_message_outcome outcome)
{
	static const char *const names[ROOST_MESSAGE_OUTCOMES] = {
		"signed",   "not_ours",	   "no_from",	"two_from",
		"bad_from", "missing_key", "long_line", "error",
	};

	return names[outcome];
}
