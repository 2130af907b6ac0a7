/* SPDX-License-Identifier: MIT */
/* fuzz-agent-proto: an accepted request survives formatting and parsing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/agent-proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_line(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);

	if (line == NULL)
		abort();
	memcpy(line, data, size);
	return line;
}

static void check_equal(const char *a, const char *b)
{
	if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
		abort();
}

static void check_round_trip(const struct roost_agent_request *req)
{
	struct roost_buf buf = ROOST_BUF_INIT(2 * ROOST_AGENT_PROTO_MAX_LINE);
	struct roost_agent_request again;
	struct roost_err err;

	if (req->id == 0 || req->id > ROOST_AGENT_PROTO_MAX_ID)
		abort();
	roost_agent_proto_format_request(&buf, req);
	if (buf.failed || buf.data[buf.len - 1] != '\n')
		abort();
	if (roost_agent_proto_parse_request((char *)buf.data, buf.len - 1,
					    &again, &err) != 1)
		abort();
	if (again.id != req->id || again.command != req->command ||
	    again.pid != req->pid || again.open_id != req->open_id ||
	    again.weight != req->weight)
		abort();
	check_equal(again.user, req->user);
	check_equal(again.service, req->service);
	check_equal(again.hop, req->hop);
	check_equal(again.node, req->node);
	roost_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_agent_request req;
	struct roost_agent_line reply;
	struct roost_err err;
	char *line;

	line = copy_line(data, size);
	if (roost_agent_proto_parse_request(line, size, &req, &err) == 1)
		check_round_trip(&req);
	free(line);

	line = copy_line(data, size);
	if (roost_agent_proto_parse_reply(line, size, &reply, &err) == 0) {
		if (reply.count > ROOST_AGENT_PROTO_MAX_KEYS)
			abort();
		(void)roost_agent_proto_get_uint(&reply, "epoch", UINT64_MAX);
	}
	free(line);

	line = copy_line(data, size);
	(void)roost_agent_proto_check_version(line, size, &err);
	free(line);
	return 0;
}
