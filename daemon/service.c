/* SPDX-License-Identifier: MIT */
/* service: tells systemd (Type=notify) what the daemon is doing. */
#include "daemon/service.h"

#include "roost-config.h"

#ifdef HAVE_SYSTEMD
#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void roost_service_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void roost_service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
			 (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void roost_service_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}
#else
void roost_service_ready(void)
{
}

void roost_service_reloading(void)
{
}

void roost_service_stopping(void)
{
}
#endif
