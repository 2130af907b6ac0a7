/* SPDX-License-Identifier: MIT */
/* service: tells systemd (Type=notify) what the daemon is doing; nothing
   happens elsewhere or when built without libsystemd. */
#ifndef ROOST_DAEMON_SERVICE_H
#define ROOST_DAEMON_SERVICE_H

void roost_service_ready(void);
void roost_service_reloading(void); /* followed by roost_service_ready() */
void roost_service_stopping(void);

#endif
