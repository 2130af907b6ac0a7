/* SPDX-License-Identifier: MIT */
/* ctl-health: asks a health port, for probes in images without curl. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl-json.h"
#include "tools/ctl.h"

#define TIMEOUT_SECONDS 5
#define BODY_MAX 65536

struct health {
	struct event_base *base;
	int status; /* of HTTP; 0: no answer */
	bool json;
};

static void answered(struct evhttp_request *request, void *arg)
{
	struct health *health = arg;

	if (request != NULL)
		health->status = evhttp_request_get_response_code(request);
	if (health->status != 0) {
		struct evbuffer *body =
			evhttp_request_get_input_buffer(request);
		size_t len = evbuffer_get_length(body);

		if (health->json) {
			/* makes it a string */
			(void)evbuffer_add(body, "", 1);
			printf("{\"status\":%d,\"body\":", health->status);
			roost_ctl_json_string(
				(const char *)evbuffer_pullup(body, -1));
			puts("}");
		} else {
			fwrite(evbuffer_pullup(body, -1), 1, len, stdout);
		}
	}
	(void)event_base_loopbreak(health->base);
}

/* The host without the brackets of an IPv6 address. */
static bool get_host(const struct evhttp_uri *uri, char host[256])
{
	const char *text = evhttp_uri_get_host(uri);
	size_t len = text == NULL ? 0 : strlen(text);

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= 256)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static int ask(const struct evhttp_uri *uri, const char *host, bool json)
{
	const char *path = evhttp_uri_get_path(uri);
	int port = evhttp_uri_get_port(uri);
	struct evhttp_connection *connection;
	struct evhttp_request *request;
	struct health health = { .base = event_base_new(), .json = json };

	if (health.base == NULL)
		return 0;
	connection = evhttp_connection_base_new(
		health.base, NULL, host,
		(unsigned short)(port < 0 ? 80 : port));
	request = evhttp_request_new(answered, &health);
	if (connection != NULL && request != NULL) {
		evhttp_connection_set_timeout(connection, TIMEOUT_SECONDS);
		evhttp_connection_set_max_body_size(connection, BODY_MAX);
		(void)evhttp_add_header(
			evhttp_request_get_output_headers(request), "Host",
			host);
		if (evhttp_make_request(connection, request, EVHTTP_REQ_GET,
					*path == '\0' ? "/readyz" : path) == 0)
			(void)event_base_dispatch(health.base);
	}
	if (connection != NULL)
		evhttp_connection_free(connection);
	event_base_free(health.base);
	return health.status;
}

int roost_ctl_health(int argc, char *argv[])
{
	struct evhttp_uri *uri;
	char host[256];
	bool json = roost_ctl_json_option(&argc, argv);
	int status = 2;

	if (argc != 2)
		return -1;
	uri = evhttp_uri_parse(argv[1]);
	if (uri == NULL || evhttp_uri_get_scheme(uri) == NULL ||
	    strcmp(evhttp_uri_get_scheme(uri), "http") != 0 ||
	    !get_host(uri, host)) {
		fprintf(stderr,
			"roostctl health: '%s' is not http://host:port/path\n",
			argv[1]);
	} else {
		int code = ask(uri, host, json);

		if (code == 0)
			fprintf(stderr, "roostctl health: no answer from %s\n",
				argv[1]);
		status = code == 200 ? 0 : 1;
	}
	if (uri != NULL)
		evhttp_uri_free(uri);
	return status;
}
