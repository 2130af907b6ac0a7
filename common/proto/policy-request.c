/* SPDX-License-Identifier: MIT */
/* policy-request: Postfix's SMTPD policy delegation protocol, server side. */
#include "common/proto/policy-request.h"

#include <string.h>

static const char *const attr_names[ROOST_POLICY_ATTR_COUNT] = {
	[ROOST_POLICY_REQUEST] = "request",
	[ROOST_POLICY_PROTOCOL_STATE] = "protocol_state",
	[ROOST_POLICY_INSTANCE] = "instance",
	[ROOST_POLICY_CLIENT_ADDRESS] = "client_address",
	[ROOST_POLICY_SERVER_ADDRESS] = "server_address",
	[ROOST_POLICY_SASL_METHOD] = "sasl_method",
	[ROOST_POLICY_SASL_USERNAME] = "sasl_username",
	[ROOST_POLICY_SENDER] = "sender",
	[ROOST_POLICY_RECIPIENT] = "recipient",
	[ROOST_POLICY_RECIPIENT_COUNT] = "recipient_count",
};

void roost_policy_request_reset(struct roost_policy_request *request)
{
	memset(request, 0, sizeof(*request));
}

/* The attribute of that name, or ROOST_POLICY_ATTR_COUNT. */
static size_t find_attr(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < ROOST_POLICY_ATTR_COUNT; i++) {
		if (strncmp(attr_names[i], name, len) == 0 &&
		    attr_names[i][len] == '\0')
			break;
	}
	return i;
}

/* One line that is not empty, without its newline. */
static int take_line(struct roost_policy_request *request, const char *data,
		     size_t end, struct roost_err *err)
{
	const char *line = data + request->line_start;
	size_t len = end - request->line_start, name_len, attr;
	const char *equals = memchr(line, '=', len);

	if (++request->attr_count > ROOST_POLICY_ATTRS_MAX)
		return roost_err_set(err, "more than %d attributes",
				     ROOST_POLICY_ATTRS_MAX);
	if (memchr(line, '\0', len) != NULL)
		return roost_err_set(err, "NUL byte in attribute %zu",
				     request->attr_count);
	if (line[len - 1] == '\r')
		return roost_err_set(err, "CR at the end of attribute %zu",
				     request->attr_count);
	if (equals == NULL || equals == line)
		return roost_err_set(err, "attribute %zu is not name=value",
				     request->attr_count);
	name_len = (size_t)(equals - line);
	if (name_len > ROOST_POLICY_NAME_MAX)
		return roost_err_set(err, "name of attribute %zu is too long",
				     request->attr_count);
	if (len - name_len - 1 > ROOST_POLICY_VALUE_MAX)
		return roost_err_set(err, "value of '%.*s' is too long",
				     (int)name_len, line);
	attr = find_attr(line, name_len);
	if (attr == ROOST_POLICY_ATTR_COUNT)
		return 0;
	/* which one would count? */
	if (request->value_start[attr] != 0)
		return roost_err_set(err, "'%s' is given twice",
				     attr_names[attr]);
	request->value_start[attr] = request->line_start + name_len + 1;
	request->value_end[attr] = end;
	return 0;
}

int roost_policy_request_parse(struct roost_policy_request *request, char *data,
			       size_t len, struct roost_err *err)
{
	size_t i, end;

	for (;;) {
		size_t room = len > ROOST_POLICY_REQUEST_MAX
				      ? ROOST_POLICY_REQUEST_MAX
				      : len;
		const char *newline = memchr(data + request->scanned, '\n',
					     room - request->scanned);

		if (newline == NULL) {
			request->scanned = room;
			if (room == ROOST_POLICY_REQUEST_MAX)
				return roost_err_set(
					err, "request of more than %d bytes",
					ROOST_POLICY_REQUEST_MAX);
			/* no line may be longer, complete or not */
			if (room - request->line_start >
			    ROOST_POLICY_NAME_MAX + ROOST_POLICY_VALUE_MAX + 1)
				return roost_err_set(
					err, "attribute %zu is too long",
					request->attr_count + 1);
			return 0;
		}
		end = (size_t)(newline - data);
		request->scanned = end + 1;
		if (end == request->line_start)
			break;
		if (take_line(request, data, end, err) < 0)
			return -1;
		request->line_start = end + 1;
	}
	request->size = end + 1;
	for (i = 0; i < ROOST_POLICY_ATTR_COUNT; i++) {
		if (request->value_start[i] == 0)
			continue;
		data[request->value_end[i]] = '\0';
		request->value[i] = data + request->value_start[i];
	}
	return 1;
}

int roost_policy_request_set(struct roost_policy_request *request,
			     const char *assignment, struct roost_err *err)
{
	const char *equals = strchr(assignment, '=');
	size_t attr;

	if (equals == NULL)
		return roost_err_set(err, "'%.60s' is not name=value",
				     assignment);
	attr = find_attr(assignment, (size_t)(equals - assignment));
	if (attr == ROOST_POLICY_ATTR_COUNT)
		return roost_err_set(err, "'%.*s' is no attribute that counts",
				     (int)(equals - assignment), assignment);
	if (request->value[attr] != NULL)
		return roost_err_set(err, "'%s' is given twice",
				     attr_names[attr]);
	request->value[attr] = equals + 1;
	return 0;
}
