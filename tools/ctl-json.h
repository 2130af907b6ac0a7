/* SPDX-License-Identifier: MIT */
/* ctl-json: the little JSON that roostctl prints. */
#ifndef ROOST_TOOLS_CTL_JSON_H
#define ROOST_TOOLS_CTL_JSON_H

#include <stdbool.h>

/* Takes --json out of the arguments; whether it was there. */
bool roost_ctl_json_option(int *argc, char *argv[]);

/* Prints a string with its quotes; bytes that are no ASCII as \u00XX. */
void roost_ctl_json_string(const char *text);

#endif
