/* SPDX-License-Identifier: MIT */
/*
 * ctl-probe: does this SMTP server relay for whoever runs this? Asks with MAIL
 * and RCPT alone: no message is ever sent.
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "tools/ctl-json.h"
#include "tools/ctl.h"

#define REPLY_SECONDS 30
#define TOTAL_SECONDS 300
#define REPLY_MAX 65536
/* Postfix slows down, and then hangs up, after ten and twenty errors */
#define RCPTS_PER_SESSION 7
#define ADDRESS_SIZE 1024

/* %E: the domain elsewhere, %O: the server's own. `sure`: whoever takes it
   relays; else it may be a mailbox of an odd name. */
static const struct {
	const char *recipient;
	bool sure;
} tricks[] = {
	{ "roost-probe@%E", true },
	{ "@%O:roost-probe@%E", true },
	{ "@%O,@localhost:roost-probe@%E", true },
	{ "roost-probe@%O@%E", true },
	{ "roost-probe%%E", false },
	{ "roost-probe%%E@%O", false },
	{ "roost-probe%%E@localhost", false },
	{ "%E!roost-probe", false },
	{ "%E!roost-probe@%O", false },
	{ "%E!%O!roost-probe@%O", false },
	{ "\"roost-probe@%E\"", false },
	{ "\"roost-probe@%E\"@%O", false },
	{ "\"roost-probe%%E\"@%O", false },
	{ "\"%E!roost-probe\"@%O", false },
	{ "roost-probe@%E@%O", false },
	{ "@%O:roost-probe%%E@%O", false },
};

struct probe {
	const char *host, *port, *own, *elsewhere, *sender;
	const char *proxy;   /* address to claim in a PROXY header, or NULL */
	const char *xclient; /* address to claim by XCLIENT, or NULL */
	bool json;
	time_t end;
	int fd;
	struct roost_buf in;
	unsigned int relayed, unclear, refused;
};

static int probe_connect(struct probe *p, struct roost_err *err)
{
	const struct timeval tv = { .tv_sec = REPLY_SECONDS };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *i;
	int ret = getaddrinfo(p->host, p->port, &hints, &list);

	if (ret != 0)
		return roost_err_set(err, "%s: %s", p->host, gai_strerror(ret));
	p->fd = -1;
	for (i = list; i != NULL && p->fd < 0; i = i->ai_next) {
		p->fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (p->fd < 0)
			continue;
		(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
				 sizeof(tv));
		(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
				 sizeof(tv));
		if (connect(p->fd, i->ai_addr, i->ai_addrlen) == 0)
			break;
		ret = errno;
		close(p->fd);
		p->fd = -1;
	}
	freeaddrinfo(list);
	roost_buf_clear(&p->in);
	return p->fd < 0 ? roost_err_set(err, "%s port %s: %s", p->host,
					 p->port, strerror(ret))
			 : 0;
}

/* The length of the whole reply that `in` begins with, or 0. */
static size_t reply_length(const struct roost_buf *in)
{
	const char *text = roost_buf_str(in);
	const char *line = text, *end;

	while ((end = strchr(line, '\n')) != NULL) {
		if (end - line < 4 || line[3] != '-')
			return (size_t)(end + 1 - text);
		line = end + 1;
	}
	return 0;
}

/* Reads one reply; its code, or -1. */
static int read_reply(struct probe *p, struct roost_err *err)
{
	char data[4096];
	size_t len;
	ssize_t n;
	long code;

	while ((len = reply_length(&p->in)) == 0) {
		if (time(NULL) > p->end)
			return roost_err_set(err, "the server is too slow");
		n = recv(p->fd, data, sizeof(data), 0);
		if (n <= 0)
			return roost_err_set(err, "no reply: %s",
					     n == 0 ? "connection closed"
						    : strerror(errno));
		roost_buf_append(&p->in, data, (size_t)n);
		if (p->in.failed)
			return roost_err_set(err, "an endless reply");
	}
	code = strtol(roost_buf_str(&p->in), NULL, 10);
	roost_buf_shift(&p->in, len);
	if (code < 200 || code > 599)
		return roost_err_set(err, "not an SMTP reply");
	return (int)code;
}

static int command(struct probe *p, struct roost_err *err, const char *word,
		   const char *argument, const char *tail)
{
	struct roost_buf line = ROOST_BUF_INIT(ADDRESS_SIZE * 2);
	int ret;

	roost_buf_printf(&line, "%s%s%s\r\n", word, argument, tail);
	ret = line.failed || send(p->fd, line.data, line.len, MSG_NOSIGNAL) !=
				      (ssize_t)line.len
		      ? roost_err_set(err, "cannot send")
		      : 0;
	roost_buf_free(&line);
	return ret < 0 ? ret : read_reply(p, err);
}

/* From the connection to MAIL. */
static int begin(struct probe *p, struct roost_err *err)
{
	struct roost_buf head = ROOST_BUF_INIT(256);
	int code = 0;

	if (probe_connect(p, err) < 0)
		return -1;
	if (p->proxy != NULL) {
		roost_buf_printf(&head, "PROXY TCP%c %s %s 40000 25\r\n",
				 strchr(p->proxy, ':') != NULL ? '6' : '4',
				 p->proxy, p->proxy);
		if (send(p->fd, head.data, head.len, MSG_NOSIGNAL) < 0)
			code = roost_err_set(err, "cannot send");
		roost_buf_free(&head);
	}
	if (code == 0)
		code = read_reply(p, err);
	if (code == 220)
		code = command(p, err, "EHLO ", "roost-probe.invalid", "");
	if (code == 250 && p->xclient != NULL) {
		code = command(p, err, "XCLIENT ADDR=",
			       strchr(p->xclient, ':') != NULL ? "IPV6:" : "",
			       p->xclient);
		if (code == 220)
			code = command(p, err, "EHLO ", "roost-probe.invalid",
				       "");
	}
	if (code == 250)
		code = command(p, err, "MAIL FROM:<", p->sender, ">");
	if (code > 0 && code != 250)
		return roost_err_set(err, "refused with %d before RCPT", code);
	return code < 0 ? -1 : 0;
}

static void fill_in(const struct probe *p, const char *trick,
		    char address[ADDRESS_SIZE])
{
	struct roost_buf out = ROOST_BUF_INIT(ADDRESS_SIZE - 1);

	for (; *trick != '\0'; trick++) {
		if (trick[0] == '%' && trick[1] == 'E')
			roost_buf_append_str(&out, p->elsewhere), trick++;
		else if (trick[0] == '%' && trick[1] == 'O')
			roost_buf_append_str(&out, p->own), trick++;
		else
			roost_buf_append_char(&out, *trick);
	}
	(void)snprintf(address, ADDRESS_SIZE, "%s", roost_buf_str(&out));
	roost_buf_free(&out);
}

static void report(struct probe *p, const char *recipient, int code, bool sure)
{
	bool taken = code >= 200 && code < 300;
	const char *word = !taken ? "refused" : sure ? "RELAYS" : "taken";

	if (taken && sure)
		p->relayed++;
	else if (taken)
		p->unclear++;
	else
		p->refused++;
	if (p->json) {
		printf("%s{\"result\":\"%s\",\"code\":%d,\"recipient\":",
		       p->relayed + p->unclear + p->refused == 1 ? "" : ",",
		       !taken ? "refused"
		       : sure ? "relays"
			      : "taken",
		       code);
		roost_ctl_json_string(recipient);
		printf("}");
	} else {
		printf("%-8s %d %s\n", word, code, recipient);
	}
}

static int run(struct probe *p, struct roost_err *err)
{
	size_t i, count = sizeof(tricks) / sizeof(tricks[0]);
	char address[ADDRESS_SIZE];
	int code = 0;

	for (i = 0; i < count && code >= 0; i++) {
		if (i % RCPTS_PER_SESSION == 0) {
			if (i > 0)
				close(p->fd);
			code = begin(p, err);
		}
		fill_in(p, tricks[i].recipient, address);
		if (code >= 0)
			code = command(p, err, "RCPT TO:<", address, ">");
		if (code == 421)
			code = roost_err_set(err, "the server hangs up");
		if (code >= 0)
			report(p, address, code, tricks[i].sure);
	}
	if (p->fd >= 0)
		close(p->fd);
	return code < 0 ? -1 : 0;
}

/* Takes "host", "host:port" or "[v6]:port" apart, in place. */
static void split_target(struct probe *p, char *target)
{
	char *end = *target == '[' ? strchr(target, ']') : NULL;
	char *colon = strrchr(end != NULL ? end : target, ':');

	p->port = "25";
	if (colon != NULL && (end != NULL || strchr(target, ':') == colon)) {
		*colon = '\0';
		p->port = colon + 1;
	}
	if (end != NULL)
		*end = '\0';
	p->host = end != NULL ? target + 1 : target;
}

static int finish(struct probe *p, int ret, const struct roost_err *err)
{
	if (p->json) {
		printf("],\"relays\":%u,\"taken\":%u,\"refused\":%u",
		       p->relayed, p->unclear, p->refused);
		if (ret < 0) {
			printf(",\"error\":");
			roost_ctl_json_string(err->msg);
		}
		puts("}");
	} else if (ret == 0) {
		printf("%u relayed, %u taken, which may be mailboxes of the "
		       "server's own, %u refused\n",
		       p->relayed, p->unclear, p->refused);
	}
	if (ret < 0)
		fprintf(stderr, "roostctl probe: %s\n", err->msg);
	if (p->relayed > 0)
		return 1;
	return ret < 0 ? 2 : 0;
}

int roost_ctl_probe(int argc, char *argv[])
{
	struct probe p = {
		.own = "localhost",
		.elsewhere = "example.org",
		.sender = "roost-probe@example.net",
		.end = time(NULL) + TOTAL_SECONDS,
		.fd = -1,
		.in = ROOST_BUF_INIT(REPLY_MAX),
	};
	struct roost_err err = { "" };
	int c, ret;

	p.json = roost_ctl_json_option(&argc, argv);
	while ((c = getopt(argc, argv, "d:e:f:P:X:")) != -1) {
		const char **option = c == 'd'	 ? &p.own
				      : c == 'e' ? &p.elsewhere
				      : c == 'f' ? &p.sender
				      : c == 'P' ? &p.proxy
				      : c == 'X' ? &p.xclient
						 : NULL;

		if (option == NULL || strpbrk(optarg, "\r\n") != NULL)
			return -1;
		*option = optarg;
	}
	if (optind + 1 != argc)
		return -1;
	split_target(&p, argv[optind]);
	if (p.json)
		printf("{\"recipients\":[");
	ret = run(&p, &err);
	roost_buf_free(&p.in);
	return finish(&p, ret, &err);
}
