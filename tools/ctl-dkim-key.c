/* SPDX-License-Identifier: MIT */
/* ctl-dkim-key: makes key pairs and prints the records to publish. */
#include "roost-config.h"

#include "tools/ctl-dkim.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/dkim/record.h"
#include "milter/key-file.h"
#include "milter/key-load.h"

struct genkey {
	enum roost_key_type type;
	unsigned int bits;
	const char *directory, *file, *user;
	bool plain;
};

static int print_record(const struct roost_key *key, const char *domain,
			const char *selector, bool plain, struct roost_err *err)
{
	struct roost_buf text = ROOST_BUF_INIT(ROOST_RECORD_MAX);
	struct roost_buf out = ROOST_BUF_INIT(2 * ROOST_RECORD_MAX);
	struct roost_buf name = ROOST_BUF_INIT(1024);
	int ret = 0;

	roost_buf_printf(&name, "%s._domainkey.%s", selector, domain);
	if (roost_key_record(key, &text) < 0) {
		ret = roost_err_set(err, "OpenSSL: no public key");
	} else if (plain) {
		printf("%s\n%s\n", roost_buf_str(&name), roost_buf_str(&text));
	} else {
		roost_record_zone(roost_buf_str(&name), roost_buf_str(&text),
				  &out);
		printf("%s", roost_buf_str(&out));
	}
	roost_buf_free(&name);
	roost_buf_free(&text);
	roost_buf_free(&out);
	return ret;
}

static int parse_bits(const char *text, unsigned int *bits_r)
{
	if (strcmp(text, "2048") != 0 && strcmp(text, "4096") != 0 &&
	    strcmp(text, "3072") != 0)
		return -1;
	*bits_r = (unsigned int)strtoul(text, NULL, 10);
	return 0;
}

static int parse_genkey(struct genkey *g, int argc, char *argv[])
{
	int c;

	while ((c = getopt(argc, argv, "pt:b:D:f:u:")) != -1) {
		if (c == 'p')
			g->plain = true;
		else if (c == 't' && strcmp(optarg, "ed25519") == 0)
			g->type = ROOST_KEY_ED25519;
		else if (c == 't' && strcmp(optarg, "rsa") == 0)
			g->type = ROOST_KEY_RSA;
		else if (c == 'D' && g->file == NULL)
			g->directory = optarg;
		else if (c == 'f' && g->directory == NULL)
			g->file = optarg;
		else if (c == 'u')
			g->user = optarg;
		else if (c != 'b' || parse_bits(optarg, &g->bits) < 0)
			return -1;
	}
	return argc - optind == 2 ? 0 : -1;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What is there already stays: a signer may be using it. */
static int write_key(const char *path, const char *user,
		     const struct roost_buf *pem, struct roost_err *err)
{
	const struct passwd *pw = user == NULL ? NULL : getpwnam(user);
	int fd, saved;

	if (user != NULL && pw == NULL)
		return roost_err_set(err, "no user %s", user);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return roost_err_set(err, "%s: %s", path, strerror(errno));
	if (fchmod(fd, 0600) == 0 &&
	    (pw == NULL || fchown(fd, pw->pw_uid, pw->pw_gid) == 0) &&
	    write_all(fd, pem->data, pem->len) == 0 && fsync(fd) == 0 &&
	    close(fd) == 0)
		return 0;
	saved = errno;
	(void)unlink(path);
	return roost_err_set(err, "%s: %s", path, strerror(saved));
}

static int genkey(const struct genkey *g, const char *domain,
		  const char *selector, struct roost_err *err)
{
	struct roost_buf pem = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX);
	struct roost_key *key = NULL;
	char path[4096];
	int ret = -1, n;

	n = g->file != NULL
		    ? snprintf(path, sizeof(path), "%s", g->file)
		    : snprintf(path, sizeof(path), "%s/%s.%s.key",
			       g->directory == NULL ? "." : g->directory,
			       domain, selector);
	if (n >= (int)sizeof(path))
		return roost_err_set(err, "path too long");
	key = roost_key_generate(g->type, g->bits, err);
	if (key != NULL && roost_key_pem(key, &pem) < 0)
		(void)roost_err_set(err, "OpenSSL writes no private key");
	else if (key != NULL)
		ret = write_key(path, g->user, &pem, err);
	if (ret == 0) {
		fprintf(stderr, "%s\n", path);
		ret = print_record(key, domain, selector, g->plain, err);
	}
	roost_key_file_forget(&pem);
	roost_key_unref(&key);
	return ret;
}

int roost_ctl_dkim_genkey(int argc, char *argv[])
{
	struct genkey g = { .type = ROOST_KEY_RSA, .bits = 2048 };
	const char *domain, *selector, *why;
	struct roost_err err;
	int ret;

	if (parse_genkey(&g, argc, argv) < 0)
		return -1;
	domain = argv[optind];
	selector = argv[optind + 1];
	why = strcmp(domain, "%") == 0
		      ? "bad domain name"
		      : roost_key_load_check_name(domain, selector);
	/* the selector in a file's name ends at its first dot from the right */
	if (why == NULL && g.file == NULL && strchr(selector, '.') != NULL)
		why = "a selector with a dot needs -f";
	ret = why != NULL ? roost_err_set(&err, "%s", why)
			  : genkey(&g, domain, selector, &err);
	if (ret < 0)
		fprintf(stderr, "roostctl dkim genkey: %s\n", err.msg);
	return ret < 0 ? 2 : 0;
}

/* Splits "<domain>.<selector>.key", without its folder. */
static int split_name(const char *path, char *domain, size_t size,
		      const char **selector_r)
{
	const char *slash = strrchr(path, '/');
	size_t len;
	char *dot;

	path = slash == NULL ? path : slash + 1;
	len = strlen(path);
	if (len < 5 || len >= size || strcmp(path + len - 4, ".key") != 0)
		return -1;
	memcpy(domain, path, len - 4);
	domain[len - 4] = '\0';
	dot = strrchr(domain, '.');
	if (dot == NULL)
		return -1;
	*dot = '\0';
	*selector_r = dot + 1;
	return 0;
}

static int dns(const char *path, const char *domain, const char *selector,
	       bool plain, struct roost_err *err)
{
	struct roost_buf text = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX);
	struct roost_key *key = NULL;
	const char *why = roost_key_load_check_name(domain, selector);
	int ret = -1;

	if (why != NULL)
		return roost_err_set(err, "%s", why);
	if (roost_key_file_read(path, &text, err) == 0) {
		key = roost_key_public_pem(roost_buf_str(&text), text.len, err);
		if (key == NULL)
			(void)roost_err_prefix(err, "%s", path);
		else
			ret = print_record(key, domain, selector, plain, err);
	}
	roost_key_unref(&key);
	roost_key_file_forget(&text);
	return ret;
}

int roost_ctl_dkim_dns(int argc, char *argv[])
{
	const char *domain = NULL, *selector = NULL, *file_selector;
	bool plain = false;
	struct roost_err err;
	char name[1024];
	int c, ret;

	while ((c = getopt(argc, argv, "pd:s:")) != -1) {
		if (c == 'p')
			plain = true;
		else if (c == 'd')
			domain = optarg;
		else if (c == 's')
			selector = optarg;
		else
			return -1;
	}
	if (argc - optind != 1)
		return -1;
	if (domain == NULL || selector == NULL) {
		if (split_name(argv[optind], name, sizeof(name),
			       &file_selector) < 0) {
			fprintf(stderr,
				"roostctl dkim dns: %s: not named "
				"<domain>.<selector>.key: use -d and -s\n",
				argv[optind]);
			return 2;
		}
		domain = domain == NULL ? name : domain;
		selector = selector == NULL ? file_selector : selector;
	}
	ret = dns(argv[optind], domain, selector, plain, &err);
	if (ret < 0)
		fprintf(stderr, "roostctl dkim dns: %s\n", err.msg);
	return ret < 0 ? 2 : 0;
}
