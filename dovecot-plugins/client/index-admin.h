/* SPDX-License-Identifier: MIT */
/*
 * index-admin: what `doveadm roost index` may do with moved indexes. The
 * doveadm plugin is another module: it finds the functions by the one name
 * that this module exports for it, roost_plugin_index_admin.
 */
#ifndef ROOST_INDEX_ADMIN_H
#define ROOST_INDEX_ADMIN_H

#include "common/bundle/bundle.h"

#define ROOST_INDEX_ADMIN_SYMBOL "roost_plugin_index_admin"

struct mail_user;
struct mailbox;

struct roost_index_report {
	uint64_t local_bytes; /* 0: no index of it on this node */
	bool unpacked;	      /* changed since its last bundle */
	bool have_bundle, have_floor;
	struct roost_bundle_info bundle;
	uint64_t reserved; /* of the floor record */
	/* NULL, or what is wrong with the bundle or the record */
	const char *error;
};

/* Each for one mailbox: 1; 0 if its indexes are not moved; -1 with a message.
   The mailbox need not be open, except where it is said. */
struct roost_index_admin {
	/* deep: reads all of the bundle. Opens nothing, changes nothing. */
	int (*report)(struct mailbox *box, bool deep,
		      struct roost_index_report *report_r,
		      const char **error_r);
	/* Publishes a bundle if there is something that the last has not. The
	   mailbox is open. */
	int (*pack)(struct mailbox *box, const char **error_r);
	/* Writes the index to where it would be without Roost. The mailbox is
	   open. */
	int (*flush)(struct mailbox *box, const char **error_r);
	/* Removes the user's indexes from this node. 0: in use, or there are
	   none. No mailbox is open. */
	int (*evict)(struct mail_user *user, uint64_t *bytes_r,
		     const char **error_r);
};

#endif
