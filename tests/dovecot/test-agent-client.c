/* SPDX-License-Identifier: MIT */
/*
 * test-agent-client: the connection to the agent against a scripted peer: a
 * child process that says what the case tells it, right or wrong.
 */
#include "lib.h"
#include "ioloop.h"
#include "hostpid.h"
#include "test-common.h"
#include "common/base/err.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/client/lease-page.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO "VERSION\troost-agent\t1\t0\n"
#define CLOSE "close"
#define MAX_CONNS 3
#define MAX_ANSWERS 3

/* One accepted connection: the greeting, then an answer to each request; "@"
   stands for the request's id. The last connection stays open. */
struct script {
	const char *greeting;
	const char *answers[MAX_ANSWERS];
};

static char dir[] = "/tmp/roost-test.XXXXXX";

static void peer_say(int fd, const char *text, const char *id)
{
	for (; *text != '\0'; text++) {
		const char *out = *text == '@' ? id : text;
		size_t len = *text == '@' ? strlen(id) : 1;

		if (write(fd, out, len) != (ssize_t)len)
			return; /* they had enough */
	}
}

/* The id of the next request; FALSE at the end of the connection. */
static bool peer_read(int fd, char id[static 16])
{
	size_t len = 0;
	bool in_id = TRUE;
	char c;

	while (read(fd, &c, 1) == 1) {
		if (c == '\n') {
			id[len] = '\0';
			if (strcmp(id, "VERSION") != 0)
				return TRUE;
			len = 0;
			in_id = TRUE;
		} else if (c == '\t') {
			in_id = FALSE;
		} else if (in_id && len < 15) {
			id[len++] = c;
		}
	}
	return FALSE;
}

static void ATTR_NORETURN peer_run(int listen_fd, const struct script *scripts)
{
	char id[16];

	for (unsigned int i = 0; i < MAX_CONNS; i++) {
		int fd = accept(listen_fd, NULL, NULL);

		if (scripts[i].greeting == NULL)
			pause();
		peer_say(fd, scripts[i].greeting, "");
		for (unsigned int j = 0; j < MAX_ANSWERS; j++) {
			const char *answer = scripts[i].answers[j];

			if (answer == NULL) {
				/* until the other side has enough */
				while (peer_read(fd, id)) {
				}
				break;
			}
			if (!peer_read(fd, id))
				break;
			if (strcmp(answer, CLOSE) == 0)
				break;
			peer_say(fd, answer, id);
		}
		close(fd);
	}
	pause();
	_exit(0);
}

static pid_t peer_start(const char *name, const struct script *scripts)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	i_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
	i_unlink_if_exists(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 4) < 0)
		i_fatal("listen(%s): %m", addr.sun_path);
	pid = fork();
	if (pid == 0)
		peer_run(fd, scripts);
	close(fd);
	return pid;
}

static void peer_stop(pid_t pid, const char *name)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	i_unlink_if_exists(t_strconcat(dir, "/", name, NULL));
}

/* ---- LOOKUP and CLAIM --------------------------------------------------- */

struct answer {
	unsigned int calls;
	enum roost_agent_result result;
	bool self, pinned;
	unsigned int port;
	uint64_t epoch;
	char text[256]; /* owner host node code reason */
};

static void answer_callback(const struct roost_agent_reply *reply,
			    void *context)
{
	struct answer *answer = context;

	answer->calls++;
	answer->result = reply->result;
	answer->self = reply->self;
	answer->pinned = reply->pinned;
	answer->port = reply->port;
	answer->epoch = reply->epoch;
	i_snprintf(answer->text, sizeof(answer->text), "%s %s %s %s %s",
		   reply->owner, reply->host, reply->node, reply->code,
		   reply->reason);
	io_loop_stop(current_ioloop);
}

#define OK_OTHER "@\tOK\towner=n2\thost=10.0.0.2\tport=143\tepoch=7\tnode=n1\n"

static const struct {
	const char *name;
	struct script scripts[MAX_CONNS];
	enum roost_agent_result result;
	const char *text; /* in the answer */
} client_cases[] = {
	{ "owner is another node",
	  { { HELLO, { OK_OTHER } } },
	  ROOST_AGENT_OK,
	  "n2 10.0.0.2 n1" },
	{ "owner is this node",
	  { { HELLO, { "@\tOK\towner=n1\tself\tepoch=7\tnode=n1\n" } } },
	  ROOST_AGENT_OK,
	  "n1  n1" },
	{ "refused",
	  { { HELLO, { "@\tFAIL\tcode=away\treason=no lease\n" } } },
	  ROOST_AGENT_FAIL,
	  "away no lease" },
	{ "answer to another request comes first",
	  { { HELLO, { "77\tOK\towner=n9\n" OK_OTHER } } },
	  ROOST_AGENT_OK,
	  "n2 10.0.0.2" },
	{ "agent dies once",
	  { { HELLO, { CLOSE } }, { HELLO, { OK_OTHER } } },
	  ROOST_AGENT_OK,
	  "n2 10.0.0.2" },
	{ "agent dies each time",
	  { { HELLO, { CLOSE } },
	    { HELLO, { CLOSE } },
	    { HELLO, { OK_OTHER } } },
	  ROOST_AGENT_AWAY,
	  "connection closed" },
	{ "owner without address",
	  { { HELLO, { "@\tOK\towner=n2\tnode=n1\n" } } },
	  ROOST_AGENT_AWAY,
	  "without its address" },
	{ "owner with a name for an address",
	  { { HELLO, { "@\tOK\towner=n2\thost=evil\tnode=n1\n" } } },
	  ROOST_AGENT_AWAY,
	  "without its address" },
	{ "other protocol",
	  { { "VERSION\tanvil\t1\t0\n", { OK_OTHER } } },
	  ROOST_AGENT_AWAY,
	  "another protocol" },
	{ "other major version",
	  { { "VERSION\troost-agent\t2\t0\n", { OK_OTHER } } },
	  ROOST_AGENT_AWAY,
	  "another protocol" },
	{ "garbage",
	  { { HELLO, { "@\tMAYBE\n" } }, { HELLO, { "OK\n" } } },
	  ROOST_AGENT_AWAY,
	  "malformed reply" },
};

static struct answer client_ask(const char *user)
{
	struct roost_agent_client *client;
	struct answer answer;

	i_zero(&answer);
	client = roost_agent_client_init(t_strconcat(dir, "/auth", NULL));
	roost_agent_claim(client, user, "imap", NULL, answer_callback, &answer);
	test_assert(answer.calls == 0);
	io_loop_run(current_ioloop);
	roost_agent_client_deinit(&client);
	test_assert(answer.calls == 1);
	return answer;
}

static void test_client_answers(void)
{
	for (unsigned int i = 0; i < N_ELEMENTS(client_cases); i++) {
		struct answer answer;
		pid_t pid;

		test_begin(t_strdup_printf("client: %s", client_cases[i].name));
		pid = peer_start("auth", client_cases[i].scripts);
		answer = client_ask("alice");
		test_assert(answer.result == client_cases[i].result);
		test_assert(strstr(answer.text, client_cases[i].text) != NULL);
		peer_stop(pid, "auth");
		test_end();
	}
}

static void test_client_values(void)
{
	static const struct script scripts[MAX_CONNS] = { { HELLO,
							    { OK_OTHER } } };
	pid_t pid = peer_start("auth", scripts);
	struct answer answer;

	test_begin("client: port and epoch");
	answer = client_ask("alice");
	test_assert(!answer.self && !answer.pinned);
	test_assert(answer.port == 143 && answer.epoch == 7);
	peer_stop(pid, "auth");
	test_end();
}

static void test_client_no_agent(void)
{
	struct answer answer;
	char user[600];

	test_begin("client: no socket");
	answer = client_ask("alice");
	test_assert(answer.result == ROOST_AGENT_AWAY);
	test_assert(strstr(answer.text, "No such file") != NULL);
	test_end();

	test_begin("client: user name too long");
	memset(user, 'x', sizeof(user));
	user[sizeof(user) - 1] = '\0';
	answer = client_ask(user);
	test_assert(answer.result == ROOST_AGENT_AWAY);
	test_assert(strstr(answer.text, "too long") != NULL);
	test_end();
}

static void test_client_long_line(void)
{
	char *line = i_malloc(20000);
	struct script scripts[MAX_CONNS] = { { HELLO, { line } },
					     { HELLO, { line } } };
	struct answer answer;
	pid_t pid;

	test_begin("client: endless line");
	memset(line, 'x', 19999);
	pid = peer_start("auth", scripts);
	answer = client_ask("alice");
	test_assert(answer.result == ROOST_AGENT_AWAY);
	test_assert(strstr(answer.text, "line too long") != NULL);
	peer_stop(pid, "auth");
	i_free(line);
	test_end();
}

static void test_client_deinit(void)
{
	static const struct script scripts[MAX_CONNS] = { { HELLO, { NULL } } };
	struct roost_agent_client *client;
	pid_t pid = peer_start("auth", scripts);
	struct answer answers[3];

	test_begin("client: deinit answers what is under way");
	i_zero(&answers);
	client = roost_agent_client_init(t_strconcat(dir, "/auth", NULL));
	for (unsigned int i = 0; i < N_ELEMENTS(answers); i++)
		roost_agent_lookup(client, "alice", "imap", answer_callback,
				   &answers[i]);
	roost_agent_client_deinit(&client);
	for (unsigned int i = 0; i < N_ELEMENTS(answers); i++) {
		test_assert(answers[i].calls == 1);
		test_assert(answers[i].result == ROOST_AGENT_AWAY);
	}
	peer_stop(pid, "auth");
	test_end();
}

/* ---- OPEN --------------------------------------------------------------- */

#define OPENED "@\tOK\tboot=5\tepoch=9\n"

/* Runs the ioloop until the condition holds, 3 seconds at most. */
#define RUN_UNTIL(condition)                                                 \
	for (unsigned int n = 0; n < 300 && !(condition); n++) {             \
		struct timeout *to =                                         \
			timeout_add_short(10, io_loop_stop, current_ioloop); \
		io_loop_run(current_ioloop);                                 \
		timeout_remove(&to);                                         \
	}

static struct roost_lease_page *page_make(uint64_t deadline)
{
	struct roost_err err;
	struct roost_lease_page *page = roost_lease_page_create(
		t_strconcat(dir, "/" ROOST_LEASE_PAGE_NAME, NULL), "n1", &err);

	if (page == NULL)
		i_fatal("%s", err.msg);
	roost_lease_page_publish(page, 5, deadline);
	return page;
}

static void test_session_valid(void)
{
	static const struct script scripts[MAX_CONNS] = {
		{ HELLO, { OPENED, CLOSE } }, { HELLO, { OPENED } }
	};
	struct roost_lease_page *page = page_make(ROOST_LEASE_PAGE_FOREVER);
	pid_t pid = peer_start("roost-agent", scripts);
	struct roost_session *session;
	const char *error;

	test_begin("session: the lease page decides");
	test_assert(roost_session_open(dir, "alice", "imap", &session,
				       &error) == 0);
	test_assert(roost_session_epoch(session) == 9);
	test_assert(roost_session_boot(session) == 5);
	test_assert(roost_session_valid(session));
	test_assert(roost_session_deadline(session) == UINT64_MAX);
	roost_lease_page_publish(page, 5, 1);
	test_assert(!roost_session_valid(session));
	roost_lease_page_publish(page, 6, ROOST_LEASE_PAGE_FOREVER);
	test_assert(!roost_session_valid(session));
	test_assert(roost_session_deadline(session) == 0);
	roost_session_close(&session);
	test_assert(session == NULL);
	peer_stop(pid, "roost-agent");
	roost_lease_page_close(page);
	test_end();
}

static void test_session_returns(void)
{
	/* closed at once; the second OPEN is answered like the first */
	static const struct script scripts[MAX_CONNS] = {
		{ HELLO, { OPENED "x\n" } }, { HELLO, { OPENED } }
	};
	struct roost_lease_page *page = page_make(ROOST_LEASE_PAGE_FOREVER);
	pid_t pid = peer_start("roost-agent", scripts);
	struct roost_session *session;
	const char *error;

	test_begin("session: opens itself again");
	test_assert(roost_session_open(dir, "alice", "imap", &session,
				       &error) == 0);
	/* without the agent the time is short */
	RUN_UNTIL(roost_session_deadline(session) != UINT64_MAX);
	test_assert(roost_session_deadline(session) != UINT64_MAX);
	test_assert(roost_session_valid(session));
	RUN_UNTIL(roost_session_deadline(session) == UINT64_MAX);
	test_assert(roost_session_deadline(session) == UINT64_MAX);
	roost_session_close(&session);
	peer_stop(pid, "roost-agent");
	roost_lease_page_close(page);
	test_end();
}

static void test_session_lost(void)
{
	static const char *const answers[] = {
		"@\tOK\tboot=6\tepoch=9\n",
		"@\tOK\tboot=5\tepoch=10\n",
		"@\tFAIL\tcode=owner\treason=n2 has it\towner=n2\n",
	};

	for (unsigned int i = 0; i < N_ELEMENTS(answers); i++) {
		const struct script scripts[MAX_CONNS] = {
			{ HELLO, { OPENED "x\n" } }, { HELLO, { answers[i] } }
		};
		struct roost_lease_page *page =
			page_make(ROOST_LEASE_PAGE_FOREVER);
		pid_t pid = peer_start("roost-agent", scripts);
		struct roost_session *session;
		const char *error;

		test_begin(t_strdup_printf("session: lost for good %u", i));
		test_assert(roost_session_open(dir, "alice", "imap", &session,
					       &error) == 0);
		test_expect_error_string("this session ends");
		RUN_UNTIL(roost_session_deadline(session) == 0);
		test_expect_no_more_errors();
		test_assert(!roost_session_valid(session));
		roost_session_close(&session);
		peer_stop(pid, "roost-agent");
		roost_lease_page_close(page);
		test_end();
	}
}

static const struct {
	const char *name, *answer, *error;
	bool page;
} refused_cases[] = {
	{ "another owner", "@\tFAIL\tcode=owner\treason=n2 has it\n",
	  "n2 has it (owner)", TRUE },
	{ "no boot", "@\tOK\tepoch=9\n", "without a boot", TRUE },
	{ "no lease page", OPENED, "roost-lease", FALSE },
};

static void test_session_refused(void)
{
	for (unsigned int i = 0; i < N_ELEMENTS(refused_cases); i++) {
		const struct script scripts[MAX_CONNS] = {
			{ HELLO, { refused_cases[i].answer } }
		};
		struct roost_lease_page *page =
			page_make(ROOST_LEASE_PAGE_FOREVER);
		struct roost_session *session;
		const char *error = "";
		pid_t pid;

		test_begin(t_strdup_printf("session: refused, %s",
					   refused_cases[i].name));
		if (!refused_cases[i].page)
			i_unlink(t_strconcat(dir, "/" ROOST_LEASE_PAGE_NAME,
					     NULL));
		pid = peer_start("roost-agent", scripts);
		test_assert(roost_session_open(dir, "alice", "imap", &session,
					       &error) == -1);
		test_assert(strstr(error, refused_cases[i].error) != NULL);
		peer_stop(pid, "roost-agent");
		roost_lease_page_close(page);
		test_end();
	}
}

int main(void)
{
	static void (*const test_functions[])(
		void) = { test_client_answers,	test_client_values,
			  test_client_no_agent, test_client_long_line,
			  test_client_deinit,	test_session_valid,
			  test_session_returns, test_session_lost,
			  test_session_refused, NULL };
	struct ioloop *ioloop;
	int ret;

	if (mkdtemp(dir) == NULL)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	lib_init();
	ioloop = io_loop_create();
	ret = test_run(test_functions);
	io_loop_destroy(&ioloop);
	(void)unlink(t_strconcat(dir, "/" ROOST_LEASE_PAGE_NAME, NULL));
	(void)rmdir(dir);
	lib_deinit();
	return ret;
}
