/* SPDX-License-Identifier: MIT */
/* opendkim-conf: reads opendkim.conf(5) as settings of roost-milter. */
#include "roost-config.h"

#include "milter/opendkim-conf.h"

#include "milter/milter-conf.h"
#include "milter/table-file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX 8192

/* Appends the value for the setting, or tells what is wrong with it. */
typedef int translate(const char *value, struct roost_buf *out,
		      struct roost_err *err);

/* "$" begins the name of a setting in our file. */
static int as_is(const char *value, struct roost_buf *out,
		 struct roost_err *err)
{
	(void)err;
	for (; *value != '\0'; value++) {
		if (*value == '$')
			roost_buf_append_char(out, '$');
		roost_buf_append_char(out, *value);
	}
	return 0;
}

static int to_listen(const char *value, struct roost_buf *out,
		     struct roost_err *err)
{
	const char *port, *at;

	if (value[0] == '/')
		return roost_buf_append_str(out, "unix:"),
		       as_is(value, out, err);
	if (strncmp(value, "local:", 6) == 0 || strncmp(value, "unix:", 5) == 0)
		return roost_buf_append_str(out, "unix:"),
		       as_is(strchr(value, ':') + 1, out, err);
	if (strncmp(value, "inet:", 5) != 0 && strncmp(value, "inet6:", 6) != 0)
		return roost_err_set(err, "local:/path or inet:port@host is "
					  "needed");
	port = strchr(value, ':') + 1;
	at = strchr(port, '@');
	if (at == NULL) {
		roost_buf_printf(out, "inet:*:%s", port);
		return 0;
	}
	roost_buf_append_str(out, "inet:");
	if (as_is(at + 1, out, err) < 0)
		return -1;
	roost_buf_printf(out, ":%.*s", (int)(at - port), port);
	return 0;
}

static int to_mode(const char *value, struct roost_buf *out,
		   struct roost_err *err)
{
	char *end;
	unsigned long mask = strtoul(value, &end, 8);

	if (*end != '\0' || *value < '0' || *value > '7' || mask > 0777)
		return roost_err_set(err, "an octal number is needed");
	roost_buf_printf(out, "%04lo", 0777 & ~mask);
	return 0;
}

static int to_user(const char *value, struct roost_buf *out,
		   struct roost_err *err)
{
	const char *colon = strchr(value, ':');

	if (colon != NULL &&
	    (strncmp(value, colon + 1, (size_t)(colon - value)) != 0 ||
	     strlen(colon + 1) != (size_t)(colon - value)))
		return roost_err_set(err, "the group is always the user's: "
					  "name the user alone");
	roost_buf_append(out, value,
			 colon == NULL ? strlen(value)
				       : (size_t)(colon - value));
	return 0;
}

/* One name stands for the headers; the body is "simple" then. */
static int to_canon(const char *value, struct roost_buf *out,
		    struct roost_err *err)
{
	(void)as_is(value, out, err);
	if (strchr(value, '/') == NULL)
		roost_buf_append_str(out, "/simple");
	return 0;
}

/* Names are looked up exactly in a KeyTable, also as a "refile:". */
static int to_key_table(const char *value, struct roost_buf *out,
			struct roost_err *err)
{
	return as_is(strncmp(value, "refile:", 7) == 0 ? value + 7 : value, out,
		     err);
}

static int to_hosts(const char *value, struct roost_buf *out,
		    struct roost_err *err)
{
	if (strncmp(value, "refile:", 7) == 0 ||
	    strncmp(value, "file:", 5) == 0)
		value = strchr(value, ':') + 1;
	if (value[0] != '/')
		return roost_err_set(err, "only /path, file:/path and "
					  "refile:/path are understood");
	return as_is(value, out, err);
}

static int to_names(const char *value, struct roost_buf *out,
		    struct roost_err *err)
{
	if (strchr(value, '/') != NULL || strchr(value, '*') != NULL ||
	    value[0] == '+' || strstr(value, ",+") != NULL ||
	    strstr(value, ",-") != NULL || value[0] == '-')
		return roost_err_set(err, "only a list of names is understood");
	return as_is(value, out, err);
}

static int to_bool(const char *value, struct roost_buf *out,
		   struct roost_err *err)
{
	if (strchr("YyTt1", value[0]) != NULL)
		roost_buf_append_str(out, "yes");
	else if (strchr("NnFf0", value[0]) != NULL)
		roost_buf_append_str(out, "no");
	else
		return roost_err_set(err, "yes or no is needed");
	return 0;
}

static int to_action(const char *value, struct roost_buf *out,
		     struct roost_err *err)
{
	static const char *const names[][2] = {
		{ "a", "pass" },     { "accept", "pass" },
		{ "t", "tempfail" }, { "tempfail", "tempfail" },
		{ "r", "reject" },   { "reject", "reject" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(value, names[i][0]) == 0) {
			roost_buf_append_str(out, names[i][1]);
			return 0;
		}
	}
	return roost_err_set(err, "accept, tempfail or reject is needed");
}

/* Keys without a setting: the value must be one that changes nothing. */
static int check_modes(const char *value, struct roost_buf *out,
		       struct roost_err *err)
{
	(void)out;
	if (strcmp(value, "s") == 0 || strcmp(value, "sv") == 0 ||
	    strcmp(value, "vs") == 0)
		return 0;
	return roost_err_set(err, "roost-milter signs: \"s\" or \"sv\" is "
				  "needed");
}

static int check_algorithm(const char *value, struct roost_buf *out,
			   struct roost_err *err)
{
	(void)out;
	if (strcmp(value, "rsa-sha256") == 0 ||
	    strcmp(value, "ed25519-sha256") == 0)
		return 0;
	return roost_err_set(err, "rsa-sha256 or ed25519-sha256 is needed");
}

struct key {
	const char *name;
	const char *setting;  /* NULL: none */
	translate *translate; /* NULL: any value will do */
};

static const struct key keys[] = {
	{ "Canonicalization", "canonicalization", to_canon },
	{ "Domain", "key_domains", to_names },
	{ "InternalHosts", "internal_hosts", to_hosts },
	{ "KeyFile", "key_file", as_is },
	{ "KeyTable", "key_table", to_key_table },
	{ "MinimumKeyBits", "minimum_key_bits", as_is },
	{ "OmitHeaders", "omit_headers", to_names },
	{ "On-InternalError", "on_error", to_action },
	{ "On-SignatureError", "on_missing_key", to_action },
	{ "OversignHeaders", "oversign_headers", to_names },
	{ "Selector", "key_selector", as_is },
	{ "SignatureTTL", "signature_lifetime", as_is },
	{ "SignHeaders", "sign_headers", to_names },
	{ "SigningTable", "signing_table", as_is },
	{ "Socket", "listen", to_listen },
	{ "SubDomains", "subdomains", to_bool },
	{ "UMask", "socket_mode", to_mode },
	{ "UserID", "user", to_user },
	{ "Mode", NULL, check_modes },
	{ "SignatureAlgorithm", NULL, check_algorithm },
	/* logs, processes and what belongs to verification */
	{ "AutoRestart", NULL, NULL },
	{ "AutoRestartCount", NULL, NULL },
	{ "AutoRestartRate", NULL, NULL },
	{ "Background", NULL, NULL },
	{ "BaseDirectory", NULL, NULL },
	{ "DNSTimeout", NULL, NULL },
	{ "ExternalIgnoreList", NULL, NULL },
	{ "LogResults", NULL, NULL },
	{ "LogWhy", NULL, NULL },
	{ "Nameservers", NULL, NULL },
	{ "On-BadSignature", NULL, NULL },
	{ "On-DNSError", NULL, NULL },
	{ "On-KeyNotFound", NULL, NULL },
	{ "On-NoSignature", NULL, NULL },
	{ "On-Security", NULL, NULL },
	{ "PidFile", NULL, NULL },
	{ "RemoveOldSignatures", NULL, NULL },
	{ "RequireSafeKeys", NULL, NULL },
	{ "SoftwareHeader", NULL, NULL },
	{ "Syslog", NULL, NULL },
	{ "SyslogFacility", NULL, NULL },
	{ "SyslogName", NULL, NULL },
	{ "SyslogSuccess", NULL, NULL },
	{ "TemporaryDirectory", NULL, NULL },
	{ "TrustAnchorFile", NULL, NULL },
};

static const struct key *find_key(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcasecmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* Cuts a line into key and value; "#" begins a comment anywhere. */
static char *cut(char *line)
{
	char *value, *end;

	line[strcspn(line, "#")] = '\0';
	end = line + strlen(line);
	while (end > line && strchr(" \t\r", end[-1]) != NULL)
		*--end = '\0';
	value = line + strcspn(line, " \t");
	if (*value != '\0')
		*value++ = '\0';
	return value + strspn(value, " \t");
}

static int translate_line(char *line, struct roost_buf *out,
			  struct roost_err *err)
{
	const struct key *key;
	const char *value;
	size_t start;

	line += strspn(line, " \t");
	value = cut(line);
	if (*line == '\0')
		return 0;
	key = find_key(line);
	if (key == NULL)
		return roost_err_set(err,
				     "%.64s: roost-milter has nothing "
				     "like it",
				     line);
	if (*value == '\0')
		return roost_err_set(err, "%s: a value is needed", key->name);
	for (start = 0; value[start] != '\0'; start++) {
		if ((unsigned char)value[start] < ' ' && value[start] != '\t')
			return roost_err_set(err, "control character");
	}
	if (key->setting != NULL)
		roost_buf_printf(out, "%s = ", key->setting);
	if (key->translate != NULL && key->translate(value, out, err) < 0)
		return roost_err_prefix(err, "%s", key->name);
	return 0;
}

int roost_opendkim_conf_translate(const char *path, const char *text,
				  size_t len, struct roost_buf *out,
				  struct roost_err *err)
{
	const char *p = text, *end = text + len, *lf;
	unsigned int number = 1;
	char line[VALUE_MAX];
	size_t n;

	for (; p < end; p = lf + 1, number++) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		n = (size_t)(lf - p);
		if (n >= sizeof(line) || memchr(p, '\0', n) != NULL)
			return roost_err_set(err, "%s:%u: %s", path, number,
					     n >= sizeof(line)
						     ? "line too long"
						     : "NUL character");
		memcpy(line, p, n);
		line[n] = '\0';
		if (translate_line(line, out, err) < 0)
			return roost_err_prefix(err, "%s:%u", path, number);
		roost_buf_append_char(out, '\n');
	}
	return out->failed ? roost_err_set(err, "%s: too long", path) : 0;
}

struct roost_conf *
roost_opendkim_conf_load(const struct roost_conf_input *input,
			 struct roost_err *err)
{
	struct roost_buf text = ROOST_BUF_INIT(ROOST_CONF_FILE_MAX);
	struct roost_buf ours = ROOST_BUF_INIT(2 * ROOST_CONF_FILE_MAX);
	struct roost_conf *conf = NULL;

	if (roost_table_file_read(input->path, &text, err) == 0 &&
	    roost_opendkim_conf_translate(input->path, roost_buf_str(&text),
					  text.len, &ours, err) == 0)
		conf = roost_conf_parse(&roost_milter_conf_table, input,
					roost_buf_str(&ours), ours.len, err);
	roost_buf_free(&text);
	roost_buf_free(&ours);
	return conf;
}
