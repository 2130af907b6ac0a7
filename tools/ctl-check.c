/* SPDX-License-Identifier: MIT */
/*
 * ctl-check: does Postfix ask roost-policyd before it lets anyone relay, and
 * do its trusted networks hold addresses that say nothing?
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy-settings.h"
#include "policy/policy-snapshot.h"
#include "tools/ctl-postconf.h"
#include "tools/ctl.h"

#define WORD_MAX 512

struct check {
	const struct roost_policy_settings *settings;
	const struct roost_relay_networks *networks;
	struct roost_postconf postconf;
	unsigned int errors, warnings;
};

__attribute__((format(printf, 4, 5))) static void
report(struct check *check, bool error, const char *where, const char *fmt, ...)
{
	va_list args;

	printf("%s %s: ", error ? "error  " : "warning", where);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if (error)
		check->errors++;
	else
		check->warnings++;
}

/* Takes the next word of a Postfix list: commas and blanks separate, braces
   hold together (and are taken off). */
static bool next_word(const char **text, char word[WORD_MAX])
{
	const char *s = *text + strspn(*text, ", \t");
	size_t len;

	if (*s == '\0')
		return false;
	if (*s == '{') {
		s++;
		s += strspn(s, " \t");
		len = strcspn(s, "}");
		*text = s + len + (s[len] == '}' ? 1 : 0);
	} else {
		len = strcspn(s, ", \t");
		*text = s + len;
	}
	(void)snprintf(word, WORD_MAX, "%.*s", (int)len, s);
	return true;
}

/* Reads a list such as mynetworks; what is no address is named. */
static struct roost_cidr_set *read_networks(struct check *check,
					    const char *where, const char *list)
{
	struct roost_cidr_set *set = roost_cidr_set_new();
	char word[WORD_MAX];
	struct roost_err err;

	while (set != NULL && next_word(&list, word)) {
		/* what is taken out again does not make it worse */
		if (*word == '!')
			continue;
		if (strchr(word, ':') != NULL && *word != '[')
			report(check, false, where,
			       "the table %s is not looked into", word);
		else if (*word == '/')
			report(check, false, where,
			       "the file %s is not looked into", word);
		else if (roost_cidr_set_add_text(set, word, &err) < 0)
			report(check, false, where, "%s", err.msg);
	}
	return set;
}

static void check_overlap(struct check *check, const char *where,
			  const struct roost_cidr_set *set)
{
	const struct roost_relay_networks *n = check->networks;
	char a[ROOST_CIDR_TEXT_MAX], b[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr x, y;

	if (roost_cidr_set_overlap(set, n->ingress, &x, &y))
		report(check, true, where,
		       "%s overlaps the ingress network %s: without "
		       "roost-policyd anyone who comes through it may relay",
		       roost_cidr_format(&x, a), roost_cidr_format(&y, b));
	if (n->gateways != NULL &&
	    roost_cidr_set_overlap(set, n->gateways, &x, &y))
		report(check, false, where,
		       "%s holds the gateway %s: connections that it forwards "
		       "may bear its address",
		       roost_cidr_format(&x, a), roost_cidr_format(&y, b));
}

/* Trusting all of 10.0.0.0/8 or the like trusts networks one has not met. */
static void check_width(struct check *check, const char *where,
			const struct roost_cidr_set *set)
{
	char text[ROOST_CIDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < roost_cidr_set_count(set); i++) {
		const struct roost_cidr *net = roost_cidr_set_get(set, i);

		if (roost_addr_is_loopback(&net->addr) ||
		    net->bits >= (net->addr.family == 4 ? 16 : 32))
			continue;
		report(check, false, where, "%s is a very wide trust",
		       roost_cidr_format(net, text));
	}
}

static void check_networks(struct check *check, const char *where,
			   const char *list)
{
	struct roost_cidr_set *set = read_networks(check, where, list);

	if (set != NULL) {
		check_overlap(check, where, set);
		check_width(check, where, set);
	}
	roost_cidr_set_free(&set);
}

static void check_xclient(struct check *check, const char *where,
			  const char *list)
{
	struct roost_cidr_set *set = read_networks(check, where, list);
	char a[ROOST_CIDR_TEXT_MAX], b[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr x, y;

	if (set != NULL &&
	    roost_cidr_set_overlap(set, check->networks->ingress, &x, &y))
		report(check, true, where,
		       "%s overlaps the ingress network %s: anyone who comes "
		       "through it may claim any address and login",
		       roost_cidr_format(&x, a), roost_cidr_format(&y, b));
	roost_cidr_set_free(&set);
}

/* Whether the endpoint of a check_policy_service is one of the daemon's
   sockets: the same path, or the same port (host names differ by view). */
static bool is_our_socket(const struct check *check, const char *endpoint)
{
	const struct roost_conf_listen *listen = &check->settings->listen;
	const char *port = strrchr(endpoint, ':');
	char path[WORD_MAX * 2];
	size_t i, len = strcspn(endpoint, ", \t");

	(void)snprintf(path, sizeof(path), "%.*s", (int)len, endpoint);
	if (strncmp(path, "unix:", 5) == 0 && path[5] != '/')
		(void)snprintf(
			path, sizeof(path), "unix:%s/%.*s",
			roost_postconf_get(&check->postconf, "queue_directory"),
			(int)len - 5, endpoint + 5);
	for (i = 0; i < listen->count; i++) {
		const struct roost_conf_addr *addr = &listen->addr[i];

		if (addr->path != NULL && strncmp(path, "unix:", 5) == 0 &&
		    strcmp(path + 5, addr->path) == 0)
			return true;
		if (addr->path == NULL && strncmp(path, "inet:", 5) == 0 &&
		    port != NULL && strtol(port + 1, NULL, 10) == addr->port)
			return true;
	}
	return false;
}

/* Restrictions that may let a client relay by its address. */
static bool permits(const char *word)
{
	return strcmp(word, "permit_mynetworks") == 0 ||
	       strcmp(word, "permit_inet_interfaces") == 0 ||
	       strcmp(word, "permit_naked_ip_address") == 0 ||
	       strcmp(word, "permit") == 0;
}

static void check_relay_list(struct check *check, const char *where,
			     const char *list, bool is_main)
{
	char word[WORD_MAX], permit[WORD_MAX] = "";
	bool asked = false;

	while (!asked && next_word(&list, word)) {
		if (strcmp(word, "check_policy_service") == 0)
			asked = next_word(&list, word) &&
				is_our_socket(check, word);
		else if (permits(word) && *permit == '\0')
			strcpy(permit, word);
	}
	if (*permit != '\0' && asked)
		report(check, true, where,
		       "%s stands before roost-policyd's "
		       "check_policy_service, which is then never asked",
		       permit);
	else if (*permit != '\0' || (is_main && !asked))
		report(check, true, where,
		       "%s%sroost-policyd is not asked: there is no "
		       "check_policy_service with a socket of its 'listen'",
		       permit, *permit != '\0' ? ", and " : "");
}

static void check_postfix(struct check *check)
{
	static const struct {
		const char *name;
		void (*run)(struct check *, const char *, const char *);
	} lists[] = {
		{ "mynetworks", check_networks },
		{ "smtpd_authorized_xclient_hosts", check_xclient },
	};
	size_t i, k;

	for (i = 0; i < check->postconf.count; i++) {
		const struct roost_postconf_entry *e =
			&check->postconf.entry[i];
		bool is_main = *e->service == '\0';
		char where[WORD_MAX];

		(void)snprintf(where, sizeof(where), "%s%s%s", e->service,
			       is_main ? "" : ": ", e->name);
		if (strcmp(e->name, "smtpd_relay_restrictions") == 0)
			check_relay_list(check, where, e->value, is_main);
		for (k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
			if (strcmp(e->name, lists[k].name) == 0)
				lists[k].run(check, where, e->value);
		}
	}
}

static void check_daemon(struct check *check)
{
	const struct roost_cidr_set *trusted =
		check->settings->trusted_networks;
	char a[ROOST_CIDR_TEXT_MAX], b[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr x, y;

	check_width(check, "trusted_networks", trusted);
	if (roost_cidr_set_overlap(trusted, check->networks->ingress, &x, &y))
		report(check, false, "trusted_networks",
		       "%s overlaps the ingress network %s, which wins: what "
		       "is in both is not trusted",
		       roost_cidr_format(&x, a), roost_cidr_format(&y, b));
	if (check->settings->mode == ROOST_POLICY_OBSERVE)
		report(check, false, "mode",
		       "observe: relaying is not prevented");
}

static int run_checks(const char *path, const char *dir, struct roost_err *err)
{
	struct roost_conf *conf = roost_ctl_load_policy(path, NULL, 0, err);
	struct roost_policy_snapshot *snapshot = NULL;
	struct check check = { .settings = NULL };
	int ret = -1;

	if (conf != NULL)
		snapshot = roost_policy_snapshot_new(conf, err);
	if (snapshot != NULL &&
	    roost_postconf_read(&check.postconf, dir, err) == 0) {
		check.settings = roost_conf_settings(conf);
		check.networks = roost_policy_snapshot_networks(snapshot);
		check_daemon(&check);
		check_postfix(&check);
		printf("%u errors, %u warnings\n", check.errors,
		       check.warnings);
		ret = check.errors > 0 ? 1 : 0;
	}
	roost_postconf_free(&check.postconf);
	roost_policy_snapshot_free(&snapshot);
	roost_conf_free(&conf);
	return ret;
}

int roost_ctl_check(int argc, char *argv[])
{
	const char *path = NULL, *dir = NULL;
	struct roost_err err;
	int c, ret;

	while ((c = getopt(argc, argv, "c:p:")) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == 'p')
			dir = optarg;
		else
			return -1;
	}
	if (optind != argc)
		return -1;
	ret = run_checks(path, dir, &err);
	if (ret < 0) {
		fprintf(stderr, "roostctl check: %s\n", err.msg);
		return 2;
	}
	return ret;
}
