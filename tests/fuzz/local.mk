# SPDX-License-Identifier: MIT
# Fuzz targets: fuzz-<file>.c defines LLVMFuzzerTestOneInput(). In a normal
# build replay.c runs each over its corpus/<file>/ and seeded mutations of it;
# with --enable-fuzzing (clang) libFuzzer drives them.
# A target is added by three lines (SOURCES, LDADD, FUZZ_TARGETS).
if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif
FUZZ_TARGETS =

FUZZ_TARGETS += tests/fuzz/fuzz-kv
tests_fuzz_fuzz_kv_SOURCES = tests/fuzz/fuzz-kv.c $(FUZZ_MAIN)
tests_fuzz_fuzz_kv_LDADD = libroost-base.la $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-agent-proto
tests_fuzz_fuzz_agent_proto_SOURCES = tests/fuzz/fuzz-agent-proto.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_agent_proto_LDADD = libroost-proto-agent.la libroost-base.la \
	$(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-bundle tests/fuzz/fuzz-floor
tests_fuzz_fuzz_bundle_SOURCES = tests/fuzz/fuzz-bundle.c $(FUZZ_MAIN)
tests_fuzz_fuzz_bundle_LDADD = libroost-bundle.la libroost-base.la $(CRYPTO_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_floor_SOURCES = tests/fuzz/fuzz-floor.c $(FUZZ_MAIN)
tests_fuzz_fuzz_floor_LDADD = libroost-bundle.la libroost-base.la $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-cidr
tests_fuzz_fuzz_cidr_SOURCES = tests/fuzz/fuzz-cidr.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cidr_LDADD = libroost-base.la $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz-conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDADD = libroost-base.la $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-canon tests/fuzz/fuzz-from-address \
	tests/fuzz/fuzz-key tests/fuzz/fuzz-tag-list
FUZZ_TARGETS += tests/fuzz/fuzz-record
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz-record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_LDADD = libroost-dkim.la $(FUZZ_LIBS)
tests_fuzz_fuzz_canon_SOURCES = tests/fuzz/fuzz-canon.c $(FUZZ_MAIN)
tests_fuzz_fuzz_canon_LDADD = libroost-dkim.la $(FUZZ_LIBS)
tests_fuzz_fuzz_tag_list_SOURCES = tests/fuzz/fuzz-tag-list.c $(FUZZ_MAIN)
tests_fuzz_fuzz_tag_list_LDADD = libroost-dkim.la $(FUZZ_LIBS)
tests_fuzz_fuzz_from_address_SOURCES = tests/fuzz/fuzz-from-address.c $(FUZZ_MAIN)
tests_fuzz_fuzz_from_address_LDADD = libroost-dkim.la $(FUZZ_LIBS)
tests_fuzz_fuzz_key_SOURCES = tests/fuzz/fuzz-key.c $(FUZZ_MAIN)
tests_fuzz_fuzz_key_LDADD = libroost-dkim.la $(FUZZ_LIBS)

if MILTER
FUZZ_TARGETS += tests/fuzz/fuzz-key-table tests/fuzz/fuzz-opendkim-conf
endif
tests_fuzz_fuzz_opendkim_conf_SOURCES = tests/fuzz/fuzz-opendkim-conf.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_opendkim_conf_LDADD = libroost-milter.la $(FUZZ_LIBS)
tests_fuzz_fuzz_key_table_SOURCES = tests/fuzz/fuzz-key-table.c $(FUZZ_MAIN)
tests_fuzz_fuzz_key_table_LDADD = libroost-milter.la $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-policy-request
tests_fuzz_fuzz_policy_request_SOURCES = tests/fuzz/fuzz-policy-request.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_policy_request_LDADD = libroost-proto-policy.la libroost-base.la \
	$(FUZZ_LIBS)

if POLICY
FUZZ_TARGETS += tests/fuzz/fuzz-policy-table
endif
tests_fuzz_fuzz_policy_table_SOURCES = tests/fuzz/fuzz-policy-table.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_policy_table_LDADD = $(POLICY_LIBS) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/fuzz-socketmap
tests_fuzz_fuzz_socketmap_SOURCES = tests/fuzz/fuzz-socketmap.c $(FUZZ_MAIN)
tests_fuzz_fuzz_socketmap_LDADD = libroost-proto-policy.la libroost-base.la \
	$(FUZZ_LIBS)

check_PROGRAMS += $(FUZZ_TARGETS)
if !FUZZING
TESTS += $(FUZZ_TARGETS)
endif
EXTRA_DIST += tests/fuzz/corpus
