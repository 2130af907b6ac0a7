/* SPDX-License-Identifier: MIT */
/* key-set: which keys sign for which author, as one source knows it. */
#include "milter/key-set.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct roost_key_set {
	atomic_uint refs;
	enum roost_key_match match;
	bool finished;
	struct roost_key_rule *rules; /* finished: sorted, patterns differ */
	size_t count, alloc;
	const struct roost_key_rule **globs; /* not "*@domain", by order */
	size_t glob_count;
	const struct roost_key_signer **digests; /* sorted */
	size_t digest_count;
};

static void signer_clear(struct roost_key_signer *signer)
{
	roost_key_unref(&signer->key);
	free(signer->domain);
	free(signer->selector);
	free(signer->identity);
	memset(signer, 0, sizeof(*signer));
}

static int signer_copy(struct roost_key_signer *to,
		       const struct roost_key_signer *from)
{
	to->domain = strdup(from->domain);
	to->selector = strdup(from->selector);
	to->identity = strdup(from->identity == NULL ? "" : from->identity);
	to->key = roost_key_ref(from->key);
	memcpy(to->digest, from->digest, sizeof(to->digest));
	if (to->domain != NULL && to->selector != NULL && to->identity != NULL)
		return 0;
	signer_clear(to);
	return -1;
}

static void rule_clear(struct roost_key_rule *rule)
{
	size_t type;

	for (type = 0; type < ROOST_KEY_TYPES; type++)
		signer_clear(&rule->signers[type]);
	free(rule->pattern);
	rule->pattern = NULL;
}

struct roost_key_set *roost_key_set_new(enum roost_key_match match)
{
	struct roost_key_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	atomic_init(&set->refs, 1);
	set->match = match;
	return set;
}

struct roost_key_set *roost_key_set_ref(struct roost_key_set *set)
{
	(void)atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void roost_key_set_unref(struct roost_key_set **_set)
{
	struct roost_key_set *set = *_set;
	size_t i;

	*_set = NULL;
	if (set == NULL ||
	    atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < set->count; i++)
		rule_clear(&set->rules[i]);
	free(set->rules);
	free(set->globs);
	free(set->digests);
	free(set);
}

static void lower(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

/* A new rule, to be merged with its like when finished. */
static struct roost_key_rule *
rule_add(struct roost_key_set *set, const char *pattern, struct roost_err *err)
{
	size_t alloc = set->alloc == 0 ? 64 : set->alloc * 2;
	struct roost_key_rule *rule;

	if (set->count >= ROOST_KEY_SET_MAX) {
		(void)roost_err_set(err, "more than %d keys",
				    ROOST_KEY_SET_MAX);
		return NULL;
	}
	if (set->count == set->alloc) {
		rule = realloc(set->rules, alloc * sizeof(*rule));
		if (rule == NULL) {
			(void)roost_err_set(err, "out of memory");
			return NULL;
		}
		set->rules = rule;
		set->alloc = alloc;
	}
	rule = &set->rules[set->count];
	memset(rule, 0, sizeof(*rule));
	rule->order = set->count;
	rule->pattern = strdup(pattern);
	if (rule->pattern == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	lower(rule->pattern);
	set->count++;
	return rule;
}

int roost_key_set_add(struct roost_key_set *set, const char *pattern,
		      const struct roost_key_signer *signer,
		      struct roost_err *err)
{
	struct roost_key_rule *rule = rule_add(set, pattern, err);

	if (rule == NULL)
		return -1;
	if (signer_copy(&rule->signers[roost_key_type(signer->key)], signer) <
	    0)
		return roost_err_set(err, "out of memory");
	return 0;
}

int roost_key_set_add_broken(struct roost_key_set *set,
			     const struct roost_key_set *previous,
			     const char *pattern, const char *selector,
			     struct roost_err *err)
{
	const struct roost_key_rule *old =
		previous == NULL ? NULL : roost_key_set_rule(previous, pattern);
	struct roost_key_rule *rule = rule_add(set, pattern, err);
	size_t type;

	if (rule == NULL)
		return -1;
	rule->broken = true;
	for (type = 0; old != NULL && type < ROOST_KEY_TYPES; type++) {
		const struct roost_key_signer *signer = &old->signers[type];

		if (signer->key != NULL &&
		    strcmp(signer->selector, selector) == 0 &&
		    signer_copy(&rule->signers[type], signer) < 0)
			return roost_err_set(err, "out of memory");
	}
	return 0;
}

static int compare_rules(const void *a, const void *b)
{
	const struct roost_key_rule *ra = a, *rb = b;
	int cmp = strcmp(ra->pattern, rb->pattern);

	if (cmp != 0)
		return cmp;
	return ra->order < rb->order ? -1 : ra->order > rb->order;
}

static int compare_order(const void *a, const void *b)
{
	const struct roost_key_rule *const *ra = a, *const *rb = b;

	return (*ra)->order < (*rb)->order ? -1 : (*ra)->order > (*rb)->order;
}

static int compare_digests(const void *a, const void *b)
{
	const struct roost_key_signer *const *sa = a, *const *sb = b;

	return memcmp((*sa)->digest, (*sb)->digest, ROOST_HASH_SIZE);
}

/* `from` stands behind `rule` and has the same pattern. */
static void rule_merge(struct roost_key_rule *rule, struct roost_key_rule *from)
{
	size_t type;

	rule->broken = rule->broken || from->broken;
	for (type = 0; type < ROOST_KEY_TYPES; type++) {
		if (rule->signers[type].key != NULL)
			continue;
		rule->signers[type] = from->signers[type];
		memset(&from->signers[type], 0, sizeof(from->signers[type]));
	}
	rule_clear(from);
}

static void merge_rules(struct roost_key_set *set)
{
	size_t from, to = 0;

	qsort(set->rules, set->count, sizeof(*set->rules), compare_rules);
	for (from = 1; from < set->count; from++) {
		if (strcmp(set->rules[to].pattern, set->rules[from].pattern) ==
		    0)
			rule_merge(&set->rules[to], &set->rules[from]);
		else if (++to != from)
			set->rules[to] = set->rules[from];
	}
	if (set->count > 0)
		set->count = to + 1;
}

static int keep_previous(struct roost_key_rule *rule,
			 const struct roost_key_set *previous)
{
	const struct roost_key_rule *old =
		roost_key_set_rule(previous, rule->pattern);
	size_t type;

	for (type = 0; old != NULL && type < ROOST_KEY_TYPES; type++) {
		if (rule->signers[type].key == NULL &&
		    old->signers[type].key != NULL &&
		    signer_copy(&rule->signers[type], &old->signers[type]) < 0)
			return -1;
	}
	return 0;
}

/* "*@domain": found by its domain, need not be tried one after the other */
static bool is_plain_glob(const char *pattern)
{
	return strncmp(pattern, "*@", 2) == 0 &&
	       strchr(pattern + 2, '*') == NULL;
}

static void index_rule(struct roost_key_set *set, struct roost_key_rule *rule)
{
	size_t type;

	if (set->match == ROOST_KEY_MATCH_GLOB && !is_plain_glob(rule->pattern))
		set->globs[set->glob_count++] = rule;
	for (type = 0; type < ROOST_KEY_TYPES; type++) {
		if (rule->signers[type].key != NULL)
			set->digests[set->digest_count++] =
				&rule->signers[type];
	}
}

int roost_key_set_finish(struct roost_key_set *set,
			 const struct roost_key_set *previous,
			 struct roost_err *err)
{
	size_t i;

	set->finished = true;
	if (set->count == 0)
		return 0;
	merge_rules(set);
	set->globs = calloc(set->count, sizeof(*set->globs));
	set->digests =
		calloc(set->count * ROOST_KEY_TYPES, sizeof(*set->digests));
	if (set->globs == NULL || set->digests == NULL)
		return roost_err_set(err, "out of memory");
	for (i = 0; i < set->count; i++) {
		if (set->rules[i].broken && previous != NULL &&
		    keep_previous(&set->rules[i], previous) < 0)
			return roost_err_set(err, "out of memory");
		index_rule(set, &set->rules[i]);
	}
	qsort(set->globs, set->glob_count, sizeof(*set->globs), compare_order);
	qsort(set->digests, set->digest_count, sizeof(*set->digests),
	      compare_digests);
	return 0;
}

struct roost_key *
roost_key_set_reuse(const struct roost_key_set *set,
		    const unsigned char digest[ROOST_HASH_SIZE])
{
	struct roost_key_signer wanted;
	const struct roost_key_signer *key = &wanted, **found;

	if (set == NULL || set->digest_count == 0)
		return NULL;
	memcpy(wanted.digest, digest, ROOST_HASH_SIZE);
	found = bsearch(&key, set->digests, set->digest_count,
			sizeof(*set->digests), compare_digests);
	return found == NULL ? NULL : roost_key_ref((*found)->key);
}

static int compare_pattern(const void *key, const void *element)
{
	const struct roost_key_rule *rule = element;

	return strcmp(key, rule->pattern);
}

const struct roost_key_rule *roost_key_set_rule(const struct roost_key_set *set,
						const char *pattern)
{
	if (set->count == 0 || !set->finished)
		return NULL;
	return bsearch(pattern, set->rules, set->count, sizeof(*set->rules),
		       compare_pattern);
}

/* "*" stands for any text, the rest for itself. */
static bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

struct author {
	char user[ROOST_FROM_ADDRESS_SIZE]; /* lower case; "" if unknown */
	const char *domain;
	char text[ROOST_FROM_ADDRESS_SIZE + ROOST_FROM_DOMAIN_SIZE + 2];
};

static void author_init(struct author *author,
			const struct roost_from_address *from)
{
	char *at;

	memcpy(author->user, from->address, sizeof(author->user));
	at = strrchr(author->user, '@');
	if (at != NULL)
		*at = '\0';
	lower(author->user);
	author->domain = from->domain;
}

static const char *compose(struct author *author, const char *user,
			   const char *at, const char *domain)
{
	size_t len = strlen(user);

	memcpy(author->text, user, len);
	len += strlen(strcpy(author->text + len, at));
	(void)strcpy(author->text + len, domain);
	return author->text;
}

static const struct roost_key_rule *try(const struct roost_key_set *set,
					struct author *author, const char *user,
					const char *at, const char *domain)
{
	return roost_key_set_rule(set, compose(author, user, at, domain));
}

/* `user` + `at` + "." + each domain, the whole one first */
static const struct roost_key_rule *try_parents(const struct roost_key_set *set,
						struct author *author,
						const char *user,
						const char *at)
{
	const struct roost_key_rule *rule;
	const char *domain = author->domain;

	do {
		rule = try(set, author, user, at, domain);
		domain = strchr(domain, '.');
		domain = domain == NULL ? NULL : domain + 1;
	} while (rule == NULL && domain != NULL);
	return rule;
}

static const struct roost_key_rule *find_table(const struct roost_key_set *set,
					       struct author *author)
{
	const struct roost_key_rule *rule = NULL;
	bool user = author->user[0] != '\0';

	if (user)
		rule = try(set, author, author->user, "@", author->domain);
	if (rule == NULL)
		rule = try(set, author, "", "", author->domain);
	if (rule == NULL && user)
		rule = try_parents(set, author, author->user, "@.");
	if (rule == NULL)
		rule = try_parents(set, author, "", ".");
	if (rule == NULL && user)
		rule = try(set, author, author->user, "@", "*");
	return rule == NULL ? roost_key_set_rule(set, "*") : rule;
}

static const struct roost_key_rule *find_glob(const struct roost_key_set *set,
					      struct author *author)
{
	const struct roost_key_rule *rule =
		try(set, author, "*", "@", author->domain);
	const char *address =
		compose(author, author->user, "@", author->domain);
	size_t i;

	for (i = 0; i < set->glob_count; i++) {
		if (rule != NULL && rule->order < set->globs[i]->order)
			break;
		if (glob_match(set->globs[i]->pattern, address))
			return set->globs[i];
	}
	return rule;
}

static const struct roost_key_rule *find_above(const struct roost_key_set *set,
					       const char *domain)
{
	const struct roost_key_rule *rule = roost_key_set_rule(set, domain);

	while (rule == NULL && (domain = strchr(domain, '.')) != NULL)
		rule = roost_key_set_rule(set, ++domain);
	return rule;
}

const struct roost_key_rule *
roost_key_set_find(const struct roost_key_set *set,
		   const struct roost_from_address *from)
{
	struct author author;

	if (set->match == ROOST_KEY_MATCH_DOMAIN)
		return roost_key_set_rule(set, from->domain);
	if (set->match == ROOST_KEY_MATCH_BELOW)
		return find_above(set, from->domain);
	author_init(&author, from);
	return set->match == ROOST_KEY_MATCH_TABLE ? find_table(set, &author)
						   : find_glob(set, &author);
}

struct roost_key_set_counts
roost_key_set_counts(const struct roost_key_set *set)
{
	struct roost_key_set_counts counts = { .rules = set->count };
	size_t i;

	counts.keys = set->digest_count;
	for (i = 0; i < set->count; i++)
		counts.broken += set->rules[i].broken ? 1 : 0;
	return counts;
}
