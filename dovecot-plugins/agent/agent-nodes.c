/* SPDX-License-Identifier: MIT */
/* agent-nodes: what is known of the nodes of the cluster. */
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "net.h"
#include "strnum.h"
#include "common/rules/placement.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-redis.h"

#define NSECS_PER_USEC 1000LL
#define NSECS_PER_MSEC 1000000ULL
#define NODES_KEY "roost:nodes"
#define READS_PER_TTL 5
#define NAME_MAX_LEN 255

struct roost_agent_nodes {
	struct roost_agent *agent;
	ARRAY(struct roost_agent_node *) nodes;
	struct timeout *to;
	unsigned int round, open; /* reads of this round */
	bool ready;
};

struct node_read {
	struct roost_agent_nodes *nodes;
	char *name, *boot;
	unsigned int round; /* 0: a check */
	roost_agent_nodes_callback_t *callback;
	void *context;
};

/* ---- reading ------------------------------------------------------------ */

static void node_free(struct roost_agent_node *node)
{
	i_free(node->name);
	i_free(node->boot);
	i_free(node->addr);
	i_free(node->ports);
	i_free(node->tag);
	i_free(node->state);
	i_free(node);
}

struct roost_agent_node *
roost_agent_nodes_find(const struct roost_agent_nodes *nodes, const char *name)
{
	struct roost_agent_node *node;

	array_foreach_elem (&nodes->nodes, node) {
		if (strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

static void node_remove(struct roost_agent_nodes *nodes, const char *name)
{
	struct roost_agent_node *node = roost_agent_nodes_find(nodes, name);
	unsigned int i;

	if (node == NULL)
		return;
	for (i = 0; i < array_count(&nodes->nodes); i++) {
		if (*array_idx(&nodes->nodes, i) == node)
			break;
	}
	array_delete(&nodes->nodes, i, 1);
	node_free(node);
}

static void set_string(char **dest, const char *value)
{
	i_free(*dest);
	*dest = i_strdup(value);
}

/* values: those of node-get.lua */
static bool node_parse(struct roost_agent_node *node, const char *const *values)
{
	int64_t left_usecs;
	struct ip_addr ip;

	if (str_to_int64(values[1], &left_usecs) < 0 ||
	    str_to_uint(values[2], &node->ttl_msecs) < 0 ||
	    str_to_uint(values[5], &node->weight) < 0 ||
	    net_addr2ip(values[3], &ip) < 0)
		return FALSE;
	if (left_usecs > (int64_t)node->ttl_msecs * 1000)
		left_usecs = (int64_t)node->ttl_msecs * 1000;
	node->left = left_usecs < 0 ? 0 : left_usecs * NSECS_PER_USEC;
	node->read_at = roost_lease_page_now();
	set_string(&node->boot, values[0]);
	set_string(&node->addr, values[3]);
	set_string(&node->ports, values[4]);
	set_string(&node->tag, values[6]);
	set_string(&node->state, values[7]);
	return TRUE;
}

static struct roost_agent_node *
node_update(struct roost_agent_nodes *nodes, const char *name,
	    const struct roost_agent_redis_reply *reply)
{
	struct roost_agent_node *node;

	if (reply->count < 8) {
		node_remove(nodes, name);
		return NULL;
	}
	node = roost_agent_nodes_find(nodes, name);
	if (node == NULL) {
		if (array_count(&nodes->nodes) >= ROOST_AGENT_NODES_MAX)
			return NULL;
		node = i_new(struct roost_agent_node, 1);
		node->name = i_strdup(name);
		array_push_back(&nodes->nodes, &node);
	}
	if (!node_parse(node, reply->values)) {
		e_error(nodes->agent->event,
			"Redis has nonsense about node %s: ignoring the node",
			name);
		node_remove(nodes, name);
		return NULL;
	}
	return node;
}

static void read_free(struct node_read *read)
{
	i_free(read->name);
	i_free(read->boot);
	i_free(read);
}

static void round_read(struct roost_agent_nodes *nodes, unsigned int round)
{
	if (round == nodes->round && --nodes->open == 0)
		nodes->ready = TRUE;
}

static void node_answered(const struct roost_agent_redis_reply *reply,
			  void *context)
{
	struct node_read *read = context;
	struct roost_agent_nodes *nodes = read->nodes;
	struct roost_agent_node *node;
	enum roost_lease_peer state = ROOST_LEASE_PEER_DEAD;

	if (reply->error != NULL) {
		if (!reply->away)
			e_error(nodes->agent->event,
				"Redis does not tell about node %s: %s",
				read->name, reply->error);
		if (read->round == 0)
			read->callback(NULL, ROOST_LEASE_PEER_SILENT, TRUE,
				       read->context);
		read_free(read);
		return;
	}
	node = node_update(nodes, read->name, reply);
	if (read->round != 0) {
		round_read(nodes, read->round);
		read_free(read);
		return;
	}
	/* nonsense is not death */
	if (node == NULL && reply->count > 0) {
		read->callback(NULL, ROOST_LEASE_PEER_SILENT, TRUE,
			       read->context);
		read_free(read);
		return;
	}
	/* nor is a record that is missing: a wipe took it, and the node asserts
	   its boot again. An expired record or a newer boot is a lasting fact.
	   What a whole wipe took has no pins either that wait for this. */
	if (node == NULL)
		state = ROOST_LEASE_PEER_SILENT;
	else if (strcmp(node->boot, read->boot) == 0)
		state = roost_lease_peer(node->left, 0,
					 node->ttl_msecs * NSECS_PER_MSEC);
	read->callback(node, state, FALSE, read->context);
	read_free(read);
}

static void node_send(struct node_read *read)
{
	const char *args[] = { t_strdup_printf("roost:node:{%s}", read->name),
			       NULL };

	roost_agent_redis_script(read->nodes->agent->redis,
				 ROOST_SCRIPT_NODE_GET, 1, args, node_answered,
				 read);
}

void roost_agent_nodes_check(struct roost_agent_nodes *nodes, const char *name,
			     const char *boot,
			     roost_agent_nodes_callback_t *callback,
			     void *context)
{
	const struct roost_agent_node *node =
		roost_agent_nodes_find(nodes, name);
	struct node_read *read;

	if (node != NULL && strcmp(node->boot, boot) == 0 &&
	    roost_agent_nodes_state(node) == ROOST_LEASE_PEER_ALIVE) {
		callback(node, ROOST_LEASE_PEER_ALIVE, FALSE, context);
		return;
	}
	read = i_new(struct node_read, 1);
	read->nodes = nodes;
	read->name = i_strdup(name);
	read->boot = i_strdup(boot);
	read->callback = callback;
	read->context = context;
	node_send(read);
}

/* ---- the list ----------------------------------------------------------- */

static void nodes_drop_unseen(struct roost_agent_nodes *nodes,
			      const char *const *names, unsigned int count)
{
	struct roost_agent_node *const *all;
	unsigned int i, n, total;

	all = array_get(&nodes->nodes, &total);
	for (i = total; i > 0; i--) {
		const char *name = all[i - 1]->name;

		for (n = 0; n < count; n++) {
			if (strcmp(names[n], name) == 0)
				break;
		}
		if (n == count) {
			node_remove(nodes, name);
			all = array_get(&nodes->nodes, &total);
		}
	}
}

static void names_answered(const struct roost_agent_redis_reply *reply,
			   void *context)
{
	struct roost_agent_nodes *nodes = context;
	unsigned int i, count;

	if (reply->error != NULL) {
		if (!reply->away)
			e_error(nodes->agent->event,
				"Redis does not list the nodes: %s",
				reply->error);
		return;
	}
	count = I_MIN(reply->count, ROOST_AGENT_NODES_MAX);
	nodes_drop_unseen(nodes, reply->values, count);
	nodes->round++;
	nodes->open = 1;
	for (i = 0; i < count; i++)
		T_BEGIN
		{
			struct node_read *read;

			if (*reply->values[i] != '\0' &&
			    strlen(reply->values[i]) <= NAME_MAX_LEN) {
				read = i_new(struct node_read, 1);
				read->nodes = nodes;
				read->name = i_strdup(reply->values[i]);
				read->round = nodes->round;
				nodes->open++;
				node_send(read);
			}
		}
	T_END;
	round_read(nodes, nodes->round);
}

static void added_answered(const struct roost_agent_redis_reply *reply,
			   void *context)
{
	struct roost_agent_nodes *nodes = context;

	if (reply->error != NULL && !reply->away)
		e_error(nodes->agent->event,
			"Redis does not take this node "
			"into %s: %s",
			NODES_KEY, reply->error);
}

void roost_agent_nodes_refresh(struct roost_agent_nodes *nodes)
{
	const char *const add[] = { "SADD", NODES_KEY, nodes->agent->node,
				    NULL };
	const char *const list[] = { "SMEMBERS", NODES_KEY, NULL };

	if (!roost_agent_redis_is_connected(nodes->agent->redis))
		return;
	roost_agent_redis_command(nodes->agent->redis, add, added_answered,
				  nodes);
	roost_agent_redis_command(nodes->agent->redis, list, names_answered,
				  nodes);
}

/* ---- questions ---------------------------------------------------------- */

bool roost_agent_nodes_ready(const struct roost_agent_nodes *nodes)
{
	return nodes->ready;
}

unsigned int roost_agent_nodes_ttl(const struct roost_agent_nodes *nodes)
{
	struct roost_agent_node *node;
	unsigned int ttl = 0;

	array_foreach_elem (&nodes->nodes, node)
		ttl = I_MAX(ttl, (node->ttl_msecs + 999) / 1000);
	return ttl;
}

enum roost_lease_peer
roost_agent_nodes_state(const struct roost_agent_node *node)
{
	return roost_lease_peer(node->left,
				roost_lease_page_now() - node->read_at,
				node->ttl_msecs * NSECS_PER_MSEC);
}

bool roost_agent_nodes_is_up(const struct roost_agent_nodes *nodes,
			     const struct roost_agent_node *node)
{
	const struct roost_agent *agent = nodes->agent;

	/* about itself it knows before Redis does */
	if (strcmp(node->name, agent->node) == 0 &&
	    roost_agent_leaves_is_draining(agent->leaves))
		return FALSE;
	return strcmp(node->state, "up") == 0 &&
	       roost_agent_nodes_state(node) == ROOST_LEASE_PEER_ALIVE;
}

const struct roost_agent_node *
roost_agent_nodes_place(const struct roost_agent_nodes *nodes, const char *user)
{
	struct roost_placement_node *candidates;
	struct roost_agent_node *const *all;
	unsigned int i, count;
	int chosen;

	all = array_get(&nodes->nodes, &count);
	candidates = t_new(struct roost_placement_node, count + 1);
	for (i = 0; i < count; i++) {
		candidates[i].name = all[i]->name;
		candidates[i].tag = all[i]->tag;
		candidates[i].weight = all[i]->weight;
		candidates[i].up = roost_agent_nodes_is_up(nodes, all[i]);
	}
	chosen = roost_placement_choose(candidates, count, ROOST_AGENT_TAG,
					user);
	return chosen < 0 ? NULL : all[chosen];
}

unsigned int roost_agent_nodes_port(const struct roost_agent_node *node,
				    const char *service)
{
	const char *const *word = t_strsplit_spaces(node->ports, " ,\t");
	size_t len = strlen(service);
	in_port_t port;

	for (; *word != NULL; word++) {
		if (strncmp(*word, service, len) == 0 && (*word)[len] == ':' &&
		    net_str2port(*word + len + 1, &port) == 0)
			return port;
	}
	return 0;
}

struct roost_agent_node *const *
roost_agent_nodes_get(const struct roost_agent_nodes *nodes,
		      unsigned int *count_r)
{
	return array_get(&nodes->nodes, count_r);
}

struct roost_agent_nodes *roost_agent_nodes_init(struct roost_agent *agent)
{
	struct roost_agent_nodes *nodes = i_new(struct roost_agent_nodes, 1);

	nodes->agent = agent;
	i_array_init(&nodes->nodes, 8);
	nodes->to = timeout_add_short(agent->set->roost_lease_ttl * 1000 /
					      READS_PER_TTL,
				      roost_agent_nodes_refresh, nodes);
	return nodes;
}

void roost_agent_nodes_deinit(struct roost_agent_nodes **_nodes)
{
	struct roost_agent_nodes *nodes = *_nodes;
	struct roost_agent_node *node;

	if (nodes == NULL)
		return;
	*_nodes = NULL;
	timeout_remove(&nodes->to);
	array_foreach_elem (&nodes->nodes, node)
		node_free(node);
	array_free(&nodes->nodes);
	i_free(nodes);
}
