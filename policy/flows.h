/*
 * The flows that a policy grants: `network: flows` and a list `flows:`
 *
 *   flows:
 *     - name: scores
 *       scheme: https
 *       host: api.example.com
 *       tls: { mode: inspect }
 *       methods: [POST]
 *       paths: ["/v1/"]
 *       request-types: [application/json]
 *       scan: yes
 *
 * docs/egress.md explains each key. The list becomes the JSON form that
 * flow_rule.h reads, so that a policy and a running proxy cannot differ in what
 * a rule means; what that refuses is a problem of the policy file.
 */
#pragma once

#include "policy/policy.h"

struct gbx_policy_flow_tls {
        unsigned mode; /* 0: not given, else 1 + enum gbx_flow_tls */
        struct gbx_texts pins;
        char *client_certificate;
};

struct gbx_policy_flow_window {
        struct gbx_texts days;
        char *from, *to;
};

struct gbx_policy_flow {
        char *name;
        unsigned scheme; /* enum gbx_flow_scheme */
        char *host;
        uint64_t port; /* 0: the scheme's own */
        struct gbx_texts methods, paths, request_types, response_types, addresses;
        bool scan, hash_path, digest_responses;
        struct gbx_policy_flow_tls tls;
        struct gbx_policy_flow_window window;
        uint64_t body_bytes, request_bytes, response_bytes, request_bytes_day, response_bytes_day;
        uint64_t rate, connections, connections_run, connections_day, names, breaker_failures;
};

extern const struct gbx_yaml_field gbx_policy_flow_fields[];
extern const struct gbx_yaml_field gbx_policy_flow_breakers_fields[], gbx_policy_flow_quotas_fields[];

/* The rules as a JSON array (flow_rule.h); empty without flows. */
int gbx_policy_flows_to_json(const struct gbx_policy *policy, json_t **ret, struct gbx_error *err);

/* Adds a problem for each flow whose fields do not go together. */
int gbx_policy_flows_check(const struct gbx_policy *policy, const struct gbx_yaml_node *flows, struct gbx_problems *problems,
                           struct gbx_error *err);
