/* SPDX-License-Identifier: MIT */
/* ctl-json: the little JSON that roostctl prints. */
#include "tools/ctl-json.h"

#include <stdio.h>
#include <string.h>

bool roost_ctl_json_option(int *argc, char *argv[])
{
	int i;

	for (i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") != 0)
			continue;
		memmove(&argv[i], &argv[i + 1],
			(size_t)(*argc - i) * sizeof(argv[0]));
		(*argc)--;
		return true;
	}
	return false;
}

void roost_ctl_json_string(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}
