/* SPDX-License-Identifier: MIT */
/* agent-proto: the lines of docs/agent-protocol.md, parsed and formatted. */
#include "common/proto/agent-proto.h"

#include <string.h>

#include "common/base/kv.h"

#define MAX_FIELDS (2 + ROOST_AGENT_PROTO_MAX_KEYS)
#define ROLE(name) (1U << ROOST_AGENT_ROLE_##name)

/* The arguments of a command, in their order, and who may send it. */
static const struct command {
	const char *name;
	/* u user, s service, p pid, i ID, n node, w weight; U and N may be
	   left out */
	const char *args;
	unsigned int roles;
} commands[] = {
	[ROOST_AGENT_LOOKUP] = { "LOOKUP", "us", ROLE(AUTH) | ROLE(ADMIN) },
	[ROOST_AGENT_CLAIM] = { "CLAIM", "us", ROLE(AUTH) },
	[ROOST_AGENT_OPEN] = { "OPEN", "usp", ROLE(MAIL) },
	[ROOST_AGENT_CLOSE] = { "CLOSE", "i", ROLE(MAIL) },
	[ROOST_AGENT_STATUS] = { "STATUS", "U", ROLE(ADMIN) },
	[ROOST_AGENT_NODES] = { "NODES", "", ROLE(ADMIN) },
	[ROOST_AGENT_RELEASE] = { "RELEASE", "u", ROLE(ADMIN) },
	[ROOST_AGENT_KICK] = { "KICK", "u", ROLE(ADMIN) },
	[ROOST_AGENT_MOVE] = { "MOVE", "un", ROLE(ADMIN) },
	[ROOST_AGENT_DRAIN] = { "DRAIN", "N", ROLE(ADMIN) },
	[ROOST_AGENT_UNDRAIN] = { "UNDRAIN", "N", ROLE(ADMIN) },
	[ROOST_AGENT_WEIGHT] = { "WEIGHT", "nw", ROLE(ADMIN) },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

bool roost_agent_proto_allowed(enum roost_agent_role role,
			       enum roost_agent_command command)
{
	return (commands[command].roles & (1U << role)) != 0;
}

const char *roost_agent_proto_command_name(enum roost_agent_command command)
{
	return commands[command].name;
}

void roost_agent_proto_version(struct roost_buf *buf)
{
	roost_buf_printf(buf, "VERSION\t%s\t%d\t%d\n", ROOST_AGENT_PROTO_NAME,
			 ROOST_AGENT_PROTO_MAJOR, ROOST_AGENT_PROTO_MINOR);
}

int roost_agent_proto_check_version(char *line, size_t len,
				    struct roost_err *err)
{
	char *fields[MAX_FIELDS];
	uint64_t major, minor;
	int count = roost_kv_split(line, len, fields, MAX_FIELDS, err);

	if (count < 0)
		return roost_err_prefix(err, "version line");
	if (count < 4 || strcmp(fields[0], "VERSION") != 0 ||
	    strcmp(fields[1], ROOST_AGENT_PROTO_NAME) != 0 ||
	    !roost_kv_uint(fields[2], UINT32_MAX, &major) ||
	    !roost_kv_uint(fields[3], UINT32_MAX, &minor))
		return roost_err_set(err,
				     "the peer does not speak the %s "
				     "protocol",
				     ROOST_AGENT_PROTO_NAME);
	if (major != ROOST_AGENT_PROTO_MAJOR)
		return roost_err_set(err,
				     "the peer speaks version %s of the "
				     "protocol, this is version %d",
				     fields[2], ROOST_AGENT_PROTO_MAJOR);
	return 0;
}

static int set_name(const char **dest, const char *value, size_t max,
		    const char *what, struct roost_err *err)
{
	size_t len = strlen(value);

	if (len == 0 || len > max)
		return roost_err_set(err,
				     "%s must have 1 to %zu bytes, not %zu",
				     what, max, len);
	*dest = value;
	return 0;
}

static int set_number(uint32_t *dest, const char *value, const char *what,
		      struct roost_err *err)
{
	uint64_t number;

	if (!roost_kv_uint(value, ROOST_AGENT_PROTO_MAX_ID, &number) ||
	    number == 0)
		return roost_err_set(err, "%s is not a number of 1 to 2^31-1",
				     what);
	*dest = (uint32_t)number;
	return 0;
}

static int set_weight(uint32_t *dest, const char *value, struct roost_err *err)
{
	uint64_t number;

	if (!roost_kv_uint(value, ROOST_AGENT_PROTO_MAX_WEIGHT, &number))
		return roost_err_set(err, "weight is not a number of 0 to %d",
				     ROOST_AGENT_PROTO_MAX_WEIGHT);
	*dest = (uint32_t)number;
	return 0;
}

static int set_arg(struct roost_agent_request *req, char kind,
		   const char *value, struct roost_err *err)
{
	switch (kind) {
	case 'u':
	case 'U':
		return set_name(&req->user, value, ROOST_AGENT_PROTO_MAX_USER,
				"user", err);
	case 's':
		return set_name(&req->service, value,
				ROOST_AGENT_PROTO_MAX_NAME, "service", err);
	case 'n':
	case 'N':
		return set_name(&req->node, value, ROOST_AGENT_PROTO_MAX_NAME,
				"node", err);
	case 'w':
		return set_weight(&req->weight, value, err);
	case 'p':
		return set_number(&req->pid, value, "pid", err);
	default:
		return set_number(&req->open_id, value, "ID of the OPEN", err);
	}
}

/* fields[0..count) are what follows the command */
static int parse_args(struct roost_agent_request *req, char **fields,
		      size_t count, struct roost_err *err)
{
	const struct command *command = &commands[req->command];
	size_t i, args = strlen(command->args);
	const char *hop;

	if (count == 0 && (strcmp(command->args, "U") == 0 ||
			   strcmp(command->args, "N") == 0))
		return 0;
	if (count < args)
		return roost_err_set(err, "%s needs %zu arguments, not %zu",
				     command->name, args, count);
	for (i = 0; i < args; i++) {
		if (set_arg(req, command->args[i], fields[i], err) < 0)
			return roost_err_prefix(err, "%s", command->name);
	}
	for (; i < count; i++) {
		hop = req->command == ROOST_AGENT_CLAIM
			      ? roost_kv_value(fields[i], "hop")
			      : NULL;
		if (hop != NULL &&
		    set_name(&req->hop, hop, ROOST_AGENT_PROTO_MAX_NAME, "hop",
			     err) < 0)
			return roost_err_prefix(err, "%s", command->name);
	}
	return 0;
}

int roost_agent_proto_parse_request(char *line, size_t len,
				    struct roost_agent_request *req,
				    struct roost_err *err)
{
	char *fields[MAX_FIELDS];
	size_t i;
	int count;

	memset(req, 0, sizeof(*req));
	if (len >= ROOST_AGENT_PROTO_MAX_LINE)
		return roost_err_set(err, "line of %zu bytes", len);
	count = roost_kv_split(line, len, fields, MAX_FIELDS, err);
	if (count < 0)
		return -1;
	if (set_number(&req->id, fields[0], "ID", err) < 0)
		return -1;
	if (count < 2)
		return roost_err_set(err, "request without a command");
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(fields[1], commands[i].name) == 0)
			break;
	}
	if (i == COMMANDS) {
		(void)roost_err_set(err, "unknown command %.32s", fields[1]);
		return 0;
	}
	req->command = (enum roost_agent_command)i;
	return parse_args(req, fields + 2, (size_t)count - 2, err) < 0 ? 0 : 1;
}

static void format_arg(struct roost_buf *buf, char kind,
		       const struct roost_agent_request *req)
{
	switch (kind) {
	case 'u':
	case 'U':
		if (req->user != NULL)
			roost_kv_field(buf, req->user);
		break;
	case 's':
		roost_kv_field(buf, req->service);
		break;
	case 'n':
	case 'N':
		if (req->node != NULL)
			roost_kv_field(buf, req->node);
		break;
	case 'w':
		roost_buf_printf(buf, "\t%u", req->weight);
		break;
	case 'p':
		roost_buf_printf(buf, "\t%u", req->pid);
		break;
	default:
		roost_buf_printf(buf, "\t%u", req->open_id);
	}
}

void roost_agent_proto_format_request(struct roost_buf *buf,
				      const struct roost_agent_request *req)
{
	const struct command *command = &commands[req->command];
	const char *kind;

	roost_buf_printf(buf, "%u\t%s", req->id, command->name);
	for (kind = command->args; *kind != '\0'; kind++)
		format_arg(buf, *kind, req);
	if (req->hop != NULL)
		roost_kv_pair(buf, "hop", req->hop);
	roost_agent_proto_end(buf);
}

void roost_agent_proto_begin_ok(struct roost_buf *buf, uint32_t id)
{
	roost_buf_printf(buf, "%u\tOK", id);
}

void roost_agent_proto_begin_fail(struct roost_buf *buf, uint32_t id,
				  const char *code, const char *reason)
{
	roost_buf_printf(buf, "%u\tFAIL", id);
	roost_kv_pair(buf, "code", code);
	roost_kv_pair(buf, "reason", reason);
}

void roost_agent_proto_end(struct roost_buf *buf)
{
	roost_buf_append_char(buf, '\n');
}

int roost_agent_proto_parse_reply(char *line, size_t len,
				  struct roost_agent_line *reply,
				  struct roost_err *err)
{
	char *fields[MAX_FIELDS];
	int i, count;

	memset(reply, 0, sizeof(*reply));
	if (len >= ROOST_AGENT_PROTO_MAX_LINE)
		return roost_err_set(err, "line of %zu bytes", len);
	count = roost_kv_split(line, len, fields, MAX_FIELDS, err);
	if (count < 0)
		return -1;
	if (set_number(&reply->id, fields[0], "ID", err) < 0)
		return -1;
	if (count >= 2 && strcmp(fields[1], "OK") == 0)
		reply->ok = true;
	else if (count < 2 || strcmp(fields[1], "FAIL") != 0)
		return roost_err_set(err, "reply is neither OK nor FAIL");
	for (i = 2; i < count; i++)
		reply->fields[reply->count++] = fields[i];
	return 0;
}

const char *roost_agent_proto_get(const struct roost_agent_line *reply,
				  const char *key)
{
	const char *value;
	unsigned int i;

	for (i = 0; i < reply->count; i++) {
		value = roost_kv_value(reply->fields[i], key);
		if (value != NULL)
			return value;
	}
	return NULL;
}

uint64_t roost_agent_proto_get_uint(const struct roost_agent_line *reply,
				    const char *key, uint64_t max)
{
	const char *str = roost_agent_proto_get(reply, key);
	uint64_t value;

	return str != NULL && roost_kv_uint(str, max, &value) ? value : 0;
}
