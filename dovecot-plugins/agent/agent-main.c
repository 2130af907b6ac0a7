/* SPDX-License-Identifier: MIT */
/*
 * roost-agent: the Dovecot service that holds this node's lease and answers
 * who owns a user. One process per node; Dovecot's master starts it, respawns
 * it and takes its log. It opens the lease page as root and then drops its
 * privileges.
 *
 * Begin and end: a new process takes the lease page over, and with it the
 * boot of an earlier one; its pins it learns again, from Redis and from the
 * sessions that connect again. When Dovecot stops, the lease is given back
 * after the last session; when Dovecot reloads, the next process has taken
 * the page over before, and this one just goes.
 */
#include "lib.h"
#include "ioloop.h"
#include "istream.h"
#include "net.h"
#include "restrict-access.h"
#include "master-service.h"
#include "master-interface.h"
#include "safe-memset.h"
#include "common/proto/agent-proto.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-redis.h"
#include "dovecot-plugins/agent/agent-session.h"

#include <unistd.h>

#define STOP_POLL_MSECS 50
/* A reloaded Dovecot starts the next agent within this time. */
#define STOP_SUCCESSOR_MSECS 300
#define REDIS_TIMEOUTS_PER_TTL 6
#define REDIS_TIMEOUT_MIN_MSECS 300

static struct roost_agent agent;
static struct roost_lease_page *page;
static struct timeout *to_stop;
static uint64_t stop_began;

/* ---- connections -------------------------------------------------------- */

static void client_connected(struct master_service_connection *conn)
{
	static const struct {
		const char *listener;
		enum roost_agent_role role;
	} listeners[] = {
		{ "roost-agent", ROOST_AGENT_ROLE_MAIL },
		{ "roost-agent-auth", ROOST_AGENT_ROLE_AUTH },
		{ "roost-agent-admin", ROOST_AGENT_ROLE_ADMIN },
	};
	const char *path, *name;
	unsigned int i;

	if (net_getunixname(conn->listen_fd, &path) < 0)
		return; /* closed by the master service: not accepted */
	name = strrchr(path, '/');
	name = name == NULL ? path : name + 1;
	for (i = 0; i < N_ELEMENTS(listeners); i++) {
		if (strcmp(listeners[i].listener, name) != 0)
			continue;
		master_service_client_connection_accept(conn);
		roost_agent_sessions_add(agent.sessions, conn->fd,
					 listeners[i].role);
		return;
	}
	e_error(agent.event,
		"Listener %s is none of roost-agent's: "
		"connection refused",
		path);
}

/* ---- Redis -------------------------------------------------------------- */

static void redis_connected(const char *run_id, void *context ATTR_UNUSED)
{
	roost_agent_lease_connected(agent.lease, run_id);
	roost_agent_nodes_refresh(agent.nodes);
}

static void redis_disconnected(void *context ATTR_UNUSED)
{
	/* the lease runs on by its own clock */
}

/* As root: the file is nobody else's business. */
static char *password_read(const char *path)
{
	struct istream *input;
	const char *line;
	char *password;

	if (*path == '\0')
		return NULL;
	input = i_stream_create_file(path, 1024);
	line = i_stream_read_next_line(input);
	if (line == NULL || *line == '\0')
		i_fatal("roost_redis_password_file=%s: %s", path,
			input->stream_errno != 0 ? i_stream_get_error(input)
						 : "its first line is empty");
	password = i_strdup(line);
	i_stream_unref(&input);
	return password;
}

static void redis_start(const char *password)
{
	struct roost_agent_redis_settings set = {
		.server = agent.set->roost_redis,
		.password = password,
		.timeout_msecs = agent.set->roost_lease_ttl * 1000 /
				 REDIS_TIMEOUTS_PER_TTL,
		.connected = redis_connected,
		.disconnected = redis_disconnected,
	};

	if (set.timeout_msecs < REDIS_TIMEOUT_MIN_MSECS)
		set.timeout_msecs = REDIS_TIMEOUT_MIN_MSECS;
	agent.redis = roost_agent_redis_init(agent.event, &set);
	agent.nodes = roost_agent_nodes_init(&agent);
}

/* ---- begin -------------------------------------------------------------- */

/* base_dir/roost-lease: the listeners are there, too. */
static const char *page_path(void)
{
	const char *path, *slash;

	if (net_getunixname(MASTER_LISTEN_FD_FIRST, &path) == 0 &&
	    (slash = strrchr(path, '/')) != NULL)
		return t_strdup_printf("%s/%s", t_strdup_until(path, slash),
				       ROOST_LEASE_PAGE_NAME);
	return ROOST_LEASE_PAGE_NAME; /* Dovecot's master is in base_dir */
}

static void page_take_over(void)
{
	struct roost_err err;

	page = roost_lease_page_create(page_path(), agent.node, &err);
	if (page == NULL)
		i_fatal("The lease page: %s", err.msg);
	/* whoever has it from now on, only that process may end the lease */
	if (atomic_exchange(&page->agent_pid, (uint64_t)getpid()) == 0)
		roost_lease_page_publish(page, page->boot, 0);
}

static void main_init(void)
{
	char *password = password_read(agent.set->roost_redis_password_file);

	page_take_over();
	restrict_access_by_env(0, NULL);
	restrict_access_allow_coredumps(TRUE);

	if (*agent.set->roost_redis != '\0')
		redis_start(password);
	if (password != NULL)
		safe_memset(password, 0, strlen(password));
	i_free(password);
	agent.pins = roost_agent_pins_init(&agent);
	agent.leaves = roost_agent_leaves_init(&agent);
	agent.lease = roost_agent_lease_init(&agent, page);
	agent.sessions = roost_agent_sessions_init(&agent);
}

/* ---- end ---------------------------------------------------------------- */

static void lease_ended(void *context ATTR_UNUSED)
{
	master_service_stop(master_service);
}

static void stop_poll(void *context ATTR_UNUSED)
{
	uint64_t mine = (uint64_t)getpid();
	uint64_t gone = (roost_lease_page_now() - stop_began) / 1000000;

	if (atomic_load(&page->agent_pid) != mine) {
		e_debug(agent.event, "The next agent has taken over");
		timeout_remove(&to_stop);
		master_service_stop(master_service);
		return;
	}
	/* sessions of an earlier agent may go on unknown: the lease then
	   ends by itself */
	if (gone < STOP_SUCCESSOR_MSECS ||
	    roost_agent_sessions_opens(agent.sessions) > 0 ||
	    roost_agent_lease_is_resumed(agent.lease) ||
	    !atomic_compare_exchange_strong(&page->agent_pid, &mine, 0))
		return;
	timeout_remove(&to_stop);
	roost_agent_lease_end(agent.lease, lease_ended, NULL);
}

/* Dovecot stops or reloads. The master service ends this process a few
   seconds later in any case. */
static void main_die(void)
{
	if (to_stop != NULL)
		return;
	stop_began = roost_lease_page_now();
	to_stop = timeout_add_short(STOP_POLL_MSECS, stop_poll, NULL);
}

static void main_deinit(void)
{
	timeout_remove(&to_stop);
	roost_agent_leaves_stop(agent.leaves);
	roost_agent_sessions_deinit(&agent.sessions);
	roost_agent_redis_deinit(&agent.redis);
	roost_agent_nodes_deinit(&agent.nodes);
	roost_agent_leaves_deinit(&agent.leaves);
	roost_agent_pins_deinit(&agent.pins);
	roost_agent_lease_deinit(&agent.lease);
	roost_lease_page_close(page);
	roost_settings_free(&agent.set);
	event_unref(&agent.event);
}

int main(int argc, char *argv[])
{
	const char *error;

	master_service = master_service_init("roost-agent",
					     MASTER_SERVICE_FLAG_NO_IDLE_DIE,
					     &argc, &argv, "");
	if (master_getopt(master_service) > 0)
		return FATAL_DEFAULT;
	if (roost_settings_read_service(master_service, &agent.set, &error) < 0)
		i_fatal("%s", error);
	master_service_init_log_with_prefix(master_service, "roost-agent: ");

	agent.event = event_create(NULL);
	agent.node = roost_settings_node(agent.set);
	main_init();
	master_service_set_die_callback(master_service, main_die);
	master_service_init_finish(master_service);
	master_service_run(master_service, client_connected);
	main_deinit();
	master_service_deinit(&master_service);
	return 0;
}
