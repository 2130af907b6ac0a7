/* SPDX-License-Identifier: MIT */
/* epoch-file: read at each open, written once per change of owner. */
#include "dovecot-plugins/mail/roost-mail.h"
#include "common/bundle/epoch-record.h"
#include "dovecot-plugins/mail/epoch-file.h"
#include "dovecot-plugins/mail/store-file.h"
#include "hostpid.h"
#include "write-full.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void log_file(struct mail_user *user, struct roost_user *ruser,
		     const char *name, const char *reason)
{
	e_warning(event_create_passthrough(user->event)
			  ->set_name(name)
			  ->add_str("node", ruser->node)
			  ->add_str("reason", reason)
			  ->event(),
		  "%s: %s", name, reason);
}

/* 1, 0 if there is none to trust, -1 if there is and it cannot be read. */
static int epoch_read(struct mail_user *user, struct roost_user *ruser,
		      const char *home, uint64_t *epoch_r, const char **error_r)
{
	char data[ROOST_EPOCH_RECORD_SIZE];
	struct roost_err err;
	ssize_t size;
	int fd, ret;

	ret = roost_store_file_open(home, ROOST_EPOCH_FILE_NAME, &fd, &err);
	if (ret < 0)
		*error_r = t_strdup(err.msg);
	if (ret <= 0)
		return ret;
	size = read(fd, data, sizeof(data));
	if (size < 0)
		*error_r = t_strdup_printf(
			"%s/" ROOST_EPOCH_FILE_NAME ": read: %m", home);
	i_close_fd(&fd);
	if (size < 0)
		return -1;
	if (roost_epoch_record_parse(data, (size_t)size, epoch_r, &err) == 0)
		return 1;
	log_file(user, ruser, "roost_epoch_not_trusted",
		 t_strdup_printf("%s/" ROOST_EPOCH_FILE_NAME ": %s", home,
				 err.msg));
	return 0;
}

static int epoch_write(struct roost_user *ruser, const char *home,
		       struct roost_err *err)
{
	char data[ROOST_EPOCH_RECORD_SIZE];
	const char *tmp_path = NULL;
	const char *unique = t_strdup_printf("%s.%s", ruser->node, my_pid);
	size_t size;
	int fd;

	size = roost_epoch_record_format(roost_session_epoch(ruser->session),
					 data);
	if (roost_store_file_create(home, ROOST_EPOCH_FILE_NAME, unique,
				    &tmp_path, &fd, err) < 0)
		return -1;
	if (write_full(fd, data, size) < 0) {
		(void)roost_err_set(err, "%s: write: %s", tmp_path,
				    strerror(errno));
		i_close_fd(&fd);
		(void)unlink(tmp_path);
		return -1;
	}
	return roost_store_file_publish(home, ROOST_EPOCH_FILE_NAME, tmp_path,
					&fd, ruser->session, err);
}

int roost_epoch_file_check(struct mail_user *user, struct roost_user *ruser,
			   const char **error_r)
{
	uint64_t ours = roost_session_epoch(ruser->session), theirs = 0;
	struct roost_err err;
	const char *home;
	struct stat st;
	int ret;

	/* a cluster of one has nobody to compare with */
	if (ruser->public_name != NULL || *ruser->set->roost_redis == '\0')
		return 0;
	ret = mail_user_get_home(user, &home);
	if (ret < 0)
		*error_r = "the user's home cannot be looked up";
	if (ret <= 0)
		return ret;
	if (epoch_read(user, ruser, home, &theirs, error_r) < 0)
		return -1;
	if (theirs > ours) {
		*error_r = t_strdup_printf(
			"%s/" ROOST_EPOCH_FILE_NAME ": opened since under "
			"epoch %" PRIu64 ", this node's is %" PRIu64,
			home, theirs, ours);
		return -1;
	}
	if (theirs == ours || stat(home, &st) < 0)
		return 0;
	if (epoch_write(ruser, home, &err) < 0)
		log_file(user, ruser, "roost_epoch_not_written", err.msg);
	return 0;
}
