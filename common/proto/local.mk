# SPDX-License-Identifier: MIT
# Floor 2: protocols, parsing and formatting only.
noinst_LTLIBRARIES += libroost-proto-agent.la
libroost_proto_agent_la_SOURCES = \
	common/proto/agent-proto.c common/proto/agent-proto.h

noinst_LTLIBRARIES += libroost-proto-policy.la
libroost_proto_policy_la_SOURCES = \
	common/proto/policy-request.c common/proto/policy-request.h \
	common/proto/socketmap.c common/proto/socketmap.h
