/* SPDX-License-Identifier: MIT */
/*
 * policy-load: for tests/bench/policy.py.
 *   policy-load floor PATH                 a trivial policy server: the floor
 *   policy-load load PATH CONNS SECONDS    prints requests/s, p50, p99 (µs)
 *   policy-load idle PATH CONNS SECONDS    holds idle connections open
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 16384
#define SAMPLES_MAX 8000000

static const char request[] =
	"request=smtpd_access_policy\nprotocol_state=RCPT\n"
	"protocol_name=ESMTP\nhelo_name=client.example\nqueue_id=\n"
	"sender=alice@example.com\nrecipient=bob@elsewhere.example\n"
	"recipient_count=0\nclient_address=198.51.100.7\n"
	"client_name=client.example\nreverse_client_name=client.example\n"
	"instance=1234.5678abcd.9.0\nsasl_method=plain\n"
	"sasl_username=alice@example.com\nsasl_sender=\nsize=1234\n"
	"ccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
	"ccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
	"encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\n"
	"etrn_domain=\nstress=\nclient_port=40000\npolicy_context=\n"
	"server_address=192.0.2.25\nserver_port=587\n\n";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int make_socket(const char *path, struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path);
	return fd;
}

static void run_floor(const char *path)
{
	static const char answer[] = "action=DUNNO\n\n";
	struct epoll_event events[64], ev = { .events = EPOLLIN };
	struct sockaddr_un addr;
	int fd = make_socket(path, &addr), ep = epoll_create1(0), i, n;
	char data[65536];

	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 1024) < 0)
		die(path);
	ev.data.fd = fd;
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	while ((n = epoll_wait(ep, events, 64, -1)) > 0) {
		for (i = 0; i < n; i++) {
			int at = events[i].data.fd;
			ssize_t len;

			if (at == fd) {
				ev.data.fd = accept(fd, NULL, NULL);
				epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
				continue;
			}
			len = read(at, data, sizeof(data));
			if (len <= 0)
				close(at);
			else if (data[len - 1] == '\n' && data[len - 2] == '\n' &&
				 write(at, answer, sizeof(answer) - 1) < 0)
				close(at);
		}
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr;
	int fd = make_socket(path, &addr);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(path);
	return fd;
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void run_load(const char *path, int conns, double seconds)
{
	static double sent[CONNS_MAX];
	struct epoll_event events[64], ev = { .events = EPOLLIN };
	float *samples = malloc(SAMPLES_MAX * sizeof(*samples));
	int ep = epoll_create1(0), fds[CONNS_MAX], i, n;
	size_t count = 0;
	double start, end;
	char data[4096];

	for (i = 0; i < conns; i++) {
		fds[i] = connect_to(path);
		ev.data.u32 = (uint32_t)i;
		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
	}
	start = now();
	for (i = 0; i < conns; i++) {
		sent[i] = now();
		if (write(fds[i], request, sizeof(request) - 1) < 0)
			die("write");
	}
	end = start + seconds;
	while (now() < end && count < SAMPLES_MAX - 64) {
		n = epoll_wait(ep, events, 64, 1000);
		for (i = 0; i < n; i++) {
			uint32_t k = events[i].data.u32;

			if (read(fds[k], data, sizeof(data)) <= 0)
				die("the server hangs up");
			samples[count++] = (float)(now() - sent[k]);
			sent[k] = now();
			if (write(fds[k], request, sizeof(request) - 1) < 0)
				die("write");
		}
	}
	seconds = now() - start;
	qsort(samples, count, sizeof(*samples), compare);
	printf("%.0f %.0f %.0f\n", (double)count / seconds,
	       (double)samples[count / 2] * 1e6,
	       (double)samples[count * 99 / 100] * 1e6);
}

int main(int argc, char *argv[])
{
	struct rlimit limit;
	int i;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (argc == 3 && strcmp(argv[1], "floor") == 0)
		run_floor(argv[2]);
	else if (argc == 5 && strcmp(argv[1], "load") == 0)
		run_load(argv[2], atoi(argv[3]), atof(argv[4]));
	else if (argc == 5 && strcmp(argv[1], "idle") == 0) {
		for (i = 0; i < atoi(argv[3]); i++)
			(void)connect_to(argv[2]);
		puts("ready");
		fflush(stdout);
		sleep((unsigned int)atoi(argv[4]));
	} else {
		fprintf(stderr, "usage: see the head of the source\n");
		return 2;
	}
	return 0;
}
