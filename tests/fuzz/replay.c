/* SPDX-License-Identifier: MIT */
/*
 * replay: runs a fuzz target over its corpus without a fuzzing engine, so
 * that every build and every CI run does. Each corpus file is given as it is,
 * then cut at several lengths, then with seeded random changes. The corpus is
 * $srcdir/tests/fuzz/corpus/<name of the program without "fuzz-">, or the
 * files named as arguments (to look at one crash). Speaks TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1024 * 1024)
#define MUTATIONS 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed;

static uint64_t next_random(void)
{
	/* splitmix64 */
	uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* The target gets exactly `size` bytes of heap: sanitizers see any overrun. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void mutate(const uint8_t *data, size_t size, uint8_t *out)
{
	static const uint8_t special[] = "\0\t\n\r\\\"=;:<>@, \xff\x7f";
	unsigned int changes = 1 + (unsigned int)(next_random() % 8);

	memcpy(out, data, size);
	while (changes-- > 0 && size > 0) {
		size_t at = (size_t)(next_random() % size);

		switch (next_random() % 4) {
		case 0:
			out[at] ^= (uint8_t)(1U << (next_random() % 8));
			break;
		case 1:
			out[at] = (uint8_t)next_random();
			break;
		case 2:
			out[at] = special[next_random() % 16];
			break;
		default: {
			size_t from = (size_t)(next_random() % size);
			size_t n = size - (at > from ? at : from);

			memmove(out + at, out + from, n > 16 ? 16 : n);
		}
		}
	}
}

static int replay(const char *path)
{
	static uint8_t data[INPUT_MAX], changed[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t size;
	int i;

	if (f == NULL) {
		printf("# %s: %s\n", path, strerror(errno));
		return -1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
	for (i = 1; i <= 16; i++)
		run(data, size * (size_t)i / 17);
	for (i = 0; i < MUTATIONS; i++) {
		mutate(data, size, changed);
		run(changed, size);
	}
	return 0;
}

static int replay_corpus(const char *name)
{
	const char *srcdir = getenv("srcdir");
	char dirname[2048], path[4096];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(dirname, sizeof(dirname), "%s/tests/fuzz/corpus/%s",
		 srcdir == NULL ? "." : srcdir, name);
	dir = opendir(dirname);
	if (dir == NULL) {
		printf("# %s: %s\n", dirname, strerror(errno));
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dirname, entry->d_name);
		if (replay(path) == 0)
			count++;
	}
	closedir(dir);
	return count;
}

int main(int argc, char *argv[])
{
	const char *name = strrchr(argv[0], '/');
	int count = 0, i;

	name = name == NULL ? argv[0] : name + 1;
	if (strncmp(name, "lt-", 3) == 0)
		name += 3;
	if (strncmp(name, "fuzz-", 5) == 0)
		name += 5;
	if (getenv("ROOST_FUZZ_SEED") != NULL)
		seed = strtoull(getenv("ROOST_FUZZ_SEED"), NULL, 0);
	printf("1..1\n# seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	if (argc > 1) {
		for (i = 1; i < argc; i++)
			count += replay(argv[i]) == 0 ? 1 : 0;
	} else {
		count = replay_corpus(name);
	}
	/* an empty corpus tests nothing: a failure */
	printf("%s 1 - %s: %d inputs replayed\n", count > 0 ? "ok" : "not ok",
	       name, count);
	return count > 0 ? 0 : 1;
}
