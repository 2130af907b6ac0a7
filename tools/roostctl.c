/* SPDX-License-Identifier: MIT */
/* roostctl: looks at a Roost installation (roostctl(1)). */
#include "roost-config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy-settings.h"
#include "policy/policy-snapshot.h"
#include "tools/ctl.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
	const char *usage;
} commands[] = {
	{ "check", roost_ctl_check,
	  "check [--json] [-c FILE] [-p POSTFIX_DIR]" },
#ifdef ROOST_WITH_MILTER
	{ "dkim", roost_ctl_dkim,
	  "dkim genkey|dns|check|test|verify (-h for more)" },
#endif
	{ "explain", roost_ctl_explain,
	  "explain [--json] [-c FILE] [-o name=value]... attribute=value..." },
	{ "health", roost_ctl_health, "health [--json] URL" },
	{ "probe", roost_ctl_probe,
	  "probe [--json] [-d OWN_DOMAIN] [-e DOMAIN] [-f SENDER] "
	  "[-P ADDRESS] [-X ADDRESS] HOST[:PORT]" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "%s roostctl %s\n", i == 0 ? "usage:" : "      ",
			commands[i].usage);
}

struct roost_conf *roost_ctl_load_policy(const char *path,
					 const char *const *overrides,
					 size_t override_count,
					 struct roost_err *err)
{
	struct roost_conf_input input = {
		.path = path,
		.env = (const char *const *)environ,
		.overrides = overrides,
		.override_count = override_count,
	};
	struct roost_conf *conf;

	if (path == NULL && access(ROOST_POLICY_CONF_PATH, F_OK) == 0)
		input.path = ROOST_POLICY_CONF_PATH;
	conf = roost_conf_load(&roost_policy_settings_table, &input, err);
	if (conf != NULL && roost_policy_snapshot_check(conf, err) < 0)
		roost_conf_free(&conf);
	return conf;
}

int main(int argc, char *argv[])
{
	size_t i;

	if (argc == 2 &&
	    (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
		printf("roostctl %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (argc == 2 &&
	    (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		usage(stdout);
		return 0;
	}
	for (i = 0; argc > 1 && i < COMMANDS; i++) {
		int status;

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		status = commands[i].run(argc - 1, argv + 1);
		if (status < 0) {
			fprintf(stderr, "usage: roostctl %s\n",
				commands[i].usage);
			return 2;
		}
		return fflush(stdout) == 0 ? status : 2;
	}
	usage(stderr);
	return 2;
}
