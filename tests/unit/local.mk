# SPDX-License-Identifier: MIT
# Unit tests of common/ and daemon/: cmocka, tables of named cases.
TESTS += tests/unit/test-check-floors.sh
EXTRA_DIST += tests/unit/test-check-floors.sh
TESTS += tests/unit/test-man.sh
EXTRA_DIST += tests/unit/test-man.sh tests/unit/manual-check.h
if CMOCKA
TEST_UNIT_LIBS = $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test-buf
TESTS += tests/unit/test-buf
tests_unit_test_buf_SOURCES = tests/unit/test-buf.c
tests_unit_test_buf_LDADD = libroost-base.la $(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-kv tests/unit/test-agent-proto \
	tests/unit/test-lease-page
TESTS += tests/unit/test-kv tests/unit/test-agent-proto \
	tests/unit/test-lease-page
tests_unit_test_kv_SOURCES = tests/unit/test-kv.c
tests_unit_test_kv_LDADD = libroost-base.la $(TEST_UNIT_LIBS)
tests_unit_test_agent_proto_SOURCES = tests/unit/test-agent-proto.c
tests_unit_test_agent_proto_LDADD = libroost-proto-agent.la libroost-base.la \
	$(TEST_UNIT_LIBS)
tests_unit_test_lease_page_SOURCES = tests/unit/test-lease-page.c
tests_unit_test_lease_page_LDADD = libroost-lease-page.la libroost-base.la \
	$(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-bundle tests/unit/test-floor
TESTS += tests/unit/test-bundle tests/unit/test-floor
tests_unit_test_bundle_SOURCES = tests/unit/test-bundle.c
tests_unit_test_bundle_LDADD = libroost-bundle.la libroost-base.la $(TEST_UNIT_LIBS)
tests_unit_test_floor_SOURCES = tests/unit/test-floor.c
tests_unit_test_floor_LDADD = libroost-bundle.la libroost-base.la $(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-cidr
TESTS += tests/unit/test-cidr
tests_unit_test_cidr_SOURCES = tests/unit/test-cidr.c
tests_unit_test_cidr_LDADD = libroost-base.la $(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-conf
TESTS += tests/unit/test-conf
tests_unit_test_conf_SOURCES = tests/unit/test-conf.c
tests_unit_test_conf_LDADD = libroost-base.la $(TEST_UNIT_LIBS)
check_PROGRAMS += tests/unit/test-user-key
TESTS += tests/unit/test-user-key
tests_unit_test_user_key_SOURCES = tests/unit/test-user-key.c
tests_unit_test_user_key_LDADD = libroost-rules-pin.la $(TEST_UNIT_LIBS)
check_PROGRAMS += tests/unit/test-lease tests/unit/test-placement
TESTS += tests/unit/test-lease tests/unit/test-placement
tests_unit_test_lease_SOURCES = tests/unit/test-lease.c
tests_unit_test_lease_LDADD = libroost-rules-pin.la $(TEST_UNIT_LIBS)
tests_unit_test_placement_SOURCES = tests/unit/test-placement.c
tests_unit_test_placement_LDADD = libroost-rules-pin.la $(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-dkim-canon tests/unit/test-dkim-parse \
	tests/unit/test-dkim-sign
TESTS += tests/unit/test-dkim-canon tests/unit/test-dkim-parse \
	tests/unit/test-dkim-sign
tests_unit_test_dkim_canon_SOURCES = tests/unit/test-dkim-canon.c
tests_unit_test_dkim_canon_LDADD = libroost-dkim.la $(TEST_UNIT_LIBS)
check_PROGRAMS += tests/unit/test-dkim-record
TESTS += tests/unit/test-dkim-record
tests_unit_test_dkim_record_SOURCES = tests/unit/test-dkim-record.c
tests_unit_test_dkim_record_LDADD = libroost-dkim.la $(TEST_UNIT_LIBS)
tests_unit_test_dkim_parse_SOURCES = tests/unit/test-dkim-parse.c
tests_unit_test_dkim_parse_LDADD = libroost-dkim.la $(TEST_UNIT_LIBS)
tests_unit_test_dkim_sign_SOURCES = tests/unit/test-dkim-sign.c
tests_unit_test_dkim_sign_LDADD = libroost-dkim.la $(TEST_UNIT_LIBS)

if MILTER
check_PROGRAMS += tests/unit/test-milter-keys tests/unit/test-milter-manual \
	tests/unit/test-milter-message
TESTS += tests/unit/test-milter-keys tests/unit/test-milter-manual \
	tests/unit/test-milter-message
check_PROGRAMS += tests/unit/test-milter-opendkim
TESTS += tests/unit/test-milter-opendkim
tests_unit_test_milter_opendkim_SOURCES = tests/unit/test-milter-opendkim.c
tests_unit_test_milter_opendkim_LDADD = libroost-milter.la $(TEST_UNIT_LIBS)
tests_unit_test_milter_manual_SOURCES = tests/unit/test-milter-manual.c
tests_unit_test_milter_manual_LDADD = libroost-milter.la $(TEST_UNIT_LIBS)
tests_unit_test_milter_keys_SOURCES = tests/unit/test-milter-keys.c
tests_unit_test_milter_keys_LDADD = libroost-milter.la $(TEST_UNIT_LIBS)
tests_unit_test_milter_message_SOURCES = tests/unit/test-milter-message.c
tests_unit_test_milter_message_LDADD = libroost-milter.la $(TEST_UNIT_LIBS)
endif

check_PROGRAMS += tests/unit/test-policy-request
TESTS += tests/unit/test-policy-request
tests_unit_test_policy_request_SOURCES = tests/unit/test-policy-request.c
tests_unit_test_policy_request_LDADD = libroost-proto-policy.la libroost-base.la \
	$(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-socketmap
TESTS += tests/unit/test-socketmap
tests_unit_test_socketmap_SOURCES = tests/unit/test-socketmap.c
tests_unit_test_socketmap_LDADD = libroost-proto-policy.la libroost-base.la \
	$(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-ratelimit
TESTS += tests/unit/test-ratelimit
tests_unit_test_ratelimit_SOURCES = tests/unit/test-ratelimit.c
tests_unit_test_ratelimit_LDADD = libroost-rules-relay.la libroost-base.la \
	$(TEST_UNIT_LIBS)

check_PROGRAMS += tests/unit/test-relay
TESTS += tests/unit/test-relay
tests_unit_test_relay_SOURCES = tests/unit/test-relay.c
tests_unit_test_relay_LDADD = libroost-rules-relay.la libroost-base.la \
	$(TEST_UNIT_LIBS)

if POLICY
check_PROGRAMS += tests/unit/test-policy-table
TESTS += tests/unit/test-policy-table
tests_unit_test_policy_table_SOURCES = tests/unit/test-policy-table.c
tests_unit_test_policy_table_LDADD = $(POLICY_LIBS) $(TEST_UNIT_LIBS)
check_PROGRAMS += tests/unit/test-policy-networks
TESTS += tests/unit/test-policy-networks
check_PROGRAMS += tests/unit/test-policy-manual
TESTS += tests/unit/test-policy-manual
tests_unit_test_policy_manual_SOURCES = tests/unit/test-policy-manual.c
tests_unit_test_policy_manual_LDADD = $(POLICY_LIBS) $(TEST_UNIT_LIBS)
tests_unit_test_policy_networks_SOURCES = tests/unit/test-policy-networks.c
tests_unit_test_policy_networks_LDADD = $(POLICY_LIBS) $(TEST_UNIT_LIBS)
endif
else
check-local: no-cmocka
no-cmocka:
	@echo 'make check needs cmocka: run build-aux/install-deps, then configure again' >&2
	@exit 1
endif
