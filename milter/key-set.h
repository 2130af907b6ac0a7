/* SPDX-License-Identifier: MIT */
/*
 * key-set: which keys sign for which author, as one source knows it.
 *
 * Filled by one owner (add …), then finished; from then on immutable, counted
 * and read by any thread. A rule holds one key of each type: of several of a
 * type the one that was added first.
 */
#ifndef ROOST_MILTER_KEY_SET_H
#define ROOST_MILTER_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/dkim/from-address.h"
#include "common/dkim/key.h"

#define ROOST_KEY_SET_MAX 200000 /* entries added */

enum roost_key_match {
	/* the pattern is the author's domain */
	ROOST_KEY_MATCH_DOMAIN,
	/* the same, else the nearest domain above it */
	ROOST_KEY_MATCH_BELOW,
	/* OpenDKIM's plain tables: user@host, host, user@.domain for each
	   parent domain, .domain likewise, user@*, "*" */
	ROOST_KEY_MATCH_TABLE,
	/* OpenDKIM's refile: "*" matches anything; the first line wins */
	ROOST_KEY_MATCH_GLOB,
};

struct roost_key_signer {
	struct roost_key *key; /* NULL: none of this type */
	char *domain;	       /* "%": the author's domain */
	char *selector;
	char *identity; /* "" or the "i=" value, "%" as above */
	unsigned char digest[ROOST_HASH_SIZE]; /* of the key's text */
};

struct roost_key_rule {
	char *pattern;
	size_t order;
	bool broken; /* a key of it could not be read */
	struct roost_key_signer signers[ROOST_KEY_TYPES]; /* by type */
};

struct roost_key_set;

struct roost_key_set *roost_key_set_new(enum roost_key_match match);
struct roost_key_set *roost_key_set_ref(struct roost_key_set *set);
void roost_key_set_unref(struct roost_key_set **set);

/* Everything is copied (the key: counted). -1 (err set): no memory, or more
   than ROOST_KEY_SET_MAX. */
int roost_key_set_add(struct roost_key_set *set, const char *pattern,
		      const struct roost_key_signer *signer,
		      struct roost_err *err);

/* The key of this selector cannot be read: takes the one that `previous` (may
   be NULL) has for the same pattern and selector, or notes that the pattern
   is ours but has a key less. */
int roost_key_set_add_broken(struct roost_key_set *set,
			     const struct roost_key_set *previous,
			     const char *pattern, const char *selector,
			     struct roost_err *err);

/* Ends the filling. A rule with a broken key keeps, for each type it has no
   key of, the one of `previous`. */
int roost_key_set_finish(struct roost_key_set *set,
			 const struct roost_key_set *previous,
			 struct roost_err *err);

/* A new reference to the key made of the text with that digest, or NULL: an
   unchanged key need not be parsed again. */
struct roost_key *
roost_key_set_reuse(const struct roost_key_set *set,
		    const unsigned char digest[ROOST_HASH_SIZE]);

/* The rule for an author; NULL: the author is not ours. It may hold no key at
   all: then it is ours, and broken. */
const struct roost_key_rule *
roost_key_set_find(const struct roost_key_set *set,
		   const struct roost_from_address *from);

/* The rule of exactly that pattern. */
const struct roost_key_rule *roost_key_set_rule(const struct roost_key_set *set,
						const char *pattern);

/* Rules; keys in them; rules with a broken key. */
struct roost_key_set_counts {
	size_t rules, keys, broken;
};
struct roost_key_set_counts
roost_key_set_counts(const struct roost_key_set *set);

#endif
