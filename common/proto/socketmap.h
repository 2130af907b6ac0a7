/* SPDX-License-Identifier: MIT */
/*
 * socketmap: Postfix's socketmap protocol (socketmap_table(5)), server side.
 *
 * A query is the netstring of "name key", an answer that of "OK value",
 * "NOTFOUND " or "TEMP reason". The parser is strict: no leading zeros, no
 * bytes but the protocol's; what is malformed ends the connection, since
 * where the next query would start is not known.
 */
#ifndef ROOST_PROTO_SOCKETMAP_H
#define ROOST_PROTO_SOCKETMAP_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define ROOST_SOCKETMAP_QUERY_MAX 10000 /* bytes of "name key" */
#define ROOST_SOCKETMAP_VALUE_MAX 99000 /* Postfix takes 100,000 in all */

struct roost_socketmap_query {
	const char *name; /* NUL-terminated, in the caller's bytes */
	const char *key;
	size_t size; /* bytes of the netstring */
};

/* Parses the netstring that data starts with. Returns 1 when it is complete
   (bytes of it are then changed), 0 when more bytes are needed, -1 when it is
   malformed. */
int roost_socketmap_parse(struct roost_socketmap_query *query, char *data,
			  size_t len, struct roost_err *err);

enum roost_socketmap_status {
	ROOST_SOCKETMAP_OK,
	ROOST_SOCKETMAP_NOTFOUND,
	ROOST_SOCKETMAP_TEMP,
};

/* Appends an answer; text is the value or the reason (not for NOTFOUND). A
   value that is too long becomes TEMP. */
void roost_socketmap_answer(struct roost_buf *out,
			    enum roost_socketmap_status status,
			    const char *text);

#endif
