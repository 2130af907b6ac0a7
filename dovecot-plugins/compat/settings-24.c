/* SPDX-License-Identifier: MIT */
/*
 * settings-24: Roost's settings on Dovecot 2.4, where they are ordinary
 * settings.
 */
#include "lib.h"
#include "settings.h"
#include "master-service.h"
#include "master-service-settings.h"
#include "mail-user.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/compat/settings-24.h"

int roost_settings_read_service(struct master_service *service,
				const struct roost_settings **set_r,
				const char **error_r)
{
	if (master_service_settings_read_simple(service, error_r) < 0)
		return -1;
	return settings_get(master_service_get_event(service),
			    &roost_setting_parser_info, 0, set_r, error_r);
}

int roost_settings_get_user(struct mail_user *user,
			    const struct roost_settings **set_r,
			    const char **error_r)
{
	return settings_get(user->event, &roost_setting_parser_info, 0, set_r,
			    error_r);
}
