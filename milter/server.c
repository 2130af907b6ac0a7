/* SPDX-License-Identifier: MIT */
/* server: libmilter's listening socket and its main loop in a thread. */
#include "roost-config.h"

#include "milter/server.h"

#include "daemon/listener.h"
#include "milter/nudge.h"

#include <errno.h>
#include <event2/event.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 512
#define GRACE_MS 5000
#define SCAN_FDS 4096

struct roost_server {
	const struct roost_callbacks_env *env;
	const char *name; /* of the address, for messages; copied */
	char *path;	  /* of a unix socket */
	int listen_fd;
	int ended_fd; /* the thread tells its end */
	struct event *ended_event;
	struct roost_nudge *nudge;
	bool started;
	roost_server_ended *ended;
	void *ctx;
};

/* libmilter's way to write an address */
static char *libmilter_name(const struct roost_conf_addr *addr)
{
	const char *family = strchr(addr->host == NULL ? "" : addr->host, ':')
				     ? "inet6"
				     : "inet";
	char *name = NULL;
	int ret;

	if (addr->path != NULL)
		ret = asprintf(&name, "unix:%s", addr->path);
	else if (*addr->host == '\0')
		ret = asprintf(&name, "inet:%u", addr->port);
	else
		ret = asprintf(&name, "%s:%u@%s", family, addr->port,
			       addr->host);
	return ret < 0 ? NULL : name;
}

/* libmilter would take the socket away from a milter that runs. */
static int check_path(const char *path, struct roost_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return roost_err_set(err, "path too long");
	(void)strcpy(addr.sun_path, path);
	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : roost_err_set(err, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return roost_err_set(err, "there is a file that is no socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return roost_err_set(err, "%s", strerror(errno));
	ret = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	if (ret < 0 && errno == ECONNREFUSED)
		ret = 0;
	else
		ret = roost_err_set(err, "another process serves it");
	(void)close(fd);
	return ret;
}

static bool is_listening(int fd)
{
	socklen_t len = sizeof(int);
	int on = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
	       on != 0;
}

/* Notes which of the first descriptors listen. */
static void scan(bool listening[SCAN_FDS])
{
	int fd;

	for (fd = 0; fd < SCAN_FDS; fd++)
		listening[fd] = is_listening(fd);
}

/* The descriptor that came; libmilter does not tell. */
static int find_new(const bool before[SCAN_FDS])
{
	int fd;

	for (fd = 0; fd < SCAN_FDS; fd++) {
		if (!before[fd] && is_listening(fd))
			return fd;
	}
	return -1;
}

static int open_socket(struct roost_server *server, struct roost_err *err)
{
	bool before[SCAN_FDS];
	int on = 1;

	scan(before);
	errno = 0;
	if (smfi_opensocket(true) != MI_SUCCESS)
		return roost_err_set(err, "%s",
				     errno == 0 ? "cannot listen"
						: strerror(errno));
	server->listen_fd = find_new(before);
	/* Accepted sockets inherit it. Without it each message waits 40 ms
	   for the other side's delayed acknowledgement. */
	if (server->path == NULL &&
	    (server->listen_fd < 0 ||
	     setsockopt(server->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on,
			sizeof(on)) < 0))
		return roost_err_set(err, "cannot set TCP_NODELAY");
	return 0;
}

static int open_path(struct roost_server *server,
		     const struct roost_milter_settings *settings,
		     struct roost_err *err)
{
	struct roost_listener_owner owner;
	mode_t mask;
	int ret;

	if (roost_listener_parse_owner(settings->socket_owner, &owner, err) < 0)
		return roost_err_prefix(err, "socket_owner");
	/* the daemon's own user, so that it can remove and try the socket */
	if (owner.uid == (uid_t)-1 && geteuid() == 0) {
		const struct passwd *pw = getpwnam(settings->daemon.user);

		if (pw != NULL)
			owner.uid = pw->pw_uid;
	}
	if (check_path(server->path, err) < 0)
		return -1;
	mask = umask(0777 & ~(mode_t)settings->socket_mode);
	ret = open_socket(server, err);
	(void)umask(mask);
	if (ret < 0)
		return -1;
	if (chown(server->path, owner.uid, owner.gid) < 0 ||
	    chmod(server->path, (mode_t)settings->socket_mode) < 0)
		return roost_err_set(err, "%s", strerror(errno));
	return 0;
}

static void server_free(struct roost_server **_server)
{
	struct roost_server *server = *_server;

	*_server = NULL;
	if (server->ended_event != NULL)
		event_free(server->ended_event);
	roost_nudge_free(&server->nudge);
	if (server->ended_fd >= 0)
		(void)close(server->ended_fd);
	free(server->path);
	free(server);
}

int roost_server_open(const struct roost_milter_settings *settings,
		      const struct roost_callbacks_env *env,
		      struct roost_server **server_r, struct roost_err *err)
{
	const struct roost_conf_addr *addr = &settings->listen.addr[0];
	struct roost_server *server = calloc(1, sizeof(*server));
	char *name = libmilter_name(addr);
	int ret = -1;

	if (server == NULL || name == NULL) {
		free(server);
		free(name);
		return roost_err_set(err, "out of memory");
	}
	server->env = env;
	server->listen_fd = -1;
	server->ended_fd = -1;
	if (addr->path != NULL)
		server->path = strdup(addr->path);
	if (smfi_setconn(name) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS ||
	    roost_callbacks_register(env) < 0)
		(void)roost_err_set(err, "libmilter does not take the address");
	else if (addr->path != NULL)
		ret = open_path(server, settings, err);
	else
		ret = open_socket(server, err);
	free(name);
	if (ret < 0) {
		server_free(&server);
		return roost_err_prefix(err, "listen %s", addr->text);
	}
	*server_r = server;
	return 0;
}

static void *serve(void *arg)
{
	const uint64_t one = 1;
	struct roost_server *server = arg;

	(void)smfi_main();
	if (write(server->ended_fd, &one, sizeof(one)) < 0)
		return NULL; /* nobody looks: the process ends */
	return NULL;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct roost_server *server = arg;

	(void)fd;
	(void)what;
	server->ended(server->ctx);
}

int roost_server_start(struct roost_server *server, struct event_base *base,
		       roost_server_ended *ended, void *ctx,
		       struct roost_err *err)
{
	pthread_t thread;

	server->ended = ended;
	server->ctx = ctx;
	server->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->ended_fd < 0)
		return roost_err_set(err, "eventfd: %s", strerror(errno));
	server->ended_event =
		event_new(base, server->ended_fd, EV_READ, on_ended, server);
	if (server->ended_event == NULL ||
	    event_add(server->ended_event, NULL) < 0)
		return roost_err_set(err, "out of memory");
	server->nudge = roost_nudge_new(base, server->listen_fd,
					server->env->connections);
	if (server->nudge == NULL)
		return roost_err_set(err, "out of memory");
	if (pthread_create(&thread, NULL, serve, server) != 0)
		return roost_err_set(err, "cannot start a thread");
	(void)pthread_detach(thread);
	server->started = true;
	return 0;
}

static void wait_messages(const struct roost_server *server)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int i;

	for (i = 0; i < GRACE_MS / 10 &&
		    roost_metric_get(server->env->messages_active) > 0;
	     i++)
		(void)nanosleep(&pause, NULL);
}

void roost_server_stop(struct roost_server **_server)
{
	struct roost_server *server = *_server;

	if (server == NULL)
		return;
	if (server->ended_event != NULL) {
		event_free(server->ended_event);
		server->ended_event = NULL;
	}
	roost_nudge_free(&server->nudge);
	if (server->path != NULL)
		(void)unlink(server->path);
	/* Not smfi_stop(): it waits up to 5 s for the lock its loop holds. The
	   threads end with the process, and so does the object; they only have
	   to be kept off what is freed now. */
	if (server->started) {
		(void)shutdown(server->listen_fd, SHUT_RDWR);
		wait_messages(server);
		(void)roost_callbacks_stop(GRACE_MS);
	} else {
		server_free(_server);
	}
}
