/* SPDX-License-Identifier: MIT */
/* ctl-explain: what roost-policyd would answer, and by which rule. */
#include <stdio.h>
#include <unistd.h>

#include "policy/policy-snapshot.h"
#include "tools/ctl-json.h"
#include "tools/ctl.h"

#define OVERRIDES_MAX 64

static void print_result(const struct roost_relay_result *result, bool observe)
{
	char network[ROOST_CIDR_TEXT_MAX];

	printf("verdict  %s\nrule     %s\n",
	       roost_relay_verdict_name(result->verdict), result->rule);
	if (result->has_network)
		printf("network  %s\n",
		       roost_cidr_format(&result->network, network));
	printf("mode     %s\n", observe ? "observe" : "enforce");
	printf("answer   %s\n", roost_relay_reply(observe ? ROOST_RELAY_DUNNO
							  : result->verdict));
}

static void print_json(const struct roost_relay_result *result, bool observe)
{
	char network[ROOST_CIDR_TEXT_MAX];

	printf("{\"verdict\":\"%s\",\"rule\":\"%s\",",
	       roost_relay_verdict_name(result->verdict), result->rule);
	if (result->has_network)
		printf("\"network\":\"%s\",",
		       roost_cidr_format(&result->network, network));
	printf("\"mode\":\"%s\",\"answer\":\"%s\"}\n",
	       observe ? "observe" : "enforce",
	       roost_relay_reply(observe ? ROOST_RELAY_DUNNO
					 : result->verdict));
}

/* The attributes of the command line; what a request always has is filled
   in. */
static int read_request(struct roost_policy_request *request, char *argv[],
			int count, struct roost_err *err)
{
	int i;

	roost_policy_request_reset(request);
	for (i = 0; i < count; i++) {
		if (roost_policy_request_set(request, argv[i], err) < 0)
			return -1;
	}
	if (request->value[ROOST_POLICY_REQUEST] == NULL)
		request->value[ROOST_POLICY_REQUEST] = "smtpd_access_policy";
	if (request->value[ROOST_POLICY_PROTOCOL_STATE] == NULL)
		request->value[ROOST_POLICY_PROTOCOL_STATE] = "RCPT";
	return 0;
}

int roost_ctl_explain(int argc, char *argv[])
{
	const char *overrides[OVERRIDES_MAX], *path = NULL;
	struct roost_policy_snapshot *snapshot = NULL;
	struct roost_policy_request request;
	struct roost_relay_result result;
	struct roost_conf *conf = NULL;
	struct roost_err err;
	size_t count = 0;
	int c, status = 2;
	bool masked, json = roost_ctl_json_option(&argc, argv);

	while ((c = getopt(argc, argv, "c:o:")) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == 'o' && count < OVERRIDES_MAX)
			overrides[count++] = optarg;
		else
			return -1;
	}
	if (optind == argc)
		return -1;
	if (read_request(&request, argv + optind, argc - optind, &err) == 0)
		conf = roost_ctl_load_policy(path, overrides, count, &err);
	if (conf != NULL)
		snapshot = roost_policy_snapshot_new(conf, &err);
	if (snapshot != NULL &&
	    roost_policy_snapshot_decide(snapshot, &request, &result, &masked,
					 &err) == 0)
		status = 0;
	if (status == 0 && json)
		print_json(&result, roost_policy_snapshot_observes(snapshot));
	else if (status == 0)
		print_result(&result, roost_policy_snapshot_observes(snapshot));
	else
		fprintf(stderr, "roostctl explain: %s\n", err.msg);
	roost_policy_snapshot_free(&snapshot);
	roost_conf_free(&conf);
	return status;
}
