# SPDX-License-Identifier: MIT
# Fuzz targets: fuzz-<file>.c defines LLVMFuzzerTestOneInput(). In a normal
# build replay.c runs each over its corpus/<file>/ and seeded mutations of it;
# with --enable-fuzzing (clang) libFuzzer drives them.
# A target is added by three lines (SOURCES, LDADD, FUZZ_TARGETS).
if FUZZING
FUZZ_MAIN =
FUZZ_LIBS = -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
FUZZ_LIBS =
endif
FUZZ_TARGETS =

check_PROGRAMS += $(FUZZ_TARGETS)
if !FUZZING
TESTS += $(FUZZ_TARGETS)
endif
EXTRA_DIST += tests/fuzz/corpus
