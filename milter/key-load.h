/* SPDX-License-Identifier: MIT */
/*
 * key-load: puts one key, given as text or as a file, into a set.
 *
 * What the sources share: an unchanged key is not parsed again, a broken one
 * is reported and leaves the previous one in place.
 */
#ifndef ROOST_MILTER_KEY_LOAD_H
#define ROOST_MILTER_KEY_LOAD_H

#include "milter/key-report.h"
#include "milter/key-set.h"

struct roost_key_load {
	struct roost_key_set *set;
	const struct roost_key_set *previous; /* may be NULL */
	struct roost_key_report *report;
	unsigned int min_bits;
};

struct roost_key_load_name {
	const char *pattern, *domain, *selector, *identity;
	const char *place; /* for the report */
};

/* -1 (err set) only when the set is full or memory out; a broken key is
   reported instead. */
int roost_key_load_text(const struct roost_key_load *load,
			const struct roost_key_load_name *name,
			const char *text, size_t len, struct roost_err *err);
int roost_key_load_file(const struct roost_key_load *load,
			const struct roost_key_load_name *name,
			const char *path, struct roost_err *err);

/* A key that is broken for a reason found elsewhere. */
int roost_key_load_broken(const struct roost_key_load *load,
			  const struct roost_key_load_name *name,
			  const char *why, struct roost_err *err);

/* NULL, or what is wrong with a signature's domain ("%" is right) or
   selector: dot-separated labels of letters, digits, "-" and "_". */
const char *roost_key_load_check_name(const char *domain, const char *selector);

#endif
