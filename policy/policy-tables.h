/* SPDX-License-Identifier: MIT */
/*
 * policy-tables: the tables of a configuration, kept current: which domains
 * are ours, which sender addresses belong to whom, and the maps that Postfix
 * asks for over the socketmap protocol.
 *
 * Files are looked at every second, queries run after a NOTIFY and every
 * table_refresh.
 */
#ifndef ROOST_POLICY_POLICY_TABLES_H
#define ROOST_POLICY_POLICY_TABLES_H

#include "common/proto/socketmap.h"
#include "daemon/daemon.h"

struct roost_policy_tables;

/* What no single row of the settings can check. */
int roost_policy_tables_check(const struct roost_conf *conf,
			      struct roost_err *err);

int roost_policy_tables_new(struct roost_daemon *daemon,
			    struct roost_policy_tables **tables_r,
			    struct roost_err *err);
/* Reads the files for the first time, with the rights that will last. */
void roost_policy_tables_start(struct roost_policy_tables *tables);
/* Takes another configuration; tables that are in both stay. */
int roost_policy_tables_reload(struct roost_policy_tables *tables,
			       const struct roost_conf *conf,
			       struct roost_err *err);
void roost_policy_tables_free(struct roost_policy_tables **tables);

/* False: `why` names a table that there is not. */
bool roost_policy_tables_ready(const struct roost_policy_tables *tables,
			       struct roost_buf *why);

enum roost_policy_owner {
	ROOST_POLICY_OWNER_YES,	    /* or nobody asks */
	ROOST_POLICY_OWNER_NO,	    /* the address is not the login's */
	ROOST_POLICY_OWNER_UNKNOWN, /* a table is missing */
};

/* Whether the login may use the sender address ("" or NULL: null sender). */
enum roost_policy_owner
roost_policy_tables_owner(const struct roost_policy_tables *tables,
			  const char *login, const char *sender);

/* The answer to a socketmap query; *text_r is valid until the next call. */
enum roost_socketmap_status
roost_policy_tables_lookup(struct roost_policy_tables *tables, const char *map,
			   const char *key, const char **text_r);

#endif
