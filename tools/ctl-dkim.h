/* SPDX-License-Identifier: MIT */
/*
 * ctl-dkim: the commands of "roostctl dkim"; each returns an exit status, or -1
 * for a wrong command line.
 */
#ifndef ROOST_TOOLS_CTL_DKIM_H
#define ROOST_TOOLS_CTL_DKIM_H

int roost_ctl_dkim_genkey(int argc, char *argv[]);
int roost_ctl_dkim_dns(int argc, char *argv[]);
int roost_ctl_dkim_check(int argc, char *argv[]);
int roost_ctl_dkim_test(int argc, char *argv[]);
int roost_ctl_dkim_verify(int argc, char *argv[]);

#endif
