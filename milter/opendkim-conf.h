/* SPDX-License-Identifier: MIT */
/*
 * opendkim-conf: reads opendkim.conf(5) as settings of roost-milter.
 *
 * Each line becomes one line of milter.conf, so that what is wrong with a
 * value is told with its line. A key that asks for something else than signing
 * or the handling of processes and logs is an error unless roost-milter does
 * the same.
 */
#ifndef ROOST_MILTER_OPENDKIM_CONF_H
#define ROOST_MILTER_OPENDKIM_CONF_H

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/base/err.h"

/* Appends the settings to `out`, line by line. `path` is for messages. -1: err
   set. */
int roost_opendkim_conf_translate(const char *path, const char *text,
				  size_t len, struct roost_buf *out,
				  struct roost_err *err);

/* Loads input->path as an opendkim.conf; environment and overrides win over
   it. NULL: err set. */
struct roost_conf *
roost_opendkim_conf_load(const struct roost_conf_input *input,
			 struct roost_err *err);

#endif
