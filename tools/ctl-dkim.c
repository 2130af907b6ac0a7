/* SPDX-License-Identifier: MIT */
/* ctl-dkim: "roostctl dkim": keys and signatures, without a running milter. */
#include "tools/ctl-dkim.h"

#include <stdio.h>
#include <string.h>

#include "tools/ctl.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
	const char *usage;
} commands[] = {
	{ "genkey", roost_ctl_dkim_genkey,
	  "genkey [-p] [-t rsa|ed25519] [-b BITS] [-D DIRECTORY | -f FILE] "
	  "[-u USER] DOMAIN SELECTOR" },
	{ "dns", roost_ctl_dkim_dns, "dns [-p] [-d DOMAIN -s SELECTOR] FILE" },
	{ "check", roost_ctl_dkim_check,
	  "check [-c FILE | -O OPENDKIM_CONF] [-o name=value]..." },
	{ "test", roost_ctl_dkim_test,
	  "test [-H] [-c FILE | -O OPENDKIM_CONF] [-o name=value]... [-a "
	  "ADDRESS] [-l LOGIN] "
	  "[MESSAGE]" },
	{ "verify", roost_ctl_dkim_verify,
	  "verify [-k KEY_FILE]... [-r RECORD_FILE]... [MESSAGE]" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "%s roostctl dkim %s\n",
			i == 0 ? "usage:" : "      ", commands[i].usage);
}

int roost_ctl_dkim(int argc, char *argv[])
{
	int status = -1;
	size_t i;

	if (argc == 2 &&
	    (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		usage(stdout);
		return 0;
	}
	for (i = 0; argc > 1 && i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		status = commands[i].run(argc - 1, argv + 1);
		if (status >= 0)
			return status;
		fprintf(stderr, "usage: roostctl dkim %s\n", commands[i].usage);
		return 2;
	}
	usage(stderr);
	return 2;
}
