/* SPDX-License-Identifier: MIT */
/* agent-hiredis: hiredis' asynchronous API on Dovecot's ioloop. */
#include "lib.h"
#include "ioloop.h"
#include "net.h"
#include "strnum.h"
#include "dovecot-plugins/agent/agent-hiredis.h"

struct adapter {
	redisAsyncContext *ac;
	int fd;
	struct io *io_read, *io_write;
};

static void adapter_read(struct adapter *adapter)
{
	redisAsyncHandleRead(adapter->ac);
}

static void adapter_write(struct adapter *adapter)
{
	redisAsyncHandleWrite(adapter->ac);
}

static void adapter_add_read(void *context)
{
	struct adapter *adapter = context;

	if (adapter->io_read == NULL)
		adapter->io_read =
			io_add(adapter->fd, IO_READ, adapter_read, adapter);
}

static void adapter_del_read(void *context)
{
	struct adapter *adapter = context;

	io_remove(&adapter->io_read);
}

static void adapter_add_write(void *context)
{
	struct adapter *adapter = context;

	if (adapter->io_write == NULL)
		adapter->io_write =
			io_add(adapter->fd, IO_WRITE, adapter_write, adapter);
}

static void adapter_del_write(void *context)
{
	struct adapter *adapter = context;

	io_remove(&adapter->io_write);
}

static void adapter_cleanup(void *context)
{
	struct adapter *adapter = context;

	io_remove(&adapter->io_read);
	io_remove(&adapter->io_write);
	i_free(adapter);
}

static void adapter_attach(redisAsyncContext *ac)
{
	struct adapter *adapter = i_new(struct adapter, 1);

	adapter->ac = ac;
	adapter->fd = ac->c.fd;
	ac->ev.data = adapter;
	ac->ev.addRead = adapter_add_read;
	ac->ev.delRead = adapter_del_read;
	ac->ev.addWrite = adapter_add_write;
	ac->ev.delWrite = adapter_del_write;
	ac->ev.cleanup = adapter_cleanup;
}

static redisAsyncContext *connect_start(const char *server,
					const char **error_r)
{
	const char *colon, *path;
	in_port_t port;

	if (strncmp(server, "unix:", 5) == 0) {
		path = server + 5;
		return redisAsyncConnectUnix(path);
	}
	colon = strrchr(server, ':');
	if (colon == NULL || net_str2port(colon + 1, &port) < 0) {
		*error_r = "neither host:port nor unix:/path";
		return NULL;
	}
	return redisAsyncConnect(t_strdup_until(server, colon), port);
}

redisAsyncContext *roost_agent_hiredis_connect(const char *server,
					       redisConnectCallback *connected,
					       redisDisconnectCallback *gone,
					       void *context,
					       const char **error_r)
{
	redisAsyncContext *ac;

	*error_r = "out of memory";
	ac = connect_start(server, error_r);
	if (ac == NULL)
		return NULL;
	if (ac->err != 0) {
		*error_r = t_strdup(ac->errstr);
		redisAsyncFree(ac);
		return NULL;
	}
	ac->data = context;
	adapter_attach(ac);
	if (redisAsyncSetConnectCallback(ac, connected) != REDIS_OK ||
	    redisAsyncSetDisconnectCallback(ac, gone) != REDIS_OK) {
		*error_r = "hiredis takes no callbacks";
		redisAsyncFree(ac);
		return NULL;
	}
	return ac;
}

static bool value_get(const redisReply *reply, const char **value_r)
{
	switch (reply->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		*value_r = t_strndup(reply->str, (size_t)reply->len);
		return TRUE;
	case REDIS_REPLY_INTEGER:
		*value_r = t_strdup_printf("%lld", reply->integer);
		return TRUE;
	case REDIS_REPLY_NIL:
		*value_r = "";
		return TRUE;
	default:
		return FALSE;
	}
}

const char **roost_agent_hiredis_strings(const redisReply *reply,
					 unsigned int *count_r,
					 const char **error_r)
{
	const char **values;
	unsigned int i;

	if (reply->type == REDIS_REPLY_ERROR) {
		*error_r = t_strndup(reply->str, (size_t)reply->len);
		return NULL;
	}
	if (reply->type != REDIS_REPLY_ARRAY) {
		values = t_new(const char *, 2);
		*count_r = 1;
		if (!value_get(reply, &values[0])) {
			*error_r = "reply of an unknown type";
			return NULL;
		}
		return values;
	}
	*count_r = (unsigned int)reply->elements;
	values = t_new(const char *, *count_r + 1);
	for (i = 0; i < *count_r; i++) {
		if (!value_get(reply->element[i], &values[i])) {
			*error_r = "reply with an element of an unknown type";
			return NULL;
		}
	}
	return values;
}
