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
#include "tools/ctl-json.h"
#include "tools/ctl-postconf.h"
#include "tools/ctl.h"

#define WORD_MAX 512

struct check {
	const struct roost_policy_settings *settings;
	const struct roost_relay_networks *networks;
	struct roost_postconf postconf;
	unsigned int errors, warnings;
	bool json;
};

__attribute__((format(printf, 4, 5))) static void
report(struct check *check, bool error, const char *where, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (check->json) {
		printf("%s{\"level\":\"%s\",\"where\":",
		       check->errors + check->warnings == 0 ? "" : ",",
		       error ? "error" : "warning");
		roost_ctl_json_string(where);
		printf(",\"text\":");
		roost_ctl_json_string(text);
		putchar('}');
	} else {
		printf("%s %s: %s\n", error ? "error  " : "warning", where,
		       text);
	}
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
		while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
			len--;
	} else {
		len = strcspn(s, ", \t");
		*text = s + len;
	}
	(void)snprintf(word, WORD_MAX, "%.*s", (int)len, s);
	return true;
}

/* Adds the networks in a file: a list of words, or (is_table) a cidr: table,
   whose first words count. */
static void read_network_file(struct check *check, const char *where,
			      const char *path, bool is_table,
			      struct roost_cidr_set *set)
{
	FILE *f = fopen(path, "re");
	char line[WORD_MAX], word[WORD_MAX];
	struct roost_err err;

	if (f == NULL) {
		report(check, false, where, "%s cannot be read", path);
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *text = line;

		line[strcspn(line, "#\r\n")] = '\0';
		while (next_word(&text, word)) {
			if (*word != '!' &&
			    roost_cidr_set_add_text(set, word, &err) < 0)
				report(check, false, where, "%s: %s", path,
				       err.msg);
			if (is_table)
				break;
		}
	}
	fclose(f);
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
		if (strncmp(word, "cidr:/", 6) == 0)
			read_network_file(check, where, word + 5, true, set);
		else if (*word == '/')
			read_network_file(check, where, word, false, set);
		else if (strchr(word, ':') != NULL && *word != '[')
			report(check, false, where,
			       "the table %s is not looked into", word);
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
	if (set != NULL)
		check_width(check, where, set);
	roost_cidr_set_free(&set);
}

/* Whether a policy service that cannot be asked lets mail pass. */
static void check_default_action(struct check *check, const char *where,
				 const char *action)
{
	if (strncmp(action, "defer", 5) == 0 ||
	    strncmp(action, "reject", 6) == 0 ||
	    ((*action == '4' || *action == '5') && strchr(action, ' ') != NULL))
		return;
	report(check, true, where,
	       "'%s' lets mail pass while roost-policyd is away: "
	       "defer_unauth_destination is what is wanted",
	       action);
}

static void check_routing(struct check *check, const char *where,
			  const char *value)
{
	if (strcmp(value, "yes") == 0)
		report(check, true, where,
		       "yes lets mail with sender-specified routing "
		       "(user%%elsewhere@here) pass");
}

/* Postfix takes the header from whoever connects. */
static void check_proxy(struct check *check, const char *where,
			const char *value)
{
	if (*value != '\0' && strncmp(where, "127.", 4) != 0 &&
	    strncmp(where, "localhost:", 10) != 0 &&
	    strncmp(where, "[::1]:", 6) != 0)
		report(check, false, where,
		       "whoever reaches this port may claim any address: only "
		       "the proxy must");
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
	const char *action;
	bool asked = false;

	while (!asked && next_word(&list, word)) {
		if (strcmp(word, "check_policy_service") == 0) {
			asked = next_word(&list, word) &&
				is_our_socket(check, word);
			action = asked ? strstr(word, "default_action") : NULL;
			if (action != NULL)
				action += strcspn(action, "=");
			if (action != NULL && *action == '=')
				check_default_action(
					check, where,
					action + 1 + strspn(action + 1, " "));
		} else if (permits(word) && *permit == '\0')
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
		{ "allow_untrusted_routing", check_routing },
		{ "smtpd_policy_service_default_action", check_default_action },
		{ "smtpd_upstream_proxy_protocol", check_proxy },
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

/* Passwords from examples and images. */
static bool is_default_password(const char *password)
{
	static const char *const defaults[] = {
		"postgres", "password", "passwd", "secret",	"changeme",
		"admin",    "root",	"test",	  "mailman",	"mailmanpass",
		"restpass", "mailu",	"redis",  "someapikey", "123456",
	};
	size_t i;

	for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (strcmp(password, defaults[i]) == 0)
			return true;
	}
	return false;
}

/* Whether a connect string (URI or name=value) holds one. */
static bool has_default_password(const char *conninfo)
{
	const char *s = strstr(conninfo, "://"), *at;
	char password[WORD_MAX];

	if (s != NULL) {
		at = strchr(s + 3, '@');
		s = strchr(s + 3, ':');
		if (at == NULL || s == NULL || s > at)
			return false;
		(void)snprintf(password, sizeof(password), "%.*s",
			       (int)(at - s - 1), s + 1);
	} else {
		s = strstr(conninfo, "password=");
		if (s == NULL)
			return false;
		s += strlen("password=");
		s += *s == '\'' ? 1 : 0;
		(void)snprintf(password, sizeof(password), "%.*s",
			       (int)strcspn(s, " '"), s);
	}
	return is_default_password(password);
}

/* Those of the daemon, and of the containers beside it whose environment this
   command shares. */
static void check_passwords(struct check *check)
{
	static const char *const names[] = {
		"MAILMAN_REST_PASSWORD", "HYPERKITTY_API_KEY",
		"POSTGRES_PASSWORD",	 "DB_PW",
		"REDIS_PASSWORD",	 "SECRET_KEY",
	};
	const char *url = getenv("DATABASE_URL");
	size_t i;

	if (is_default_password(check->settings->redis_password))
		report(check, false, "redis_password",
		       "a password that everybody knows");
	if (has_default_password(check->settings->postgres))
		report(check, false, "postgres",
		       "a password that everybody knows");
	if (url != NULL && has_default_password(url))
		report(check, false, "DATABASE_URL",
		       "a password that everybody knows");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && is_default_password(value))
			report(check, false, names[i],
			       "a password that everybody knows");
	}
}

static int run_checks(const char *path, const char *dir, bool json,
		      struct roost_err *err)
{
	struct roost_conf *conf = roost_ctl_load_policy(path, NULL, 0, err);
	struct roost_policy_snapshot *snapshot = NULL;
	struct check check = { .settings = NULL, .json = json };
	int ret = -1;

	if (conf != NULL)
		snapshot = roost_policy_snapshot_new(conf, err);
	if (snapshot != NULL &&
	    roost_postconf_read(&check.postconf, dir, err) == 0) {
		check.settings = roost_conf_settings(conf);
		check.networks = roost_policy_snapshot_networks(snapshot);
		if (json)
			printf("{\"findings\":[");
		check_daemon(&check);
		check_passwords(&check);
		check_postfix(&check);
		printf(json ? "],\"errors\":%u,\"warnings\":%u}\n"
			    : "%u errors, %u warnings\n",
		       check.errors, check.warnings);
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
	bool json = roost_ctl_json_option(&argc, argv);
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
	ret = run_checks(path, dir, json, &err);
	if (ret < 0) {
		fprintf(stderr, "roostctl check: %s\n", err.msg);
		return 2;
	}
	return ret;
}
