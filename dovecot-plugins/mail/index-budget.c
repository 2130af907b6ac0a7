/* SPDX-License-Identifier: MIT */
/* index-budget: how full the tmpfs is, and who leaves it first. */
#include "lib.h"
#include "array.h"
#include "strescape.h"
#include "dovecot-plugins/mail/index-budget.h"
#include "dovecot-plugins/mail/index-evict.h"
#include "dovecot-plugins/mail/index-state.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* percent of the file system in use */
#define EVICT_ABOVE 80
#define EVICT_UNTIL 70
#define REFUSE_ABOVE 95

#define SUFFIX ".users"
#define NAME_SIZE 256

struct candidate {
	const char *dir; /* its lock file is dir.users */
	struct timespec used;
	bool packed;
};

/* -1: not a tmpfs, or not known. */
static int percent_used(const char *base)
{
	struct statfs fs;
	uint64_t used;

	if (statfs(base, &fs) < 0 ||
	    (uint64_t)fs.f_type != (uint64_t)TMPFS_MAGIC || fs.f_blocks == 0)
		return -1;
	used = (uint64_t)fs.f_blocks - (uint64_t)fs.f_bavail;
	return (int)(used * 100 / (uint64_t)fs.f_blocks);
}

static int candidate_cmp(const void *p1, const void *p2)
{
	const struct candidate *a = p1, *b = p2;

	if (a->packed != b->packed)
		return a->packed ? -1 : 1;
	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
	if (a->used.tv_nsec != b->used.tv_nsec)
		return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
	return 0;
}

static void candidates_find(const char *base, pool_t pool,
			    ARRAY_TYPE(const_string) * dirs)
{
	DIR *dirp = opendir(base);
	struct dirent *d;
	const char *dir;
	size_t len;

	if (dirp == NULL)
		return;
	while ((d = readdir(dirp)) != NULL) {
		len = strlen(d->d_name);
		if (len <= strlen(SUFFIX) ||
		    strcmp(d->d_name + len - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		dir = p_strdup_printf(pool, "%s/%.*s", base,
				      (int)(len - strlen(SUFFIX)), d->d_name);
		array_push_back(dirs, &dir);
	}
	(void)closedir(dirp);
}

/* Users who have an index here and are not in use now. */
static void candidates_sort(pool_t pool, const ARRAY_TYPE(const_string) * dirs,
			    struct candidate **list_r, unsigned int *count_r)
{
	unsigned int count = 0;
	const char *const *dir;
	struct candidate *list =
		p_new(pool, struct candidate, array_count(dirs) + 1);
	struct stat st;

	array_foreach (dirs, dir) {
		struct candidate *c = &list[count];

		if (stat(*dir, &st) < 0 ||
		    stat(t_strconcat(*dir, SUFFIX, NULL), &st) < 0)
			continue;
		c->dir = *dir;
		c->used = st.st_mtim;
		c->packed = roost_index_state_all_packed(*dir);
		count++;
	}
	qsort(list, count, sizeof(*list), candidate_cmp);
	*list_r = list;
	*count_r = count;
}

static const char *read_name(int fd)
{
	char name[NAME_SIZE];
	ssize_t n = pread(fd, name, sizeof(name), 0);

	return n <= 0 ? "?" : str_tabescape(t_strndup(name, (size_t)n));
}

static void evict_one(struct event *event, const struct candidate *c)
{
	const char *path = t_strconcat(c->dir, SUFFIX, NULL);
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	const char *error;
	uint64_t bytes;
	int ret;

	if (fd == -1)
		return;
	ret = roost_index_evict(fd, c->dir, &bytes, &error);
	if (ret > 0)
		e_info(event_create_passthrough(event)
			       ->set_name("roost_index_evicted")
			       ->add_int("bytes", (intmax_t)bytes)
			       ->event(),
		       "roost_index_evicted: the index of user=%s made room: "
		       "bytes=%" PRIu64 " packed=%s",
		       read_name(fd), bytes, c->packed ? "yes" : "no");
	else if (ret < 0)
		e_error(event, "roost_index_evicted: %s", error);
	i_close_fd(&fd);
}

static void evict_some(struct event *event, const char *base)
{
	pool_t pool = pool_alloconly_create("roost evict", 4096);
	ARRAY_TYPE(const_string) dirs;
	struct candidate *list;
	unsigned int count;

	p_array_init(&dirs, pool, 64);
	candidates_find(base, pool, &dirs);
	candidates_sort(pool, &dirs, &list, &count);
	for (unsigned int i = 0; i < count && percent_used(base) > EVICT_UNTIL;
	     i++)
		T_BEGIN
		{
			evict_one(event, &list[i]);
		}
	T_END;
	pool_unref(&pool);
}

int roost_index_budget_check(struct event *event, const char *base, bool is_new,
			     const char **error_r)
{
	const char *path = t_strconcat(base, "/evicting", NULL);
	int fd;

	if (percent_used(base) <= EVICT_ABOVE)
		return 0;
	/* one process is enough */
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		evict_some(event, base);
	i_close_fd(&fd);
	if (is_new && percent_used(base) > REFUSE_ABOVE) {
		*error_r = t_strdup_printf(
			"%s is full of indexes in use: give its tmpfs more "
			"room, or this node fewer users",
			base);
		return -1;
	}
	return 0;
}
