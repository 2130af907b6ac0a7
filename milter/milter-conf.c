/* SPDX-License-Identifier: MIT */
/* milter-conf: the settings of roost-milter. */
#include "milter/milter-conf.h"

#include "milter/internal-hosts.h"
#include "milter/key-load.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* in the order of enum roost_action */
static const char *const actions[] = { "pass", "tempfail", "reject", NULL };
static const char *const long_line_actions[] = { "sign", "reject", NULL };
/* in the order of header mode * 2 + body mode */
static const char *const canonicalizations[] = {
	"simple/simple",
	"simple/relaxed",
	"relaxed/simple",
	"relaxed/relaxed",
	NULL,
};

#define ROW(name, type, def, doc, ...) \
	ROOST_CONF_ROW(roost_milter_settings, name, type, def, doc, __VA_ARGS__)

static const struct roost_conf_row rows[] = {
	ROOST_DAEMON_CONF_ROWS,
	ROW(listen, LISTEN, "unix:/var/spool/postfix/roost/milter.sock",
	    "Where Postfix connects: one unix:/path or inet:host:port.", ),
	ROW(socket_owner, STRING, "",
	    "Owner of the unix socket: user, user:group or :group. Without a "
	    "user: the daemon's. Postfix must be able to write to the socket, "
	    "so :postfix is the usual value.", ),
	ROW(socket_mode, MODE, "0660", "Mode of the unix socket.", ),
	ROW(key_directory, PATH, "",
	    "Directory of private keys named <domain>.<selector>.key (PEM). "
	    "The selector is the part behind the last dot. Of several keys of "
	    "one domain and type the one of the first of selectors is used, "
	    "else the newest file (of equally old ones, the last name).", ),
	ROW(selectors, LIST, "",
	    "Selectors in key_directory to prefer, the most wanted first.", ),
	ROW(key_file, PATH, "",
	    "One private key (PEM) for all of key_domains, instead of "
	    "key_directory.", ),
	ROW(key_selector, STRING, "", "Selector of key_file.", ),
	ROW(key_domains, LIST, "", "Domains that key_file signs for.", ),
	ROW(subdomains, BOOL, "no",
	    "Sign for domains below a domain of key_directory, key_file or "
	    "postgres, too, with the key and the name of that domain.", ),
	ROW(key_table, STRING, "",
	    "OpenDKIM's KeyTable: a file of lines \"name "
	    "domain:selector:path\". Paths are taken from the table's "
	    "directory.", ),
	ROW(signing_table, STRING, "",
	    "OpenDKIM's SigningTable: a file of lines \"pattern name\", or "
	    "refile:/path for patterns with \"*\".", ),
	ROW(postgres, STRING, "",
	    "Connection string of a PostgreSQL database that holds keys. "
	    "Empty: none.",
	    .flags = ROOST_CONF_SECRET),
	ROW(postgres_table, STRING, "roost_dkim_keys",
	    "Table (or view) in the default postgres_query.", ),
	ROW(postgres_query, STRING,
	    "SELECT domain, selector, private_key FROM $postgres_table "
	    "WHERE active ORDER BY domain, selector DESC",
	    "Query for all active keys: domain, selector, private key (PEM, or "
	    "its base64 alone). Of several rows of one domain and key type the "
	    "first is used.", ),
	ROW(postgres_channel, STRING, "roost_dkim_keys",
	    "Channel to LISTEN to; each NOTIFY on it makes the keys be read "
	    "again.", ),
	ROW(postgres_timeout, DURATION, "10s",
	    "Longest time for connecting and for each query.", .min = 100,
	    .max = 300000),
	ROW(key_poll_interval, DURATION, "30s",
	    "How often files and database are looked at for changes that were "
	    "not notified.",
	    .min = 100, .max = 86400000),
	ROW(minimum_key_bits, INT, "1024", "Shortest RSA key that is accepted.",
	    .min = ROOST_KEY_RSA_MIN_BITS, .max = ROOST_KEY_RSA_MAX_BITS),
	ROW(domains, LIST, "",
	    "Domains whose mail never leaves unsigned, even when no source has "
	    "a key for them: on_missing_key is done then.", ),
	ROW(internal_networks, CIDRS, "127.0.0.0/8, ::1",
	    "Clients whose mail is signed without authentication.", ),
	ROW(internal_hosts, PATH, "",
	    "OpenDKIM's TrustedHosts: a file of further internal networks, one "
	    "a line. Host names other than localhost are skipped with a "
	    "warning.", ),
	ROW(ingress_networks, CIDRS, "",
	    "Addresses of proxies, gateways and ingress meshes, behind which "
	    "anybody may be: never internal, whatever internal_networks "
	    "says.", ),
	ROW(canonicalization, ENUM, "relaxed/relaxed",
	    "Canonical form of headers/body: relaxed or simple each.",
	    .choices = canonicalizations),
	ROW(sign_headers, LIST,
	    "From, Reply-To, Subject, Date, To, Cc, Message-ID, Sender, "
	    "In-Reply-To, References, MIME-Version, Content-Type, "
	    "Content-Transfer-Encoding, Content-Disposition, Content-ID, "
	    "Content-Description, Resent-From, Resent-Sender, Resent-To, "
	    "Resent-Cc, Resent-Date, Resent-Message-ID, List-Id, List-Help, "
	    "List-Unsubscribe, List-Unsubscribe-Post, List-Subscribe, "
	    "List-Post, List-Owner, List-Archive",
	    "Header fields that are signed where present; From must be among "
	    "them.", ),
	ROW(oversign_headers, LIST,
	    "From, To, Subject, Date, Cc, Reply-To, Message-ID",
	    "Header fields that nobody may add later: named once more in the "
	    "signature than they are present.", ),
	ROW(omit_headers, LIST, "",
	    "Header fields that are never signed, whatever the other lists "
	    "say.", ),
	ROW(signature_lifetime, DURATION, "0",
	    "Time after which a signature expires (x=). 0: never.", ),
	ROW(on_missing_key, ENUM, "tempfail",
	    "What to do when the author's domain is ours but has no usable "
	    "key, or when a key source has not answered yet: pass, tempfail or "
	    "reject.",
	    .choices = actions),
	ROW(on_bad_from, ENUM, "reject",
	    "What to do with a submission that has no From or more than one: "
	    "pass (unsigned), tempfail or reject.",
	    .choices = actions),
	ROW(on_unparseable_from, ENUM, "pass",
	    "What to do with a submission whose From gives no single domain: "
	    "pass (unsigned), tempfail or reject.",
	    .choices = actions),
	ROW(on_error, ENUM, "tempfail",
	    "What to do after an internal error or past an internal limit: "
	    "pass (unsigned), tempfail or reject.",
	    .choices = actions),
	ROW(on_long_line, ENUM, "sign",
	    "What to do with lines of more than 998 bytes, which mail servers "
	    "break on the way and the signature with them: sign (and count) or "
	    "reject.",
	    .choices = long_line_actions),
};

const struct roost_conf_table roost_milter_conf_table = {
	.env_prefix = "ROOST_MILTER_",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.size = sizeof(struct roost_milter_settings),
};

static bool has_word(const struct roost_conf_words *words, const char *word)
{
	size_t i;

	for (i = 0; i < words->count; i++) {
		if (strcasecmp(words->word[i], word) == 0)
			return true;
	}
	return false;
}

static int check_headers(const struct roost_conf *conf, const char *name,
			 const struct roost_conf_words *words,
			 struct roost_err *err)
{
	const char *p;
	size_t i;

	for (i = 0; i < words->count; i++) {
		for (p = words->word[i];
		     *p > ' ' && *p < 0x7f && *p != ':' && *p != ';'; p++)
			;
		if (*p != '\0' || p - words->word[i] > 100)
			return roost_err_set(err,
					     "%s: %s: %s is no header "
					     "name",
					     roost_conf_origin_of(conf, name),
					     name, words->word[i]);
	}
	return 0;
}

static int check_listen(const struct roost_conf *conf,
			const struct roost_milter_settings *s,
			struct roost_err *err)
{
	const char *origin = roost_conf_origin_of(conf, "listen");

	if (s->listen.count != 1)
		return roost_err_set(err, "%s: listen: one address is needed",
				     origin);
	if (s->listen.addr[0].path == NULL && s->listen.addr[0].port == 0)
		return roost_err_set(err, "%s: listen: a port is needed",
				     origin);
	return 0;
}

/* key_file, key_selector and key_domains need each other. */
static int check_key_file(const struct roost_conf *conf,
			  const struct roost_milter_settings *s,
			  struct roost_err *err)
{
	const char *origin = roost_conf_origin_of(conf, "key_file"), *why;
	size_t i;

	if (*s->key_file == '\0' && *s->key_selector == '\0' &&
	    s->key_domains.count == 0)
		return 0;
	if (*s->key_file == '\0' || *s->key_selector == '\0' ||
	    s->key_domains.count == 0)
		return roost_err_set(err,
				     "%s: key_file, key_selector and "
				     "key_domains need each other",
				     origin);
	if (*s->key_directory != '\0')
		return roost_err_set(err,
				     "%s: key_file and key_directory exclude "
				     "each other",
				     origin);
	for (i = 0; i < s->key_domains.count; i++) {
		why = roost_key_load_check_name(s->key_domains.word[i],
						s->key_selector);
		if (why == NULL && strcmp(s->key_domains.word[i], "%") == 0)
			why = "bad domain name";
		if (why != NULL)
			return roost_err_set(
				err, "%s: key_domains: %s: %s",
				roost_conf_origin_of(conf, "key_domains"),
				s->key_domains.word[i], why);
	}
	return 0;
}

static int check_sources(const struct roost_conf *conf,
			 const struct roost_milter_settings *s,
			 struct roost_err *err)
{
	if ((*s->key_table == '\0') != (*s->signing_table == '\0')) {
		const char *name =
			*s->key_table == '\0' ? "signing_table" : "key_table";

		return roost_err_set(err,
				     "%s: %s: key_table and signing_table "
				     "need each other",
				     roost_conf_origin_of(conf, name), name);
	}
	if (*s->key_directory == '\0' && *s->key_table == '\0' &&
	    *s->key_file == '\0' && *s->postgres == '\0')
		return roost_err_set(err, "no keys: set key_directory, "
					  "key_table and signing_table, "
					  "key_file, or postgres");
	return check_key_file(conf, s, err);
}

int roost_milter_conf_check(const struct roost_conf *conf,
			    struct roost_err *err)
{
	const struct roost_milter_settings *s = roost_conf_settings(conf);

	if (!has_word(&s->sign_headers, "From"))
		return roost_err_set(
			err, "%s: sign_headers: From must be signed",
			roost_conf_origin_of(conf, "sign_headers"));
	if (has_word(&s->omit_headers, "From"))
		return roost_err_set(
			err, "%s: omit_headers: From must be signed",
			roost_conf_origin_of(conf, "omit_headers"));
	if (check_headers(conf, "omit_headers", &s->omit_headers, err) < 0 ||
	    check_headers(conf, "sign_headers", &s->sign_headers, err) < 0 ||
	    check_headers(conf, "oversign_headers", &s->oversign_headers, err) <
		    0 ||
	    check_listen(conf, s, err) < 0)
		return -1;
	return check_sources(conf, s, err);
}

struct signing {
	struct roost_signing pub; /* first */
	atomic_uint refs;
};

static void words_free(const struct roost_conf_words *words)
{
	size_t i;

	for (i = 0; i < words->count; i++)
		free((void *)(uintptr_t)words->word[i]);
	free((void *)(uintptr_t)words->word);
}

static int words_copy(const struct roost_conf_words *from, bool lower,
		      struct roost_conf_words *to)
{
	char **copy = calloc(from->count + 1, sizeof(*copy)), *p;

	if (copy == NULL)
		return -1;
	to->word = (const char *const *)copy;
	for (to->count = 0; to->count < from->count; to->count++) {
		copy[to->count] = p = strdup(from->word[to->count]);
		if (p == NULL)
			return -1;
		for (; lower && *p != '\0'; p++) {
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
		}
	}
	return 0;
}

/* Without the names of `omit`. */
static int names_copy(const struct roost_conf_words *from,
		      const struct roost_conf_words *omit,
		      struct roost_sign_names *to)
{
	const char **kept = calloc(from->count + 1, sizeof(*kept));
	struct roost_conf_words words = { .word = kept }, copy = { 0 };
	int ret = -1;
	size_t i;

	for (i = 0; kept != NULL && i < from->count; i++) {
		if (!has_word(omit, from->word[i]))
			kept[words.count++] = from->word[i];
	}
	if (kept != NULL)
		ret = words_copy(&words, false, &copy);
	free(kept);
	to->names = copy.word;
	to->count = copy.count;
	return ret;
}

static void names_free(const struct roost_sign_names *names)
{
	const struct roost_conf_words words = { names->names, names->count };

	words_free(&words);
}

static int signing_fill(struct roost_signing *signing,
			const struct roost_milter_settings *s,
			const struct roost_log *log, struct roost_err *err)
{
	signing->rules.header_canon =
		(enum roost_canon_mode)(s->canonicalization / 2);
	signing->rules.body_canon =
		(enum roost_canon_mode)(s->canonicalization % 2);
	signing->rules.lifetime = (uint64_t)s->signature_lifetime / 1000;
	signing->on_missing_key = (enum roost_action)s->on_missing_key;
	signing->on_bad_from = (enum roost_action)s->on_bad_from;
	signing->on_unparseable_from =
		(enum roost_action)s->on_unparseable_from;
	signing->on_error = (enum roost_action)s->on_error;
	signing->reject_long_lines = s->on_long_line == 1;
	signing->internal = roost_cidr_set_new();
	signing->ingress = roost_cidr_set_new();
	if (signing->internal == NULL || signing->ingress == NULL ||
	    words_copy(&s->domains, true, &signing->domains) < 0 ||
	    names_copy(&s->sign_headers, &s->omit_headers,
		       &signing->rules.sign) < 0 ||
	    names_copy(&s->oversign_headers, &s->omit_headers,
		       &signing->rules.oversign) < 0)
		return roost_err_set(err, "out of memory");
	if (roost_cidr_set_add_all(signing->internal, s->internal_networks,
				   err) < 0 ||
	    roost_cidr_set_add_all(signing->ingress, s->ingress_networks, err) <
		    0)
		return -1;
	return *s->internal_hosts == '\0'
		       ? 0
		       : roost_internal_hosts_read(s->internal_hosts,
						   signing->internal, log, err);
}

struct roost_signing *
roost_milter_conf_signing(const struct roost_milter_settings *settings,
			  const struct roost_log *log, struct roost_err *err)
{
	struct signing *signing = calloc(1, sizeof(*signing));
	struct roost_signing *pub = &signing->pub;

	if (signing == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	atomic_init(&signing->refs, 1);
	if (signing_fill(pub, settings, log, err) < 0)
		roost_signing_unref(&pub);
	return pub;
}

struct roost_signing *roost_signing_ref(struct roost_signing *pub)
{
	struct signing *signing = (struct signing *)pub;

	(void)atomic_fetch_add_explicit(&signing->refs, 1,
					memory_order_relaxed);
	return pub;
}

void roost_signing_unref(struct roost_signing **pub)
{
	struct signing *signing = (struct signing *)*pub;

	*pub = NULL;
	if (signing == NULL ||
	    atomic_fetch_sub_explicit(&signing->refs, 1,
				      memory_order_acq_rel) != 1)
		return;
	roost_cidr_set_free(&signing->pub.internal);
	roost_cidr_set_free(&signing->pub.ingress);
	words_free(&signing->pub.domains);
	names_free(&signing->pub.rules.sign);
	names_free(&signing->pub.rules.oversign);
	free(signing);
}

bool roost_signing_is_submission(const struct roost_signing *signing,
				 const struct roost_addr *client,
				 bool authenticated)
{
	if (authenticated)
		return true;
	return !roost_cidr_set_find(signing->ingress, client, NULL) &&
	       roost_cidr_set_find(signing->internal, client, NULL);
}

bool roost_signing_is_our_domain(const struct roost_signing *signing,
				 const char *domain)
{
	size_t i;

	for (i = 0; i < signing->domains.count; i++) {
		if (strcmp(signing->domains.word[i], domain) == 0)
			return true;
	}
	return false;
}
