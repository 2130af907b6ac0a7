/* SPDX-License-Identifier: MIT */
/*
 * model-search: visits every state that the model can get into within a few
 * ticks and a few accidents, and shows the steps to the first one in which
 * two nodes own a mailbox at once or a node changes it that owns it no more.
 * Then each safety rule is taken away in turn, and must be missed.
 *
 *	model-lease          all of it; what `make check` runs
 *	model-lease RULE     the steps that go wrong without that rule
 */
#include "tests/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 200
#define STATES_MAX (1U << 26)

struct scenario {
	const char *name;
	uint8_t horizon; /* ticks */
	struct model_budget budget;
};

enum scenario_name {
	SCENARIO_CALM,
	SCENARIO_LOGINS,
	SCENARIO_PLACES,
	SCENARIO_SECTIONS,
	SCENARIO_BROKEN,
	SCENARIO_WIPED,
	SCENARIO_EMPTIED,
	SCENARIO_LOST,
	SCENARIO_AGENTS,
	SCENARIO_MACHINES,
	SCENARIOS,
};

static const struct scenario scenarios[SCENARIOS] = {
	{ "nothing breaks", 3, { .broken = 0 } },
	{ "two logins at once", 2, { .logins = 1 } },
	{ "users are placed", 2, { .places = 1 } },
	{ "sections", 3, { .sections = 1 } },
	{ "a connection breaks", 1, { .broken = 1 } },
	{ "Redis is wiped", 3, { .wiped = 1 } },
	{ "Redis restarts empty", 2, { .emptied = 1 } },
	{ "Redis restarts without its last write", 1, { .lost = 1 } },
	{ "an agent dies", 3, { .agents = 1 } },
	{ "a machine dies", 3, { .machines = 1 } },
};

/* In the order of enum model_rule; the scenario that shows why. */
static const struct {
	const char *name;
	enum scenario_name scenario;
} removals[MODEL_RULES] = {
	{ "fence", SCENARIO_CALM },
	{ "timer", SCENARIO_SECTIONS },
	{ "from-send", SCENARIO_CALM },
	{ "boot-dies", SCENARIO_CALM },
	{ "compare", SCENARIO_CALM },
	{ "wait-dead", SCENARIO_CALM },
	{ "grace", SCENARIO_WIPED },
	{ "reassert", SCENARIO_WIPED },
	{ "run-id", SCENARIO_LOST },
	{ "release-own", SCENARIO_CALM },
	{ "release-wait", SCENARIO_LOGINS },
	{ "release-sure", SCENARIO_BROKEN },
	{ "pins-first", SCENARIO_WIPED },
	{ "known-dead", SCENARIO_WIPED },
};

/* ---- the states that were seen ------------------------------------------ */

struct seen {
	uint64_t *slots; /* fingerprints; 0: free */
	size_t size, count;
};

static uint64_t fingerprint(const struct model_state *state)
{
	const unsigned char *data = (const unsigned char *)state;
	uint64_t hash = 0x9e3779b97f4a7c15ULL, word;
	size_t i;

	for (i = 0; i + sizeof(word) <= sizeof(*state); i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	for (; i < sizeof(*state); i++)
		hash = (hash ^ data[i]) * 0x100000001b3ULL;
	hash ^= hash >> 29;
	return hash == 0 ? 1 : hash;
}

static bool seen_put(struct seen *seen, uint64_t hash)
{
	size_t at = hash & (seen->size - 1);

	while (seen->slots[at] != 0) {
		if (seen->slots[at] == hash)
			return false;
		at = (at + 1) & (seen->size - 1);
	}
	seen->slots[at] = hash;
	seen->count++;
	return true;
}

/* Returns whether the state is a new one. */
static bool seen_add(struct seen *seen, uint64_t hash)
{
	struct seen bigger = { .size = seen->size * 2 };
	size_t i;

	if (seen->count * 4 >= seen->size * 3) {
		bigger.slots = calloc(bigger.size, sizeof(uint64_t));
		if (bigger.slots == NULL || bigger.size > STATES_MAX * 2ULL) {
			fprintf(stderr, "model-lease: too many states\n");
			exit(2);
		}
		for (i = 0; i < seen->size; i++) {
			if (seen->slots[i] != 0)
				seen_put(&bigger, seen->slots[i]);
		}
		free(seen->slots);
		*seen = bigger;
	}
	return seen_put(seen, hash);
}

/* ---- one step ----------------------------------------------------------- */

static void redis_restarts(struct model_state *state)
{
	unsigned int n;

	state->redis.run++;
	for (n = 0; n < MODEL_NODES; n++)
		model_node_disconnect(&state->node[n], false);
}

static bool world_step(struct model_state *state, unsigned int step,
		       uint8_t horizon, const char **name_r)
{
	static const char *const names[] = {
		"time passes", "Redis is wiped", "Redis restarts empty",
		"Redis restarts without its last write"
	};

	*name_r = names[step];
	switch (step) {
	case 0:
		if (state->now >= horizon)
			return false;
		state->now++;
		return true;
	case 1:
		if (state->left.wiped == 0)
			return false;
		state->left.wiped--;
		memset(&state->redis.now, 0, sizeof(state->redis.now));
		return true;
	case 2:
		if (state->left.emptied == 0)
			return false;
		state->left.emptied--;
		memset(&state->redis.now, 0, sizeof(state->redis.now));
		redis_restarts(state);
		return true;
	default:
		if (state->left.lost == 0)
			return false;
		state->left.lost--;
		state->redis.now = state->redis.before;
		memset(&state->redis.before, 0, sizeof(state->redis.before));
		redis_restarts(state);
		return true;
	}
}

#define WORLD_STEPS 4
#define LATE_STEPS MODEL_NODES
#define STEPS (WORLD_STEPS + LATE_STEPS + MODEL_NODES * MODEL_NODE_STEPS)

/* What a dead connection still brings to Redis. */
static bool late_step(struct model_state *state, unsigned int n,
		      unsigned int rules, const char **name_r)
{
	struct model_message msg = state->node[n].late;

	*name_r = "a request of a broken connection arrives";
	if (msg.kind == MODEL_NOTHING || msg.run != state->redis.run)
		return false;
	memset(&state->node[n].late, 0, sizeof(msg));
	model_redis_execute(state, n, &msg, rules);
	return true;
}

static bool model_step(struct model_state *state, unsigned int step,
		       unsigned int rules, uint8_t horizon, const char **name_r,
		       int *node_r, const char **wrong_r)
{
	unsigned int n;

	*node_r = -1;
	if (step < WORLD_STEPS)
		return world_step(state, step, horizon, name_r);
	step -= WORLD_STEPS;
	if (step < LATE_STEPS) {
		*node_r = (int)step;
		return late_step(state, step, rules, name_r);
	}
	step -= LATE_STEPS;
	n = step / MODEL_NODE_STEPS;
	*node_r = (int)n;
	return model_node_step(state, n, step % MODEL_NODE_STEPS, rules, name_r,
			       wrong_r);
}

/* ---- the search --------------------------------------------------------- */

struct result {
	const char *wrong; /* NULL: nothing */
	size_t states;
	bool takeover, asserted, graced;
};

static void begin(struct model_state *state, const struct scenario *scenario)
{
	unsigned int n;

	memset(state, 0, sizeof(*state));
	state->left = scenario->budget;
	state->redis.run = state->redis.now.gen_run = 1;
	for (n = 0; n < MODEL_NODES; n++) {
		roost_lease_init(&state->node[n].lease, MODEL_TTL * MODEL_TICK);
		state->node[n].up = state->node[n].run = 1;
		state->node[n].page_run = 1;
	}
}

static void collect_message(struct model_message *msg, uint8_t **values,
			    unsigned int *count)
{
	values[(*count)++] = &msg->boot;
	values[(*count)++] = &msg->epoch;
	if (msg->kind != MODEL_LEASE)
		values[(*count)++] = &msg->arg;
}

static void collect_memory(struct model_memory *mem, uint8_t **values,
			   unsigned int *count)
{
	unsigned int n;

	for (n = 0; n < MODEL_NODES; n++)
		values[(*count)++] = &mem->node[n].boot;
	values[(*count)++] = &mem->pin.boot;
	values[(*count)++] = &mem->pin.epoch;
}

static void collect_node(struct model_node *node, uint8_t **values,
			 unsigned int *count)
{
	unsigned int i;

	values[(*count)++] = &node->epoch;
	values[(*count)++] = &node->releasing;
	values[(*count)++] = &node->released_epoch;
	values[(*count)++] = &node->claim.boot;
	values[(*count)++] = &node->claim.proof;
	values[(*count)++] = &node->claim.owner;
	values[(*count)++] = &node->session.boot;
	values[(*count)++] = &node->session.epoch;
	collect_message(&node->late, values, count);
	for (i = 0; i < MODEL_QUEUE; i++) {
		collect_message(&node->ask[i], values, count);
		collect_message(&node->answer[i], values, count);
	}
}

#define VALUES_MAX 128

/* Of boots and epochs only the order counts: they become 1, 2, 3... */
static void renumber(struct model_state *state)
{
	uint8_t *values[VALUES_MAX], boots[MODEL_NODES];
	uint8_t rank[UINT8_MAX + 1] = { 0 };
	unsigned int i, count = 0;

	collect_memory(&state->redis.now, values, &count);
	collect_memory(&state->redis.before, values, &count);
	values[count++] = &state->store;
	for (i = 0; i < MODEL_NODES; i++) {
		collect_node(&state->node[i], values, &count);
		boots[i] = (uint8_t)state->node[i].lease.boot;
		values[count++] = &boots[i];
	}
	for (i = 0; i < count; i++)
		rank[*values[i]] = 1;
	rank[0] = 0;
	for (i = 1; i <= UINT8_MAX; i++)
		rank[i] = (uint8_t)(rank[i] + rank[i - 1]);
	for (i = 0; i < count; i++)
		*values[i] = rank[*values[i]];
	for (i = 0; i < MODEL_NODES; i++)
		state->node[i].lease.boot = boots[i];
	state->redis.clock = rank[UINT8_MAX];
}

/* Equal for all that follows is equal as bytes. */
static void normalise(struct model_state *state)
{
	unsigned int n;

	for (n = 0; n < MODEL_NODES; n++) {
		struct model_node *node = &state->node[n];

		if (node->lease.next <= model_now(state))
			node->lease.next = 0;
		if (node->late.run != state->redis.run)
			memset(&node->late, 0, sizeof(node->late));
	}
	if (state->redis.now.gen_from <= state->now)
		state->redis.now.gen_from = 0;
	if (state->left.lost == 0)
		memset(&state->redis.before, 0, sizeof(state->redis.before));
	renumber(state);
}

/* Breadth first, so that what goes wrong is shown by the fewest steps. Of the
   states gone by only the step that led there is kept. */
struct origin {
	uint32_t parent;
	uint8_t step;
};

struct queue {
	struct model_state *states;
	size_t count, size, first; /* first: the number of states[0] */
};

struct walk {
	const struct scenario *scenario;
	unsigned int rules;
	struct seen seen;
	struct origin *origins;
	size_t origins_size;
	struct queue now, next;
	struct result result;
};

static void *grow(void *memory, size_t *size, size_t count, size_t each)
{
	if (count < *size)
		return memory;
	*size = *size == 0 ? 1024 : *size * 2;
	memory = realloc(memory, *size * each);
	if (memory == NULL) {
		fprintf(stderr, "model-lease: out of memory\n");
		exit(2);
	}
	return memory;
}

static void walk_add(struct walk *walk, const struct model_state *state,
		     size_t parent, unsigned int step)
{
	struct queue *next = &walk->next;
	struct origin *origin;

	if (!seen_add(&walk->seen, fingerprint(state)))
		return;
	walk->origins = grow(walk->origins, &walk->origins_size,
			     walk->seen.count, sizeof(*walk->origins));
	origin = &walk->origins[walk->seen.count - 1];
	origin->parent = (uint32_t)parent;
	origin->step = (uint8_t)step;
	next->states = grow(next->states, &next->size, next->count,
			    sizeof(*next->states));
	memcpy(&next->states[next->count++], state, sizeof(*state));
	walk->result.takeover |= state->takeovers;
	walk->result.asserted |= state->asserted;
	walk->result.graced |= state->graced;
}

static void show(const struct walk *walk, size_t number, unsigned int last)
{
	unsigned int steps[STEPS_MAX], count = 0;
	struct model_state state;
	const char *name, *wrong;
	int node;

	for (steps[count++] = last; number > 0 && count < STEPS_MAX;
	     number = walk->origins[number].parent)
		steps[count++] = walk->origins[number].step;
	begin(&state, walk->scenario);
	while (count-- > 0) {
		printf("#  %2u  ", state.now);
		(void)model_step(&state, steps[count], walk->rules,
				 walk->scenario->horizon, &name, &node, &wrong);
		normalise(&state);
		if (node >= 0)
			printf("node %d: ", node);
		puts(name);
	}
	printf("#  =>  %s\n", walk->result.wrong);
}

static void walk_from(struct walk *walk, size_t index, bool verbose)
{
	struct model_state state;
	unsigned int step;
	const char *name;
	int node;

	for (step = 0; step < STEPS; step++) {
		memcpy(&state, &walk->now.states[index], sizeof(state));
		if (!model_step(&state, step, walk->rules,
				walk->scenario->horizon, &name, &node,
				&walk->result.wrong))
			continue;
		if (walk->result.wrong == NULL &&
		    model_session_valid(&state, 0, walk->rules) &&
		    model_session_valid(&state, 1, walk->rules))
			walk->result.wrong = "both nodes own the mailbox";
		if (walk->result.wrong != NULL) {
			if (verbose)
				show(walk, walk->now.first + index, step);
			return;
		}
		normalise(&state);
		walk_add(walk, &state, walk->now.first + index, step);
	}
}

static struct result search(const struct scenario *scenario, unsigned int rules,
			    bool verbose)
{
	struct walk walk = { .scenario = scenario, .rules = rules };
	struct model_state state;
	struct queue empty;
	size_t i;

	walk.seen.size = 1U << 20;
	walk.seen.slots = calloc(walk.seen.size, sizeof(uint64_t));
	if (walk.seen.slots == NULL) {
		fprintf(stderr, "model-lease: out of memory\n");
		exit(2);
	}
	begin(&state, scenario);
	walk_add(&walk, &state, 0, 0);
	while (walk.next.count > 0 && walk.result.wrong == NULL) {
		empty = walk.now;
		empty.count = 0;
		walk.now = walk.next;
		empty.first = walk.now.first + walk.now.count;
		walk.next = empty;
		for (i = 0; i < walk.now.count; i++) {
			walk_from(&walk, i, verbose);
			if (walk.result.wrong != NULL)
				break;
		}
	}
	walk.result.states = walk.seen.count;
	free(walk.seen.slots);
	free(walk.origins);
	free(walk.now.states);
	free(walk.next.states);
	return walk.result;
}

/* ---- the checks (TAP) ---------------------------------------------------- */

static int report(bool good, const char *what, const char *where,
		  const struct result *result)
{
	static unsigned int number;

	printf("%sok %u - %s: %s (%zu states)\n", good ? "" : "not ", ++number,
	       what, where, result->states);
	fflush(stdout);
	return good ? 0 : 1;
}

/* All rules: nothing goes wrong, and what the rules are for does happen. */
static int check_sound(void)
{
	struct result result, all = { .states = 0 };
	int failed = 0;
	unsigned int i;

	for (i = 0; i < SCENARIOS; i++) {
		result = search(&scenarios[i], MODEL_ALL, true);
		failed |= report(result.wrong == NULL, "one owner",
				 scenarios[i].name, &result);
		all.takeover |= result.takeover;
		all.asserted |= result.asserted;
		all.graced |= result.graced;
		all.states += result.states;
	}
	failed |= report(all.takeover && all.asserted && all.graced, "happened",
			 "takeover, assertion, grace period", &all);
	return failed;
}

static int check_without(unsigned int rule, bool verbose)
{
	const struct scenario *scenario = &scenarios[removals[rule].scenario];
	struct result result;
	char what[64];

	result = search(scenario, MODEL_ALL & ~(1U << rule), verbose);
	snprintf(what, sizeof(what), "missed: %s", removals[rule].name);
	return report(result.wrong != NULL, what, scenario->name, &result);
}

int main(int argc, char **argv)
{
	int failed = 0;
	unsigned int rule;

	for (rule = 0; rule < MODEL_RULES && argc == 2; rule++) {
		if (strcmp(argv[1], removals[rule].name) == 0)
			return check_without(rule, true);
	}
	if (argc > 1) {
		fprintf(stderr, "usage: model-lease [RULE]\n");
		return 2;
	}
	printf("1..%d\n", SCENARIOS + 1 + MODEL_RULES);
	failed |= check_sound();
	for (rule = 0; rule < MODEL_RULES; rule++)
		failed |= check_without(rule, false);
	return failed;
}
