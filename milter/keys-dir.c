/* SPDX-License-Identifier: MIT */
/*
 * keys-dir: a directory of keys named <domain>.<selector>.key (Mailu's
 * layout, and Kubernetes Secrets), or one key_file for some domains.
 *
 * A file that changes is seen by inotify or by polling; the directory is then
 * read anew, and only keys whose text changed are parsed.
 */
#include "roost-config.h"

#include "milter/keys.h"

#include "milter/key-file.h"
#include "milter/key-load.h"
#include "milter/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 100000
#define SUFFIX ".key"

struct roost_keys_source {
	const struct roost_keys_env *env;
	struct roost_watch *watch;
	struct roost_key_set *set; /* the last good one */
	struct roost_key_report last;
	struct roost_buf state; /* of the files at the last load */
	bool failed;		/* the last load failed */
};

struct key_file {
	char *path, *domain, *selector;
	size_t preference; /* place in `selectors` */
	struct timespec mtime;
};

struct listing {
	struct key_file *files;
	size_t count, alloc;
};

static size_t preference_of(const struct roost_milter_settings *settings,
			    const char *selector)
{
	size_t i;

	for (i = 0; i < settings->selectors.count; i++) {
		if (strcmp(settings->selectors.word[i], selector) == 0)
			break;
	}
	return i;
}

static void listing_free(struct listing *listing)
{
	size_t i;

	for (i = 0; i < listing->count; i++) {
		free(listing->files[i].path);
		free(listing->files[i].domain);
		free(listing->files[i].selector);
	}
	free(listing->files);
}

static struct key_file *listing_grow(struct listing *listing,
				     struct roost_err *err)
{
	size_t alloc = listing->alloc == 0 ? 64 : listing->alloc * 2;
	struct key_file *files;

	if (listing->count >= MAX_FILES) {
		(void)roost_err_set(err, "more than %d key files", MAX_FILES);
		return NULL;
	}
	if (listing->count == listing->alloc) {
		files = realloc(listing->files, alloc * sizeof(*files));
		if (files == NULL) {
			(void)roost_err_set(err, "out of memory");
			return NULL;
		}
		listing->files = files;
		listing->alloc = alloc;
	}
	files = &listing->files[listing->count++];
	memset(files, 0, sizeof(*files));
	return files;
}

/* name: <domain>.<selector>.key; 0 for other names and for directories */
static int add_file(const struct roost_milter_settings *settings,
		    const char *name, struct roost_key_report *report,
		    struct listing *listing, struct roost_err *err)
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);
	const char *dir = settings->key_directory, *why = "no selector";
	struct key_file *file;
	char *dot;

	if (name[0] == '.' || len <= suffix ||
	    strcmp(name + len - suffix, SUFFIX) != 0)
		return 0;
	file = listing_grow(listing, err);
	if (file == NULL)
		return -1;
	file->domain = strndup(name, len - suffix);
	if (file->domain == NULL ||
	    asprintf(&file->path, "%s/%s", dir, name) < 0) {
		file->path = NULL;
		return roost_err_set(err, "out of memory");
	}
	dot = strrchr(file->domain, '.');
	if (dot != NULL) {
		*dot = '\0';
		file->selector = strdup(dot + 1);
		if (file->selector == NULL)
			return roost_err_set(err, "out of memory");
		why = roost_key_load_check_name(file->domain, file->selector);
	}
	if (why != NULL) {
		roost_key_report_add(report, ROOST_LOG_WARNING, file->path,
				     "not named <domain>.<selector>.key: %s",
				     why);
		free(file->path);
		free(file->domain);
		free(file->selector);
		listing->count--;
		return 0;
	}
	file->preference = preference_of(settings, file->selector);
	return 0;
}

/* key_file, once for each of its domains. */
static int list_key_file(const struct roost_milter_settings *settings,
			 struct listing *listing, struct roost_err *err)
{
	struct key_file *file;
	size_t i;
	char *p;

	for (i = 0; i < settings->key_domains.count; i++) {
		file = listing_grow(listing, err);
		if (file == NULL)
			return -1;
		file->path = strdup(settings->key_file);
		file->domain = strdup(settings->key_domains.word[i]);
		file->selector = strdup(settings->key_selector);
		if (file->path == NULL || file->domain == NULL ||
		    file->selector == NULL)
			return roost_err_set(err, "out of memory");
		for (p = file->domain; *p != '\0'; p++) {
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
		}
	}
	return 0;
}

static int list_files(const struct roost_milter_settings *settings,
		      struct roost_key_report *report, struct listing *listing,
		      struct roost_err *err)
{
	const char *path = settings->key_directory;
	DIR *dir = opendir(path);
	struct dirent *entry;
	int ret = 0;

	if (dir == NULL)
		return roost_err_set(err, "key_directory %s: %s", path,
				     strerror(errno));
	errno = 0;
	while (ret == 0 && (entry = readdir(dir)) != NULL) {
		ret = add_file(settings, entry->d_name, report, listing, err);
		errno = 0;
	}
	if (ret == 0 && errno != 0)
		ret = roost_err_set(err, "key_directory %s: %s", path,
				    strerror(errno));
	(void)closedir(dir);
	return ret;
}

/* The file to use first comes first. */
static int compare_files(const void *a, const void *b)
{
	const struct key_file *fa = a, *fb = b;

	if (fa->preference != fb->preference)
		return fa->preference < fb->preference ? -1 : 1;
	if (fa->mtime.tv_sec != fb->mtime.tv_sec)
		return fa->mtime.tv_sec > fb->mtime.tv_sec ? -1 : 1;
	if (fa->mtime.tv_nsec != fb->mtime.tv_nsec)
		return fa->mtime.tv_nsec > fb->mtime.tv_nsec ? -1 : 1;
	return strcmp(fb->path, fa->path);
}

static int compare_paths(const void *a, const void *b)
{
	const struct key_file *fa = a, *fb = b;

	return strcmp(fa->path, fb->path);
}

/* The state of all files in one text, in an order that stays. */
static void take_state(struct listing *listing, struct roost_buf *state)
{
	struct stat st;
	size_t i;

	if (listing->count > 0)
		qsort(listing->files, listing->count, sizeof(*listing->files),
		      compare_paths);
	for (i = 0; i < listing->count; i++) {
		roost_key_file_state(listing->files[i].path, state);
		if (stat(listing->files[i].path, &st) == 0)
			listing->files[i].mtime = st.st_mtim;
	}
}

static int load_files(const struct roost_keys_source *source,
		      struct listing *listing, struct roost_key_load *load,
		      struct roost_err *err)
{
	size_t i;

	if (listing->count > 0)
		qsort(listing->files, listing->count, sizeof(*listing->files),
		      compare_files);
	for (i = 0; i < listing->count; i++) {
		const struct key_file *file = &listing->files[i];
		const struct roost_key_load_name name = {
			.pattern = file->domain,
			.domain = file->domain,
			.selector = file->selector,
			.place = file->path,
		};

		if (roost_key_load_file(load, &name, file->path, err) < 0)
			return -1;
	}
	return roost_key_set_finish(load->set, source->set, err);
}

/* Reads the directory; when nothing has changed since the last load that is
   all. */
static int load(struct roost_keys_source *source, struct roost_err *err)
{
	const struct roost_milter_settings *settings = source->env->settings;
	struct roost_buf state = ROOST_BUF_INIT(64 * 1024 * 1024);
	struct roost_key_report report;
	struct listing listing = { 0 };
	struct roost_key_load key_load = {
		.previous = source->set,
		.report = &report,
		.min_bits = (unsigned int)settings->minimum_key_bits,
	};
	int ret;

	roost_key_report_init(&report);
	ret = *settings->key_file != '\0'
		      ? list_key_file(settings, &listing, err)
		      : list_files(settings, &report, &listing, err);
	if (ret < 0)
		goto out;
	take_state(&listing, &state);
	if (!source->failed && source->state.len > 0 &&
	    strcmp(roost_buf_str(&state), roost_buf_str(&source->state)) == 0)
		goto out;
	key_load.set = roost_key_set_new(settings->subdomains
						 ? ROOST_KEY_MATCH_BELOW
						 : ROOST_KEY_MATCH_DOMAIN);
	ret = key_load.set == NULL
		      ? roost_err_set(err, "out of memory")
		      : load_files(source, &listing, &key_load, err);
	if (ret < 0)
		goto out;
	roost_buf_free(&source->state);
	source->state = state;
	memset(&state, 0, sizeof(state));
	roost_key_set_unref(&source->set);
	source->set = roost_key_set_ref(key_load.set);
	roost_key_report_publish(&report, &source->last, source->env->log,
				 roost_keys_dir_ops.name);
	source->env->loaded(source->env->ctx, source->env->source, source->set);
out:
	roost_key_set_unref(&key_load.set);
	roost_key_report_free(&report);
	roost_buf_free(&state);
	listing_free(&listing);
	return ret;
}

static void on_changed(void *ctx)
{
	struct roost_keys_source *source = ctx;
	struct roost_err err;

	if (load(source, &err) == 0) {
		source->failed = false;
		return;
	}
	if (!source->failed)
		source->env->failed(source->env->ctx, source->env->source,
				    err.msg);
	source->failed = true;
}

static bool dir_wanted(const struct roost_milter_settings *settings)
{
	return *settings->key_directory != '\0' || *settings->key_file != '\0';
}

static void dir_close(struct roost_keys_source **_source)
{
	struct roost_keys_source *source = *_source;

	*_source = NULL;
	roost_watch_free(&source->watch);
	roost_key_set_unref(&source->set);
	roost_key_report_free(&source->last);
	roost_buf_free(&source->state);
	free(source);
}

static struct roost_keys_source *dir_open(const struct roost_keys_env *env,
					  struct roost_key_set *previous,
					  struct roost_err *err)
{
	struct roost_keys_source *source = calloc(1, sizeof(*source));

	if (source == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	source->env = env;
	roost_key_report_init(&source->last);
	if (previous != NULL)
		source->set = roost_key_set_ref(previous);
	source->watch =
		roost_watch_new(env->base, env->settings->key_poll_interval,
				on_changed, source, err);
	/* watch first: what changes while it is read is then seen */
	if (source->watch != NULL) {
		if (*env->settings->key_file != '\0')
			roost_watch_add_file(source->watch,
					     env->settings->key_file);
		else
			roost_watch_add(source->watch,
					env->settings->key_directory);
		if (load(source, err) == 0)
			return source;
	}
	dir_close(&source);
	return NULL;
}

const struct roost_keys_ops roost_keys_dir_ops = {
	.name = "directory",
	.wanted = dir_wanted,
	.open = dir_open,
	.close = dir_close,
};
