/* SPDX-License-Identifier: MIT */
/*
 * settings-table: every setting of Roost's Dovecot side, once. From this list
 * come the struct, the defaults, the parsers for both releases of Dovecot, and
 * the check that roost-dovecot(7) says the same.
 *
 *	STR(name, default, doc)     text
 *	SECS(name, default, doc)    a time, "15s" or "10 mins"; default in
 *seconds
 *
 * doc is the first sentence of the setting's entry in the manual. A value that
 * must have a form is checked in roost-settings.c.
 */
#ifndef ROOST_SETTINGS_TABLE_H
#define ROOST_SETTINGS_TABLE_H

/* clang-format off */
#define ROOST_SETTINGS(STR, SECS) \
	STR(roost_node, "", \
	    "Name of this node, unique among the nodes of the store; " \
	    "empty: the host name.") \
	STR(roost_node_addr, "", \
	    "IP address at which the other nodes reach this one; " \
	    "needed with more than one node.") \
	STR(roost_node_ports, "", \
	    "Ports of this node where they are not the usual ones, " \
	    "as service:port separated by spaces.") \
	STR(roost_redis, "", \
	    "Redis server, as host:port or unix:/path; " \
	    "empty: this node is a cluster of one.") \
	STR(roost_redis_password_file, "", \
	    "File whose first line is the password of the Redis server.") \
	SECS(roost_lease_ttl, 15, \
	    "How long a node that falls silent keeps its users.") \
	SECS(roost_user_expire, 900, \
	    "How long a user without sessions stays on the node.") \
	STR(roost_user_key, "user", \
	    "Who is pinned together: user, each by himself; " \
	    "or domain, all users of a domain.") \
	STR(roost_index_root, "", \
	    "Folder, usually on a tmpfs, that takes the indexes; " \
	    "empty: indexes are not moved.") \
	SECS(roost_pack_interval, 300, \
	    "Least time between two bundles of the same mailbox.")
/* clang-format on */

#endif
