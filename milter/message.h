/* SPDX-License-Identifier: MIT */
/*
 * message: one message on its way through the milter; knows nothing of
 * libmilter.
 *
 *   start, header …, end_headers, body …, end, signatures, reset
 *
 * The body is hashed as it passes; nothing of it is kept. The object is used
 * again for the next message of the connection.
 */
#ifndef ROOST_MILTER_MESSAGE_H
#define ROOST_MILTER_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "milter/snapshot.h"

/* RFC 5322 section 2.1.1 */
#define ROOST_MESSAGE_LINE_MAX 998

enum roost_message_outcome {
	ROOST_MESSAGE_SIGNED,
	ROOST_MESSAGE_NOT_OURS, /* no source knows the author */
	ROOST_MESSAGE_NO_FROM,
	ROOST_MESSAGE_TWO_FROM,
	ROOST_MESSAGE_BAD_FROM,	   /* no single domain: see reason */
	ROOST_MESSAGE_MISSING_KEY, /* ours, but no usable key */
	ROOST_MESSAGE_LONG_LINE,   /* refused for it */
	ROOST_MESSAGE_ERROR,
};
#define ROOST_MESSAGE_OUTCOMES 8

struct roost_message_decision {
	enum roost_message_outcome outcome;
	enum roost_action action;
	const char *reason;    /* in words; NULL when signed */
	const char *domain;    /* of the author; NULL when unknown */
	const char *selectors; /* "rsa:a,ed25519:b", of what was signed */
	uint64_t longest_line; /* of headers and body */
};

struct roost_message;

struct roost_message *roost_message_new(struct roost_err *err);
void roost_message_free(struct roost_message **message);

/* Begins a message; takes the reference to the snapshot over. */
void roost_message_start(struct roost_message *message,
			 struct roost_snapshot *snapshot);
/* `value`: what is behind the colon, folds as LF; `whole`: with the blank that
   old mail servers take away. */
void roost_message_header(struct roost_message *message, const char *name,
			  const char *value, bool whole);
/* ROOST_ACTION_CONTINUE when the body is needed; any other is final. */
enum roost_action roost_message_end_headers(struct roost_message *message);
void roost_message_body(struct roost_message *message, const void *data,
			size_t len);
/* Signs. ROOST_ACTION_PASS: put the signatures in. `now`: seconds since
   1970. */
enum roost_action roost_message_end(struct roost_message *message,
				    uint64_t now);

/* How many DKIM-Signature values there are; n counts from the top. */
size_t roost_message_signature_count(const struct roost_message *message);
const char *roost_message_signature(const struct roost_message *message,
				    size_t n);
/* The algorithm of a signature, for counting. */
enum roost_key_type
roost_message_signature_type(const struct roost_message *message, size_t n);

/* Of the last end_headers or end; valid until reset or start. */
const struct roost_message_decision *
roost_message_decision(const struct roost_message *message);

/* An error found outside (the headers could not be put in): changes the
   decision and gives its action. */
enum roost_action roost_message_failed(struct roost_message *message,
				       const char *reason);

void roost_message_reset(struct roost_message *message);

/* "signed", "not_ours" …: for logs and metrics. */
const char *roost_message_outcome_name(enum roost_message_outcome outcome);

#endif
