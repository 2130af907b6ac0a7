# SPDX-License-Identifier: MIT
# The lease protocol, searched through exhaustively (README.md here).
check_PROGRAMS += tests/model/model-lease
TESTS += tests/model/model-lease
EXTRA_DIST += tests/model/README.md
tests_model_model_lease_SOURCES = tests/model/model-search.c \
	tests/model/model-node.c tests/model/model-redis.c tests/model/model.h
tests_model_model_lease_LDADD = libroost-rules-pin.la
