/* SPDX-License-Identifier: MIT */
/*
 * agent-proto: the lines of docs/agent-protocol.md, parsed and formatted.
 * Plain memory in, plain memory out; no input or output of its own.
 */
#ifndef ROOST_PROTO_AGENT_PROTO_H
#define ROOST_PROTO_AGENT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

#define ROOST_AGENT_PROTO_NAME "roost-agent"
#define ROOST_AGENT_PROTO_MAJOR 1
#define ROOST_AGENT_PROTO_MINOR 0
#define ROOST_AGENT_PROTO_MAX_LINE 8192 /* with the LF */
#define ROOST_AGENT_PROTO_MAX_ID 0x7fffffffU
#define ROOST_AGENT_PROTO_MAX_USER 512
#define ROOST_AGENT_PROTO_MAX_NAME 255 /* service, node */
#define ROOST_AGENT_PROTO_MAX_KEYS 32
#define ROOST_AGENT_PROTO_MAX_WEIGHT 10000
#define ROOST_AGENT_PROTO_TIMEOUT_SECS 30

enum roost_agent_command {
	ROOST_AGENT_LOOKUP,
	ROOST_AGENT_CLAIM,
	ROOST_AGENT_OPEN,
	ROOST_AGENT_CLOSE,
	ROOST_AGENT_STATUS,
	ROOST_AGENT_NODES,
	ROOST_AGENT_RELEASE,
	ROOST_AGENT_KICK,
	ROOST_AGENT_MOVE,
	ROOST_AGENT_DRAIN,
	ROOST_AGENT_UNDRAIN,
	ROOST_AGENT_WEIGHT,
};

/* The role of a connection is the listener it came in on. */
enum roost_agent_role {
	ROOST_AGENT_ROLE_MAIL,
	ROOST_AGENT_ROLE_AUTH,
	ROOST_AGENT_ROLE_ADMIN,
};

struct roost_agent_request {
	uint32_t id;
	enum roost_agent_command command;
	const char *user;    /* LOOKUP CLAIM OPEN RELEASE KICK MOVE;
				STATUS: or NULL */
	const char *service; /* LOOKUP CLAIM OPEN */
	const char *hop;     /* CLAIM: or NULL */
	const char *node;    /* MOVE WEIGHT; DRAIN UNDRAIN: or NULL */
	uint32_t weight;     /* WEIGHT */
	uint32_t pid;	     /* OPEN */
	uint32_t open_id;    /* CLOSE */
};

/* A reply line; the strings point into the parsed line. */
struct roost_agent_line {
	uint32_t id;
	bool ok;
	unsigned int count;
	const char *fields[ROOST_AGENT_PROTO_MAX_KEYS]; /* key[=value] */
};

/* The first line of both sides, with its LF. */
void roost_agent_proto_version(struct roost_buf *buf);
/* 0, or -1 if the peer speaks another protocol or major version. */
int roost_agent_proto_check_version(char *line, size_t len,
				    struct roost_err *err);

/* Parses line[0..len) (no LF; line[len] is writable) in place.
   1: *req is complete. 0: answer req->id with FAIL code=protocol and the
   message of err. -1: malformed, there is nothing to answer: close. */
int roost_agent_proto_parse_request(char *line, size_t len,
				    struct roost_agent_request *req,
				    struct roost_err *err);
void roost_agent_proto_format_request(struct roost_buf *buf,
				      const struct roost_agent_request *req);

/* Whether connections of that role may send the command. */
bool roost_agent_proto_allowed(enum roost_agent_role role,
			       enum roost_agent_command command);
const char *roost_agent_proto_command_name(enum roost_agent_command command);

/* Replies are written by begin, then roost_kv_pair()/roost_kv_flag() and the
   like for each key, then end (the LF). */
void roost_agent_proto_begin_ok(struct roost_buf *buf, uint32_t id);
void roost_agent_proto_begin_fail(struct roost_buf *buf, uint32_t id,
				  const char *code, const char *reason);
void roost_agent_proto_end(struct roost_buf *buf);

/* 0, or -1 when malformed. Parses in place as the request parser does. */
int roost_agent_proto_parse_reply(char *line, size_t len,
				  struct roost_agent_line *reply,
				  struct roost_err *err);
/* The key's value, "" for a bare key, NULL when absent. */
const char *roost_agent_proto_get(const struct roost_agent_line *reply,
				  const char *key);
/* The key's number; 0 when absent or not a number up to max. */
uint64_t roost_agent_proto_get_uint(const struct roost_agent_line *reply,
				    const char *key, uint64_t max);

#endif
