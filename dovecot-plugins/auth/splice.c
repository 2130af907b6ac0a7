/* SPDX-License-Identifier: MIT */
/*
 * splice: see splice.h. Of a chain A, B, roost it makes
 *
 *	A (success: continue-ok), roost, B (success: continue-ok), roost, roost
 *
 * where a roost in between acts only when the passdb before it succeeded
 * (else it answers "next"), returns in every case, and is the only one that
 * lets in. Later passdbs of the site are still not consulted after a success.
 * The last one answers lookups of users nobody could verify. A user that a
 * master passdb let in meets the roost at the head.
 *
 * struct auth_passdb is laid out in an installed header, but no promised
 * interface, and distributions patch it without changing the ABI version:
 * before anything is written, the rules found in it are compared with those
 * of the settings.
 */
#include "lib.h"
#include "array.h"
#include "dovecot-plugins/compat/auth-compat.h"
#include "dovecot-plugins/auth/splice.h"

struct splice {
	struct auth *auth;
	struct passdb_module *module;
	struct auth_passdb *entry; /* what the site wrote */
	unsigned int before;	   /* copies made before it */
	bool passed;		   /* it was met */
};

static void splice_fatal(const struct splice *splice, const char *error)
{
	const char *protocol = roost_auth_protocol(splice->auth);

	i_fatal("passdb roost%s%s: %s", *protocol == '\0' ? "" : ", protocol ",
		protocol, error);
}

/* ---- is struct auth_passdb what we were built for? ---------------------- */

static const char *rule_name(enum auth_db_rule rule)
{
	static const char *const names[] = {
		[AUTH_DB_RULE_RETURN] = "return",
		[AUTH_DB_RULE_RETURN_OK] = "return-ok",
		[AUTH_DB_RULE_RETURN_FAIL] = "return-fail",
		[AUTH_DB_RULE_CONTINUE] = "continue",
		[AUTH_DB_RULE_CONTINUE_OK] = "continue-ok",
		[AUTH_DB_RULE_CONTINUE_FAIL] = "continue-fail",
	};

	return (unsigned int)rule < N_ELEMENTS(names) ? names[rule] : "";
}

static const char *skip_name(enum auth_passdb_skip skip)
{
	static const char *const names[] = {
		[AUTH_PASSDB_SKIP_NEVER] = "never",
		[AUTH_PASSDB_SKIP_AUTHENTICATED] = "authenticated",
		[AUTH_PASSDB_SKIP_UNAUTHENTICATED] = "unauthenticated",
	};

	return (unsigned int)skip < N_ELEMENTS(names) ? names[skip] : "";
}

static void check_layout(const struct splice *splice,
			 const struct auth_passdb *p)
{
	for (; p != NULL; p = p->next) {
		if (strcmp(skip_name(p->skip), p->set->skip) != 0 ||
		    (!roost_auth_passdb_pass(p) &&
		     strcmp(rule_name(p->result_success),
			    p->set->result_success) != 0) ||
		    strcmp(rule_name(p->result_failure),
			   p->set->result_failure) != 0 ||
		    strcmp(rule_name(p->result_internalfail),
			   p->set->result_internalfail) != 0)
			splice_fatal(splice, ROOST_AUTH_OTHER_BUILD);
	}
}

/* ---- the chains --------------------------------------------------------- */

static bool lets_in(enum auth_db_rule rule)
{
	return rule == AUTH_DB_RULE_RETURN || rule == AUTH_DB_RULE_RETURN_OK;
}

static struct auth_passdb *chain_find(struct auth_passdb *chain,
				      const struct passdb_module *module)
{
	while (chain != NULL && chain->passdb != module)
		chain = chain->next;
	return chain;
}

/* Whoever gets past roost could have two nodes in one mailbox: refuse. */
static void check_entry(const struct splice *splice)
{
	const struct auth_passdb *entry = splice->entry;

	if (entry->set->deny)
		splice_fatal(splice, "must not have deny=yes");
	if (entry->skip != AUTH_PASSDB_SKIP_NEVER ||
	    entry->result_success != AUTH_DB_RULE_RETURN_OK)
		splice_fatal(splice, "skip and result_* must not be set");
	if (roost_auth_passdb_filters(entry))
		splice_fatal(splice, "must serve all users and all mechanisms");
	if (chain_find(entry->next, splice->module) != NULL)
		splice_fatal(splice, "stands twice in a chain");
}

static void check_chain(const struct splice *splice, bool master)
{
	const struct auth_passdb *p =
		master ? splice->auth->masterdbs : splice->auth->passdbs;
	bool maybe_ok = FALSE;

	for (; p != NULL; p = p->next) {
		if (p->set->deny || p->passdb == splice->module)
			continue;
		if (p->result_failure == AUTH_DB_RULE_RETURN_OK ||
		    p->result_internalfail == AUTH_DB_RULE_RETURN_OK ||
		    (maybe_ok &&
		     (p->result_failure == AUTH_DB_RULE_RETURN ||
		      p->result_internalfail == AUTH_DB_RULE_RETURN)))
			splice_fatal(splice,
				     t_strdup_printf(
					     "the failure of passdb %s would "
					     "let a user in past roost",
					     p->set->name));
		if (p->result_success == AUTH_DB_RULE_CONTINUE_OK ||
		    p->result_failure == AUTH_DB_RULE_CONTINUE_OK ||
		    p->result_internalfail == AUTH_DB_RULE_CONTINUE_OK)
			maybe_ok = TRUE;
	}
}

/* Every roost refuses for good when it refuses. */
static void set_rules(struct auth_passdb *entry)
{
	entry->skip = AUTH_PASSDB_SKIP_UNAUTHENTICATED;
	entry->result_success = AUTH_DB_RULE_RETURN_OK;
	entry->result_failure = AUTH_DB_RULE_RETURN_FAIL;
	entry->result_internalfail = AUTH_DB_RULE_RETURN_FAIL;
}

static void insert(struct splice *splice, struct auth_passdb **pos)
{
	struct auth_passdb *copy =
		roost_auth_passdb_copy(splice->auth->pool, splice->entry);

	set_rules(copy);
	copy->next = *pos;
	*pos = copy;
	if (!splice->passed)
		splice->before++;
}

static void splice_masters(struct splice *splice)
{
	struct auth_passdb *p;

	if (splice->auth->masterdbs == NULL)
		return;
	for (p = splice->auth->masterdbs; p != NULL; p = p->next) {
		if (lets_in(p->result_success))
			p->result_success = AUTH_DB_RULE_CONTINUE_OK;
	}
	if (splice->auth->passdbs != splice->entry)
		insert(splice, &splice->auth->passdbs);
}

static void splice_passdbs(struct splice *splice)
{
	struct auth_passdb *p, *last = NULL;

	for (p = splice->auth->passdbs; p != NULL; p = p->next) {
		last = p;
		if (p == splice->entry)
			splice->passed = TRUE;
		if (p->passdb == splice->module || p->set->deny ||
		    !lets_in(p->result_success))
			continue;
		p->result_success = AUTH_DB_RULE_CONTINUE_OK;
		if (p->next == NULL || p->next->passdb != splice->module)
			insert(splice, &p->next);
	}
	set_rules(splice->entry);
	if (last->passdb != splice->module) {
		insert(splice, &last->next);
		last = last->next;
	}
	last->skip = AUTH_PASSDB_SKIP_NEVER;
}

void roost_splice(struct passdb_module *module)
{
	struct splice splice;
	struct auth *auth;
	bool first = TRUE;

	array_foreach_elem (&auths, auth) {
		i_zero(&splice);
		splice.auth = auth;
		splice.module = module;
		if (chain_find(auth->masterdbs, module) != NULL)
			splice_fatal(&splice, "must not have master=yes");
		splice.entry = chain_find(auth->passdbs, module);
		if (splice.entry == NULL)
			continue;
		check_layout(&splice, auth->masterdbs);
		check_layout(&splice, auth->passdbs);
		check_entry(&splice);
		check_chain(&splice, TRUE);
		check_chain(&splice, FALSE);
		splice_masters(&splice);
		splice_passdbs(&splice);
		/* auths_init() is right now at the entry of the first of these
		   chains and will not count what came to stand before it;
		   auths_deinit() will */
		if (first)
			module->init_refcount += (int)splice.before;
		first = FALSE;
	}
}
