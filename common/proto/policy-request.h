/* SPDX-License-Identifier: MIT */
/*
 * policy-request: Postfix's SMTPD policy delegation protocol, server side
 * (Postfix: SMTPD_POLICY_README).
 *
 * A request is lines of `name=value` up to an empty line. The parser goes on
 * where it stopped when more bytes arrive, so no byte is looked at twice. It
 * is strict: Postfix never sends what is refused here, and a refused request
 * gets no answer, which Postfix turns into a temporary failure.
 */
#ifndef ROOST_PROTO_POLICY_REQUEST_H
#define ROOST_PROTO_POLICY_REQUEST_H

#include <stddef.h>

#include "common/base/err.h"

#define ROOST_POLICY_NAME_MAX 256
#define ROOST_POLICY_VALUE_MAX 16384
#define ROOST_POLICY_REQUEST_MAX 65536 /* with the empty line */
#define ROOST_POLICY_ATTRS_MAX 256

/* The attributes that Roost looks at; others are checked and skipped. */
enum roost_policy_attr {
	ROOST_POLICY_REQUEST,
	ROOST_POLICY_PROTOCOL_STATE,
	ROOST_POLICY_INSTANCE,
	ROOST_POLICY_CLIENT_ADDRESS,
	ROOST_POLICY_SERVER_ADDRESS,
	ROOST_POLICY_SASL_METHOD,
	ROOST_POLICY_SASL_USERNAME,
	ROOST_POLICY_SENDER,
	ROOST_POLICY_RECIPIENT,
	ROOST_POLICY_RECIPIENT_COUNT,
	ROOST_POLICY_ATTR_COUNT
};

struct roost_policy_request {
	/* after a complete parse: NUL-terminated, in the caller's bytes; NULL
	   for an attribute that was not sent */
	const char *value[ROOST_POLICY_ATTR_COUNT];
	size_t size; /* bytes of the request, with the empty line */

	/* the parser's own: offsets from the start of the request */
	size_t line_start, scanned, attr_count;
	size_t value_start[ROOST_POLICY_ATTR_COUNT];
	size_t value_end[ROOST_POLICY_ATTR_COUNT];
};

/* Forgets everything; before each request. */
void roost_policy_request_reset(struct roost_policy_request *request);

/*
 * Parses the bytes of one request. `data` are all bytes since the start of
 * the request: the same as last time, and more. Returns 1 when the request is
 * complete (the bytes up to request->size are changed: newlines become NUL), 0
 * when more bytes are needed, -1 when it is malformed. A malformed request
 * ends the connection: where the next one would start is not known.
 */
int roost_policy_request_parse(struct roost_policy_request *request, char *data,
			       size_t len, struct roost_err *err);

/* Takes one `name=value` without its newline, as the lines of a request are
   taken; for tools. Unknown names are an error here. The value is kept by
   reference. */
int roost_policy_request_set(struct roost_policy_request *request,
			     const char *assignment, struct roost_err *err);

#endif
