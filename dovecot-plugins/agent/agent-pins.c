/* SPDX-License-Identifier: MIT */
/* agent-pins: the users that this node holds under its present boot. */
#include "lib.h"
#include "hash.h"
#include "ioloop.h"
#include "llist.h"
#include "strnum.h"
#include "common/rules/user-hash.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-redis.h"
#include "dovecot-plugins/agent/agent-session.h"

#define NSECS_PER_SEC 1000000000ULL
#define NSECS_PER_MSEC 1000000ULL
#define ASSERT_WINDOW 1000

struct roost_agent_pins {
	struct roost_agent *agent;
	HASH_TABLE(char *, struct roost_agent_pin *) users;
	HASH_TABLE(char *, struct pins_release *) releases;
	struct roost_agent_pin *idle_head, *idle_tail; /* oldest first */
	struct timeout *to;
	uint64_t expire;
	struct pins_assert *assert;
};

struct pins_release {
	struct roost_agent_pins *pins;
	char *user;
	bool doubtful; /* the connection broke: nothing is under way */
	roost_agent_pins_handed_t *callback; /* of a hand-over */
	void *context;
};

/* One round of asserting. A copy of the names: pins come and go meanwhile,
   and what comes is known to the new server already. */
struct pins_assert {
	struct roost_agent_pins *pins;
	pool_t pool;
	const char **users;
	unsigned int next, count, open;
	bool failed;
	void (*callback)(bool success, void *context);
	void *context;
};

static void pins_expire(struct roost_agent_pins *pins);

const char *roost_agent_pins_key(const char *user)
{
	return t_strdup_printf("roost:{%u}:u:%s", roost_user_shard(user), user);
}

const char *roost_agent_pins_gen_key(const char *user)
{
	return t_strdup_printf("roost:{%u}:gen", roost_user_shard(user));
}

struct roost_agent_pins *roost_agent_pins_init(struct roost_agent *agent)
{
	struct roost_agent_pins *pins = i_new(struct roost_agent_pins, 1);

	pins->agent = agent;
	pins->expire = agent->set->roost_user_expire * NSECS_PER_SEC;
	hash_table_create(&pins->users, default_pool, 0, str_hash, strcmp);
	hash_table_create(&pins->releases, default_pool, 0, str_hash, strcmp);
	return pins;
}

static void pins_schedule(struct roost_agent_pins *pins)
{
	uint64_t now = roost_lease_page_now(), due;

	if (pins->to != NULL || pins->idle_head == NULL)
		return;
	due = pins->idle_head->idle_since + pins->expire;
	pins->to = timeout_add_short(
		due <= now
			? 0
			: (unsigned int)I_MIN((due - now) / NSECS_PER_MSEC + 1,
					      3600 * 1000),
		pins_expire, pins);
}

static void pin_set_idle(struct roost_agent_pins *pins,
			 struct roost_agent_pin *pin)
{
	pin->idle_since = roost_lease_page_now();
	DLLIST2_APPEND(&pins->idle_head, &pins->idle_tail, pin);
	pins_schedule(pins);
}

static void pin_free(struct roost_agent_pins *pins, struct roost_agent_pin *pin)
{
	if (pin->refs == 0)
		DLLIST2_REMOVE(&pins->idle_head, &pins->idle_tail, pin);
	hash_table_remove(pins->users, pin->user);
	i_free(pin->user);
	i_free(pin);
}

void roost_agent_pins_clear(struct roost_agent_pins *pins)
{
	struct hash_iterate_context *iter;
	struct roost_agent_pin *pin;
	char *user;

	if (pins->agent->leaves != NULL)
		roost_agent_leaves_fail(pins->agent->leaves,
					"the lease of this node has ended");
	if (pins->agent->sessions != NULL)
		roost_agent_sessions_forget(pins->agent->sessions);
	iter = hash_table_iterate_init(pins->users);
	while (hash_table_iterate(iter, pins->users, &user, &pin)) {
		i_free(pin->user);
		i_free(pin);
	}
	hash_table_iterate_deinit(&iter);
	hash_table_clear(pins->users, TRUE);
	pins->idle_head = pins->idle_tail = NULL;
	timeout_remove(&pins->to);
}

/* Only doubtful ones are left when Redis has gone. */
static void releases_clear(struct roost_agent_pins *pins)
{
	struct hash_iterate_context *iter;
	struct pins_release *release;
	char *user;

	iter = hash_table_iterate_init(pins->releases);
	while (hash_table_iterate(iter, pins->releases, &user, &release)) {
		i_free(release->user);
		i_free(release);
	}
	hash_table_iterate_deinit(&iter);
	hash_table_clear(pins->releases, TRUE);
}

static void assert_free(struct pins_assert *round)
{
	pool_t pool = round->pool;

	if (round->pins->assert == round)
		round->pins->assert = NULL;
	pool_unref(&pool);
}

void roost_agent_pins_deinit(struct roost_agent_pins **_pins)
{
	struct roost_agent_pins *pins = *_pins;

	if (pins == NULL)
		return;
	*_pins = NULL;
	roost_agent_pins_clear(pins);
	releases_clear(pins);
	hash_table_destroy(&pins->users);
	hash_table_destroy(&pins->releases);
	i_free(pins);
}

struct roost_agent_pin *roost_agent_pins_find(struct roost_agent_pins *pins,
					      const char *user)
{
	return hash_table_lookup(pins->users, user);
}

unsigned int roost_agent_pins_count(const struct roost_agent_pins *pins)
{
	return hash_table_count(pins->users);
}

struct roost_agent_pin *roost_agent_pins_add(struct roost_agent_pins *pins,
					     const char *user, uint64_t epoch,
					     bool adopted)
{
	struct roost_agent_pin *pin = roost_agent_pins_find(pins, user);

	if (pin != NULL) {
		/* two claims at once: the answers came in order */
		pin->epoch = I_MAX(pin->epoch, epoch);
		roost_agent_pins_touch(pins, pin);
		return pin;
	}
	if (roost_agent_pins_count(pins) >= ROOST_AGENT_PINS_MAX)
		return NULL;
	pin = i_new(struct roost_agent_pin, 1);
	pin->user = i_strdup(user);
	pin->epoch = epoch;
	pin->adopted = adopted;
	hash_table_insert(pins->users, pin->user, pin);
	pin_set_idle(pins, pin);
	return pin;
}

void roost_agent_pins_touch(struct roost_agent_pins *pins,
			    struct roost_agent_pin *pin)
{
	if (pin->refs > 0)
		return;
	DLLIST2_REMOVE(&pins->idle_head, &pins->idle_tail, pin);
	pin_set_idle(pins, pin);
}

void roost_agent_pins_ref(struct roost_agent_pins *pins,
			  struct roost_agent_pin *pin)
{
	if (pin->refs++ == 0)
		DLLIST2_REMOVE(&pins->idle_head, &pins->idle_tail, pin);
}

bool roost_agent_pins_unref(struct roost_agent_pins *pins,
			    struct roost_agent_pin *pin)
{
	i_assert(pin->refs > 0);
	if (--pin->refs > 0)
		return FALSE;
	pin_set_idle(pins, pin);
	if (pin->leave != NULL)
		roost_agent_leave_idle(pin->leave);
	return TRUE;
}

unsigned int roost_agent_pins_pick(struct roost_agent_pins *pins,
				   struct roost_agent_pin **picked,
				   unsigned int max)
{
	struct hash_iterate_context *iter =
		hash_table_iterate_init(pins->users);
	struct roost_agent_pin *pin;
	unsigned int count = 0;
	char *user;

	while (count < max &&
	       hash_table_iterate(iter, pins->users, &user, &pin)) {
		if (pin->leave == NULL && !pin->adopted)
			picked[count++] = pin;
	}
	hash_table_iterate_deinit(&iter);
	return count;
}

/* ---- giving up ---------------------------------------------------------- */

bool roost_agent_pins_is_releasing(struct roost_agent_pins *pins,
				   const char *user)
{
	const struct pins_release *release =
		hash_table_lookup(pins->releases, user);

	return release != NULL && !release->doubtful;
}

bool roost_agent_pins_is_doubtful(struct roost_agent_pins *pins,
				  const char *user)
{
	const struct pins_release *release =
		hash_table_lookup(pins->releases, user);

	return release != NULL && release->doubtful;
}

static void release_free(struct pins_release *release)
{
	hash_table_remove(release->pins->releases, release->user);
	i_free(release->user);
	i_free(release);
}

void roost_agent_pins_end_doubt(struct roost_agent_pins *pins, const char *user)
{
	if (roost_agent_pins_is_doubtful(pins, user))
		release_free(hash_table_lookup(pins->releases, user));
}

/* Redis has answered, or the connection broke. */
static void release_ended(struct pins_release *release,
			  const struct roost_agent_redis_reply *reply)
{
	if (reply->error != NULL && reply->away)
		release->doubtful = TRUE;
	else
		release_free(release);
}

static void release_answered(const struct roost_agent_redis_reply *reply,
			     void *context)
{
	struct pins_release *release = context;

	/* if it failed the user stays pinned until this node's boot ends:
	   nothing is unsafe */
	if (reply->error != NULL && !reply->away)
		e_error(release->pins->agent->event,
			"Releasing user %s failed: %s", release->user,
			reply->error);
	release_ended(release, reply);
}

/* A user that is being released is in no pin, so this is the only one. */
static struct pins_release *release_new(struct roost_agent_pins *pins,
					const struct roost_agent_pin *pin)
{
	struct pins_release *release;

	roost_agent_pins_end_doubt(pins, pin->user);
	release = i_new(struct pins_release, 1);
	release->pins = pins;
	release->user = i_strdup(pin->user);
	hash_table_insert(pins->releases, release->user, release);
	return release;
}

static void release_send(struct roost_agent_pins *pins,
			 const struct roost_agent_pin *pin)
{
	struct roost_agent *agent = pins->agent;
	struct pins_release *release = release_new(pins, pin);
	const char *args[] = { roost_agent_pins_key(pin->user), agent->node,
			       t_strdup_printf(
				       "%" PRIu64,
				       roost_agent_lease_boot(agent->lease)),
			       t_strdup_printf("%" PRIu64, pin->epoch), NULL };

	roost_agent_redis_script(agent->redis, ROOST_SCRIPT_USER_RELEASE, 1,
				 args, release_answered, release);
}

void roost_agent_pins_release(struct roost_agent_pins *pins,
			      struct roost_agent_pin *pin)
{
	struct roost_agent *agent = pins->agent;

	i_assert(pin->refs == 0);
	e_debug(event_create_passthrough(agent->event)
			->set_name("roost_release")
			->add_str("user", pin->user)
			->event(),
		"User %s released", pin->user);
	if (agent->redis != NULL)
		release_send(pins, pin);
	pin_free(pins, pin);
}

/* values: {takeover|claimed, node, boot, epoch} or a refusal */
static void handed_over(const struct roost_agent_redis_reply *reply,
			void *context)
{
	struct pins_release *release = context;
	const char *const *values = reply->values;
	const char *error = NULL;
	uint64_t epoch = 0;

	if (reply->error != NULL)
		error = t_strdup_printf("Redis: %s", reply->error);
	else if (reply->count >= 2 && strcmp(values[0], "grace") == 0)
		error = "Redis lost its memory a moment ago: users get no new "
			"node yet";
	else if (reply->count < 4 || (strcmp(values[0], "takeover") != 0 &&
				      strcmp(values[0], "claimed") != 0))
		error = "the user is another node's already";
	else if (str_to_uint64(values[3], &epoch) < 0)
		epoch = 0;
	release->callback(error, epoch, release->context);
	release_ended(release, reply);
}

/* A claim in the name of the target, which takes the user from this boot as
   from a dead one: nobody has it open here any more. */
void roost_agent_pins_hand_over(struct roost_agent_pins *pins,
				struct roost_agent_pin *pin,
				const struct roost_agent_node *target,
				roost_agent_pins_handed_t *callback,
				void *context)
{
	struct roost_agent *agent = pins->agent;
	struct pins_release *release = release_new(pins, pin);
	const char *args[] = {
		roost_agent_pins_key(pin->user),
		roost_agent_pins_gen_key(pin->user),
		roost_agent_redis_run_id(agent->redis),
		t_strdup_printf("%" PRIu64,
				roost_agent_lease_grace_usecs(agent->lease)),
		target->name,
		target->boot,
		target->name,
		target->boot,
		agent->node,
		t_strdup_printf("%" PRIu64,
				roost_agent_lease_boot(agent->lease)),
		t_strdup_printf("%u",
				I_MAX(agent->set->roost_user_expire, 1) * 1000),
		t_strdup_printf("%" PRIu64, pin->epoch),
		NULL
	};

	i_assert(pin->refs == 0 && !pin->adopted);
	release->callback = callback;
	release->context = context;
	pin_free(pins, pin);
	roost_agent_redis_script(agent->redis, ROOST_SCRIPT_USER_CLAIM, 2, args,
				 handed_over, release);
}

static void pins_expire(struct roost_agent_pins *pins)
{
	uint64_t now = roost_lease_page_now();

	timeout_remove(&pins->to);
	if (!roost_agent_lease_is_ours(pins->agent->lease))
		return; /* the next agent may have sessions of them */
	while (pins->idle_head != NULL &&
	       now - pins->idle_head->idle_since >= pins->expire) {
		struct roost_agent_pin *pin = pins->idle_head;

		if (pin->adopted)
			roost_agent_pins_touch(pins, pin);
		else
			T_BEGIN
			{
				roost_agent_pins_release(pins, pin);
			}
		T_END;
	}
	pins_schedule(pins);
}

/* ---- asserting ---------------------------------------------------------- */

static void assert_more(struct pins_assert *round);

static void assert_answered(const struct roost_agent_redis_reply *reply,
			    void *context)
{
	struct pins_assert *round = context;
	struct roost_agent_pins *pins = round->pins;
	bool lost = FALSE;

	round->open--;
	if (reply->error != NULL) {
		round->failed = TRUE;
		if (!reply->away)
			e_error(pins->agent->event,
				"Redis refuses an assertion: %s", reply->error);
	} else if (reply->count == 0 || strcmp(reply->values[0], "ok") != 0) {
		round->failed = lost = TRUE;
	}
	if (round != pins->assert) {
		/* a newer round runs */
		if (round->open == 0)
			assert_free(round);
		return;
	}
	if (lost) {
		pins->assert = NULL;
		roost_agent_lease_drop(
			pins->agent->lease,
			t_strdup_printf("a user held here was granted to node "
					"%s after Redis lost its memory",
					reply->count > 1 ? reply->values[1]
							 : "?"));
		if (round->open == 0)
			assert_free(round);
		return;
	}
	assert_more(round);
}

static void assert_send(struct pins_assert *round, struct roost_agent_pin *pin)
{
	struct roost_agent *agent = round->pins->agent;
	const char *args[] = {
		roost_agent_pins_key(pin->user),
		roost_agent_pins_gen_key(pin->user),
		roost_agent_redis_run_id(agent->redis),
		t_strdup_printf("%" PRIu64,
				roost_agent_lease_grace_usecs(agent->lease)),
		agent->node,
		t_strdup_printf("%" PRIu64,
				roost_agent_lease_boot(agent->lease)),
		t_strdup_printf("%" PRIu64, pin->epoch),
		NULL
	};

	round->open++;
	roost_agent_redis_script(agent->redis, ROOST_SCRIPT_USER_ASSERT, 2,
				 args, assert_answered, round);
}

static void assert_more(struct pins_assert *round)
{
	struct roost_agent_pin *pin;

	while (!round->failed && round->next < round->count &&
	       round->open < ASSERT_WINDOW) {
		pin = roost_agent_pins_find(round->pins,
					    round->users[round->next++]);
		if (pin != NULL)
			T_BEGIN
			{
				assert_send(round, pin);
			}
		T_END;
	}
	if (round->open > 0)
		return;
	round->callback(!round->failed, round->context);
	assert_free(round);
}

void roost_agent_pins_assert(struct roost_agent_pins *pins,
			     void (*callback)(bool success, void *context),
			     void *context)
{
	pool_t pool = pool_alloconly_create("roost assert", 1024);
	struct pins_assert *round = p_new(pool, struct pins_assert, 1);
	struct hash_iterate_context *iter;
	struct roost_agent_pin *pin;
	char *user;

	round->pool = pool;
	round->pins = pins;
	round->callback = callback;
	round->context = context;
	round->users =
		p_new(pool, const char *, roost_agent_pins_count(pins) + 1);
	iter = hash_table_iterate_init(pins->users);
	while (hash_table_iterate(iter, pins->users, &user, &pin))
		round->users[round->count++] = p_strdup(pool, user);
	hash_table_iterate_deinit(&iter);
	pins->assert = round;
	assert_more(round);
}
