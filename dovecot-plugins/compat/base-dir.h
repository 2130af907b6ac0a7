/* SPDX-License-Identifier: MIT */
/*
 * base-dir: Dovecot's base_dir, in a process that has read its settings.
 */
#ifndef ROOST_BASE_DIR_H
#define ROOST_BASE_DIR_H

#include "master-service.h"
#include "master-service-settings.h"

static inline const char *roost_base_dir(void)
{
#if ROOST_DOVECOT_24
	return master_service_get_service_settings(master_service)->base_dir;
#else
	return master_service_settings_get(master_service)->base_dir;
#endif
}

#endif
