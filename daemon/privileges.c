/* SPDX-License-Identifier: MIT */
/* privileges: becoming another user for good, and the descriptor limit. */
#include "roost-config.h"

#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Whether all ids are the new ones and root cannot come back. */
static bool is_dropped(const struct passwd *pw)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (getresuid(&ruid, &euid, &suid) < 0 ||
	    getresgid(&rgid, &egid, &sgid) < 0)
		return false;
	if (ruid != pw->pw_uid || euid != pw->pw_uid || suid != pw->pw_uid ||
	    rgid != pw->pw_gid || egid != pw->pw_gid || sgid != pw->pw_gid)
		return false;
	return pw->pw_uid == 0 || (setuid(0) < 0 && seteuid(0) < 0);
}

static struct passwd *find_user(const char *user, struct roost_err *err)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL)
		roost_err_set(err, "user '%s': %s", user,
			      errno == 0 ? "does not exist" : strerror(errno));
	return pw;
}

int roost_privileges_check(const char *user, struct roost_err *err)
{
	return geteuid() != 0 || find_user(user, err) != NULL ? 0 : -1;
}

int roost_privileges_drop(const char *user, struct roost_err *err)
{
	struct passwd *pw;

	if (geteuid() == 0) {
		pw = find_user(user, err);
		if (pw == NULL)
			return -1;
		if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
		    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
			return roost_err_set(err, "cannot become user '%s': %s",
					     user, strerror(errno));
		if (!is_dropped(pw))
			return roost_err_set(err,
					     "still has privileges after "
					     "becoming user '%s'",
					     user);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return roost_err_set(err, "cannot forbid new privileges: %s",
				     strerror(errno));
	return 0;
}

long roost_privileges_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			limit.rlim_cur = before;
	}
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 1048576)
		return 1048576;
	return (long)limit.rlim_cur;
}
