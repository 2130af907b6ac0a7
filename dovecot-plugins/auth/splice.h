/* SPDX-License-Identifier: MIT */
/*
 * splice: puts roost behind each passdb of the site that can let a user in, so
 * that the site writes one block and changes none of its own.
 */
#ifndef ROOST_AUTH_SPLICE_H
#define ROOST_AUTH_SPLICE_H

#define ROOST_AUTH_OTHER_BUILD                                              \
	"this Dovecot is built otherwise than the headers Roost was built " \
	"with: build Roost again for it"

struct passdb_module;

/* To be called from the module's init(), when every chain exists. Fatal, with
   a message, when a chain is such that a user could get in past roost. */
void roost_splice(struct passdb_module *module);

#endif
