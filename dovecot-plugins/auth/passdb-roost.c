/* SPDX-License-Identifier: MIT */
/*
 * passdb-roost: the passdb driver "roost". It verifies no password: another
 * passdb did (splice.h). It asks the agent on which node the user is and
 * turns that into Dovecot's answer:
 *
 *	this node		OK, nothing set: an ordinary local login
 *	another node		proxy, host, port: Dovecot's own proxy; auth
 *adds the password that the user gave no certain answer	temporary
 *failure
 *
 * A login claims the user; a lookup (LMTP, doveadm) changes nothing, the
 * mailbox open that follows does. Nothing is set that could show a password.
 * A proxied session carries forward_roost_hop; its receiver serves it or
 * fails, and never proxies again.
 *
 * No answer is cached (default_cache_key stays NULL), no request is left
 * without one (the client's timeouts; deinit answers all).
 */
#include "lib.h"
#include "auth-fields.h"
#include "mech.h"
#include "dovecot-plugins/compat/auth-compat.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/auth/splice.h"
#include "dovecot-plugins/auth/authdb-roost.h"

#define HOP_FIELD "forward_roost_hop"

struct roost_passdb_module {
	struct passdb_module module;
	/* if Dovecot's is longer than the one we know (see roost_init) */
	uint64_t reserved[16];
	struct roost_agent_client *client;
};

/* A question under way; holds a reference of the request. */
struct roost_passdb_request {
	struct auth_request *request;
	verify_plain_callback_t *verify_callback; /* or */
	lookup_credentials_callback_t *lookup_callback;
	const char *hop; /* the node that proxied the session here, or NULL */
	bool verified;	 /* an earlier passdb let the user in */
};

static void finish(const struct roost_passdb_request *ask,
		   enum passdb_result result)
{
	if (ask->verify_callback != NULL)
		ask->verify_callback(result, ask->request);
	else
		ask->lookup_callback(result, uchar_empty_ptr, 0, ask->request);
}

static struct event *named(const struct roost_passdb_request *ask,
			   const char *name, const char *owner)
{
	return event_create_passthrough(authdb_event(ask->request))
		->set_name(name)
		->add_str("owner", owner)
		->add_str("protocol", roost_auth_request_service(ask->request))
		->event();
}

static enum passdb_result refuse(const struct roost_passdb_request *ask,
				 const char *owner, const char *reason)
{
	e_error(named(ask, "roost_login_refused", owner),
		"temporary failure: %s", reason);
	return PASSDB_RESULT_INTERNAL_FAILURE;
}

static enum passdb_result proxy(const struct roost_passdb_request *ask,
				const struct roost_agent_reply *reply)
{
	struct auth_request *request = ask->request;

	if (ask->hop != NULL)
		return refuse(ask, reply->owner,
			      t_strdup_printf("proxied here by %s, but the "
					      "owner is %s",
					      ask->hop, reply->owner));
	if (request->mech != NULL &&
	    ((request->mech->flags & MECH_SEC_PLAINTEXT) == 0 ||
	     request->mech_password == NULL || *request->mech_password == '\0'))
		/* Dovecot 2.3's login process crashes on proxy without pass */
		return refuse(ask, reply->owner,
			      t_strdup_printf("the user is on %s, and a %s "
					      "login cannot be proxied",
					      reply->owner,
					      request->fields.mech_name));

	auth_request_set_field(request, "proxy", "y", NULL);
	auth_request_set_field(request, "host", reply->host, NULL);
	if (reply->port != 0)
		auth_request_set_field(request, "port", dec2str(reply->port),
				       NULL);
	auth_request_set_field(request, HOP_FIELD, reply->node, NULL);
	e_debug(named(ask, "roost_login_proxied", reply->owner),
		"the user is on %s (%s)", reply->owner, reply->host);
	return PASSDB_RESULT_OK;
}

static enum passdb_result decide(const struct roost_passdb_request *ask,
				 const struct roost_agent_reply *reply)
{
	if (reply->result == ROOST_AGENT_AWAY)
		return refuse(ask, "", reply->reason);
	if (reply->result == ROOST_AGENT_FAIL)
		return refuse(
			ask, reply->owner,
			t_strdup_printf("%s (%s)", reply->reason, reply->code));
	/* Nobody knows the user, but a pin says that he was let in once. */
	if (!ask->verified && (reply->self || !reply->pinned))
		return PASSDB_RESULT_USER_UNKNOWN;
	if (reply->self)
		return PASSDB_RESULT_OK;
	/* not pinned yet, and we cannot proxy it: serve it here */
	if (ask->request->mech != NULL && !reply->pinned &&
	    (ask->request->mech->flags & MECH_SEC_PLAINTEXT) == 0)
		return PASSDB_RESULT_OK;
	if (*reply->owner == '\0')
		return refuse(ask, "", "no node can take the user");
	return proxy(ask, reply);
}

static void agent_callback(const struct roost_agent_reply *reply, void *context)
{
	struct roost_passdb_request *ask = context;
	enum passdb_result result = decide(ask, reply);

	if (result == PASSDB_RESULT_OK &&
	    roost_auth_apply_fields(ask->request) < 0)
		result = PASSDB_RESULT_INTERNAL_FAILURE;
	finish(ask, result);
	auth_request_unref(&ask->request);
	i_free(ask);
}

static void agent_ask(const struct roost_passdb_request *from)
{
	struct roost_passdb_request *ask =
		i_new(struct roost_passdb_request, 1);
	struct auth_request *request = from->request;
	struct roost_passdb_module *module = container_of(
		request->passdb->passdb, struct roost_passdb_module, module);
	const char *service = roost_auth_request_service(request);

	*ask = *from;
	auth_request_ref(request);
	/* a password is not verified yet while a challenge is under way: that
	   must not pin anybody */
	if (request->mech != NULL &&
	    (request->mech->flags & MECH_SEC_PLAINTEXT) != 0)
		roost_agent_claim(module->client, request->fields.user, service,
				  ask->hop, agent_callback, ask);
	else
		roost_agent_lookup(module->client, request->fields.user,
				   service, agent_callback, ask);
}

/* What needs no agent, in the place of the chain where the request is. */
static void start(struct roost_passdb_request *ask)
{
	struct auth_request *request = ask->request;
	bool last = request->passdb->next == NULL;
	struct auth_fields *fields = request->fields.extra_fields;

	ask->verified =
		request->fields.skip_password_check && request->passdb_success;
	if (!ask->verified && !last) {
		/* the passdb before us did not let the user in */
		finish(ask, PASSDB_RESULT_NEXT);
	} else if (!ask->verified && (request->mech != NULL ||
				      request->passdbs_seen_internal_failure)) {
		/* auth makes an internal failure of it if there was one */
		finish(ask, PASSDB_RESULT_USER_UNKNOWN);
	} else if (request->auth_only || auth_fields_exists(fields, "proxy") ||
		   auth_fields_exists(fields, "proxy_maybe")) {
		/* no mailbox is opened (SMTP AUTH), or the site has its own
		   reasons to send the user elsewhere */
		finish(ask, PASSDB_RESULT_OK);
	} else {
		ask->hop = auth_fields_find(fields, HOP_FIELD);
		agent_ask(ask);
	}
}

static void roost_verify_plain(struct auth_request *request,
			       const char *password ATTR_UNUSED,
			       verify_plain_callback_t *callback)
{
	struct roost_passdb_request ask = {
		.request = request,
		.verify_callback = callback,
	};

	start(&ask);
}

static void roost_lookup_credentials(struct auth_request *request,
				     lookup_credentials_callback_t *callback)
{
	struct roost_passdb_request ask = {
		.request = request,
		.lookup_callback = callback,
	};

	start(&ask);
}

static struct passdb_module *module_alloc(pool_t pool)
{
	struct roost_passdb_module *module =
		p_new(pool, struct roost_passdb_module, 1);

	return &module->module;
}
ROOST_PASSDB_PREINIT(roost_preinit, module_alloc)

static void roost_init(struct passdb_module *_module)
{
	struct roost_passdb_module *module =
		container_of(_module, struct roost_passdb_module, module);

	/* is struct passdb_module what we were built for? */
	if (_module->iface.init != roost_init ||
	    strcmp(_module->iface.name, "roost") != 0)
		i_fatal("passdb roost: %s", ROOST_AUTH_OTHER_BUILD);
	_module->blocking = FALSE;
	module->client = roost_agent_client_init(t_strconcat(
		global_auth_settings->base_dir, "/roost-agent-auth", NULL));
	roost_splice(_module);
}

static void roost_deinit(struct passdb_module *_module)
{
	struct roost_passdb_module *module =
		container_of(_module, struct roost_passdb_module, module);

	roost_agent_client_deinit(&module->client);
}

static struct passdb_module_interface passdb_roost = {
	.name = "roost",
	.preinit = roost_preinit,
	.init = roost_init,
	.deinit = roost_deinit,
	.verify_plain = roost_verify_plain,
	.lookup_credentials = roost_lookup_credentials,
};

ROOST_EXPORT const char *authdb_roost_version = DOVECOT_ABI_VERSION;

ROOST_EXPORT void authdb_roost_init(void)
{
	passdb_register_module(&passdb_roost);
}

ROOST_EXPORT void authdb_roost_deinit(void)
{
	passdb_unregister_module(&passdb_roost);
}
