/* SPDX-License-Identifier: MIT */
/* listener: listening sockets on the event loop. */
#include "roost-config.h"

#include "daemon/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX 8 /* that one name may stand for */
#define BACKLOG 1024
#define ACCEPTS_PER_WAKEUP 64
#define LIMIT_LOG_SECONDS 10

struct roost_listener {
	const struct roost_log *log;
	roost_listener_accept *accept_cb;
	void *ctx;
	bool is_inet;
	struct {
		int fd;
		struct event *event;
	} socket[SOCKETS_MAX];
	unsigned int count;
	uint16_t port;
	char *path; /* unix socket, and what it was when made */
	dev_t dev;
	ino_t ino;
	int spare_fd; /* given up to refuse a connection at the limit */
	time_t limit_logged;
};

/* The descriptor limit is reached: takes the newest connection and drops it.
   Returns whether accepting can go on. */
static bool refuse_newest(struct roost_listener *listener, int listen_fd)
{
	struct timespec now;
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (listener->limit_logged == 0 ||
	    now.tv_sec - listener->limit_logged >= LIMIT_LOG_SECONDS) {
		listener->limit_logged = now.tv_sec;
		roost_log_msg(listener->log, ROOST_LOG_ERROR,
			      "descriptor_limit",
			      "no descriptor left: new connections are refused "
			      "(raise LimitNOFILE)");
	}
	if (listener->spare_fd >= 0)
		close(listener->spare_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static void listener_readable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct roost_listener *listener = arg;
	unsigned int i;

	(void)what;
	for (i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
		int fd = accept4(listen_fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		int on = 1;

		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			if (!refuse_newest(listener, listen_fd))
				return;
			continue;
		}
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return;
		if (listener->is_inet) {
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
					 sizeof(on));
			(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on,
					 sizeof(on));
		}
		listener->accept_cb(listener->ctx, fd);
	}
}

/* Takes over a socket that is bound; it is closed on failure. */
static int listener_add(struct roost_listener *listener,
			struct event_base *base, int fd, struct roost_err *err)
{
	struct event *event = NULL;

	if (listen(fd, BACKLOG) < 0) {
		roost_err_set(err, "listen: %s", strerror(errno));
	} else {
		event = event_new(base, fd, EV_READ | EV_PERSIST,
				  listener_readable, listener);
		if (event == NULL || event_add(event, NULL) < 0)
			roost_err_set(err, "out of memory");
		else
			goto added;
	}
	if (event != NULL)
		event_free(event);
	close(fd);
	return -1;
added:
	listener->socket[listener->count].fd = fd;
	listener->socket[listener->count].event = event;
	listener->count++;
	return 0;
}

/* Removes a socket file that nobody answers on. */
static int remove_stale(const struct sockaddr_un *sun, struct roost_err *err)
{
	struct stat st;
	int fd, ret;

	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : roost_err_set(err, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return roost_err_set(err, "the file exists and is no socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return roost_err_set(err, "socket: %s", strerror(errno));
	ret = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (ret < 0 && errno == ECONNREFUSED)
		ret = unlink(sun->sun_path) < 0
			      ? roost_err_set(err, "unlink: %s",
					      strerror(errno))
			      : 0;
	else
		ret = roost_err_set(err, "another process listens there");
	close(fd);
	return ret;
}

static int open_unix(struct roost_listener *listener, struct event_base *base,
		     const char *path, const struct roost_listener_owner *owner,
		     struct roost_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int fd, ret;

	if (strlen(path) >= sizeof(sun.sun_path))
		return roost_err_set(err, "the path is too long");
	strcpy(sun.sun_path, path);
	if (remove_stale(&sun, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return roost_err_set(err, "socket: %s", strerror(errno));
	/* the mode is right from the first moment; nobody can connect before
	   the owner is, as the socket does not listen yet */
	mask = umask(0777 & ~owner->mode);
	ret = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (ret < 0) {
		roost_err_set(err, "bind: %s", strerror(errno));
		close(fd);
		return -1;
	}
	listener->path = strdup(path);
	if (lstat(path, &st) == 0) {
		listener->dev = st.st_dev;
		listener->ino = st.st_ino;
	}
	if ((owner->uid != (uid_t)-1 || owner->gid != (gid_t)-1) &&
	    lchown(path, owner->uid, owner->gid) < 0) {
		roost_err_set(err, "chown: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return listener_add(listener, base, fd, err);
}

/* Returns the bound socket, or -1; *absent_r: this machine has not got that
   family of addresses. */
static int bind_inet(const struct addrinfo *ai, bool *absent_r,
		     struct roost_err *err)
{
	int fd, on = 1;

	*absent_r = false;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	if (fd < 0) {
		*absent_r = errno == EAFNOSUPPORT;
		return roost_err_set(err, "socket: %s", strerror(errno));
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				 sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		*absent_r = errno == EADDRNOTAVAIL;
		roost_err_set(err, "bind: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
}

static int open_inet(struct roost_listener *listener, struct event_base *base,
		     const struct roost_conf_addr *addr, struct roost_err *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list, *ai;
	char port[8];
	int ret;

	snprintf(port, sizeof(port), "%u", addr->port);
	ret = getaddrinfo(addr->host[0] == '\0' ? NULL : addr->host, port,
			  &hints, &list);
	if (ret != 0)
		return roost_err_set(err, "%s", gai_strerror(ret));
	listener->is_inet = true;
	ret = 0;
	for (ai = list; ai != NULL && ret == 0; ai = ai->ai_next) {
		bool absent;
		int fd;

		if (listener->count == SOCKETS_MAX) {
			ret = roost_err_set(err, "more than %d addresses",
					    SOCKETS_MAX);
			break;
		}
		fd = bind_inet(ai, &absent, err);
		if (fd >= 0)
			ret = listener_add(listener, base, fd, err);
		else if (!absent)
			ret = -1;
	}
	/* "*" or a name needs one address that is there; err says why not */
	if (listener->count == 0)
		ret = -1;
	freeaddrinfo(list);
	if (ret == 0)
		listener->port = bound_port(listener->socket[0].fd);
	return ret;
}

int roost_listener_open(struct event_base *base, const struct roost_log *log,
			const struct roost_conf_addr *addr,
			const struct roost_listener_owner *owner,
			roost_listener_accept *accept_cb, void *ctx,
			struct roost_listener **listener_r,
			struct roost_err *err)
{
	struct roost_listener *listener = calloc(1, sizeof(*listener));
	struct roost_log_line line;
	int ret;

	*listener_r = NULL;
	if (listener == NULL)
		return roost_err_set(err, "%s: out of memory", addr->text);
	listener->log = log;
	listener->accept_cb = accept_cb;
	listener->ctx = ctx;
	listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ret = addr->path != NULL
		      ? open_unix(listener, base, addr->path, owner, err)
		      : open_inet(listener, base, addr, err);
	if (ret < 0) {
		roost_listener_close(&listener);
		return roost_err_prefix(err, "%s", addr->text);
	}
	roost_log_begin(&line, log, ROOST_LOG_INFO, "listening");
	roost_log_str(&line, "address", addr->text);
	if (listener->is_inet)
		roost_log_int(&line, "port", listener->port);
	roost_log_end(&line);
	*listener_r = listener;
	return 0;
}

uint16_t roost_listener_port(const struct roost_listener *listener)
{
	return listener->port;
}

void roost_listener_close(struct roost_listener **listener)
{
	struct roost_listener *l = *listener;
	struct stat st;
	unsigned int i;

	if (l == NULL)
		return;
	*listener = NULL;
	if (l->path != NULL && lstat(l->path, &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		(void)unlink(l->path);
	for (i = 0; i < l->count; i++) {
		event_free(l->socket[i].event);
		close(l->socket[i].fd);
	}
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	free(l->path);
	free(l);
}

int roost_listener_parse_owner(const char *text,
			       struct roost_listener_owner *owner,
			       struct roost_err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	char user[64];

	owner->uid = (uid_t)-1;
	owner->gid = (gid_t)-1;
	if (len >= sizeof(user))
		return roost_err_set(err, "'%.60s' is too long", text);
	memcpy(user, text, len);
	user[len] = '\0';
	if (len > 0) {
		const struct passwd *pw = getpwnam(user);

		if (pw == NULL)
			return roost_err_set(err, "user '%s' does not exist",
					     user);
		owner->uid = pw->pw_uid;
	}
	if (colon != NULL && colon[1] != '\0') {
		const struct group *gr = getgrnam(colon + 1);

		if (gr == NULL)
			return roost_err_set(
				err, "group '%.60s' does not exist", colon + 1);
		owner->gid = gr->gr_gid;
	}
	return 0;
}
