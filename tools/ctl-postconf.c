/* SPDX-License-Identifier: MIT */
/* ctl-postconf: the settings of a Postfix, as postconf(1) prints them. */
#include "roost-config.h"

#include "tools/ctl-postconf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"

#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)
#define ARGS_MAX 8
#define SECONDS_MAX 10

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for more to read, until `end` (ms) at most. */
static bool is_readable(int fd, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = end - now_ms();

	return left > 0 && poll(&p, 1, (int)left) > 0;
}

/* Runs a program and appends what it prints to `out`. */
static int run(const char *const *args, struct roost_buf *out,
	       struct roost_err *err)
{
	int64_t end = now_ms() + SECONDS_MAX * 1000;
	int fds[2], status = 0;
	char data[4096];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return roost_err_set(err, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		if (dup2(fds[1], STDOUT_FILENO) < 0)
			_exit(127);
		execvp(args[0], (char *const *)args);
		_exit(127);
	}
	close(fds[1]);
	while (pid > 0 && is_readable(fds[0], end) &&
	       (n = read(fds[0], data, sizeof(data))) > 0)
		roost_buf_append(out, data, (size_t)n);
	close(fds[0]);
	if (pid > 0 && now_ms() >= end) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		return roost_err_set(err, "%s takes longer than %d seconds",
				     args[0], SECONDS_MAX);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return roost_err_set(err, "fork: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return roost_err_set(
			err, "%s %s", args[0],
			WIFEXITED(status) && WEXITSTATUS(status) == 127
				? "cannot be started: is Postfix installed?"
				: "failed");
	if (out->failed)
		return roost_err_set(err, "%s printed too much", args[0]);
	return 0;
}

/* Cuts "[service/type/]name = value" lines into entries, in place. */
static int split(struct roost_postconf *postconf, char *text,
		 struct roost_err *err)
{
	char *line, *save;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct roost_postconf_entry *more, *entry;
		char *value = strchr(line, '='), *end, *slash;

		if (value == NULL)
			continue;
		for (end = value; end > line && end[-1] == ' ';)
			end--;
		*end = '\0';
		value++;
		value += strspn(value, " \t");
		slash = strrchr(line, '/');
		more = reallocarray(postconf->entry, postconf->count + 1,
				    sizeof(*more));
		if (more == NULL)
			return roost_err_set(err, "out of memory");
		postconf->entry = more;
		entry = &more[postconf->count++];
		if (slash != NULL)
			*slash = '\0';
		entry->service = slash != NULL ? line : "";
		entry->name = slash != NULL ? slash + 1 : line;
		entry->value = value;
	}
	return 0;
}

int roost_postconf_read(struct roost_postconf *postconf, const char *dir,
			struct roost_err *err)
{
	struct roost_buf out = ROOST_BUF_INIT(OUTPUT_MAX);
	const char *flags[] = { "-x", "-Px" };
	size_t i;
	int ret = 0;

	memset(postconf, 0, sizeof(*postconf));
	for (i = 0; i < 2 && ret == 0; i++) {
		const char *args[ARGS_MAX] = { "postconf", flags[i] };

		if (dir != NULL) {
			args[2] = "-c";
			args[3] = dir;
		}
		ret = run(args, &out, err);
	}
	if (ret < 0 || out.data == NULL) {
		roost_buf_free(&out);
		return ret < 0 ? ret
			       : roost_err_set(err, "postconf says nothing");
	}
	postconf->text = (char *)out.data;
	return split(postconf, postconf->text, err);
}

const char *roost_postconf_get(const struct roost_postconf *postconf,
			       const char *name)
{
	size_t i;

	for (i = 0; i < postconf->count; i++) {
		if (*postconf->entry[i].service == '\0' &&
		    strcmp(postconf->entry[i].name, name) == 0)
			return postconf->entry[i].value;
	}
	return "";
}

void roost_postconf_free(struct roost_postconf *postconf)
{
	free(postconf->entry);
	free(postconf->text);
	memset(postconf, 0, sizeof(*postconf));
}
