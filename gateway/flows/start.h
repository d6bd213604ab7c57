/*
 * Starting the egress proxy for a run
 *
 * Makes the run's network (runtime/sandbox/network.h), starts gbx-egress with
 * listening sockets of the gateway namespace, and reads its records on a
 * thread until it ends. The proxy dies with the process that started it.
 *
 *   struct gbx_egress_options options = { .program = path, .config = config, .take = take, .userdata = run };
 *   gbx_egress_start(&egress, &options, err);
 *   … run the sandbox with "network": {"mode": "fd", "fd": gbx_egress_namespace(egress)}
 *     (and "notify_connect_fd": gbx_egress_connects(egress), for programs that know nothing of proxies)
 *     and the proxy variables of gbx_egress_environment …
 *   gbx_egress_stop(egress, err);
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

enum { GBX_EGRESS_PORT = 3128 };

struct gbx_egress;

struct gbx_egress_options {
        const char *program;      /* path of gbx-egress */
        const json_t *config;     /* config.h, without version, listen, events and control: those are set here */
        const char *control_path; /* a unix socket is made there for `gbx flows`, and removed at the end; NULL: none */
        int tokens;               /* descriptor of gbx_tokens_write: identifiers that requests must not carry; 0: none */
        uint64_t rate;            /* bytes a second of the run's cable, in each direction; 0: no limit */
        /* Called for each record as it comes, on a thread of its own; `record` is borrowed. Negative: the record could
         * not be kept, so the proxy is stopped. */
        int (*take)(void *userdata, const json_t *record);
        void *userdata;
};

int gbx_egress_start(struct gbx_egress **ret, const struct gbx_egress_options *options, struct gbx_error *err);

/* Descriptor of the job's network namespace; belongs to the object. */
int gbx_egress_namespace(const struct gbx_egress *egress);
/* Descriptor for the sandbox spec's network.notify_connect_fd (redirect.h); belongs to the object. */
int gbx_egress_connects(const struct gbx_egress *egress);
/* "10.201.0.1:3128" */
const char *gbx_egress_address(const struct gbx_egress *egress);
/* A new object with http_proxy, https_proxy, all_proxy and their upper-case forms. */
json_t *gbx_egress_environment(const struct gbx_egress *egress);

/* Ends all flows of the run and lets none in any more: the breaker of an analyst or dataset is open, or a quota that other
 * runs draw on too is used up. `signal` is one of config.h. From any thread. */
void gbx_egress_close_flows(struct gbx_egress *egress, int signal);

/* Ends the proxy and waits for its last record. 0 if it had worked until then. Frees in any case. */
int gbx_egress_stop(struct gbx_egress *egress, struct gbx_error *err);
/* The same where the result is not wanted. */
static inline void gbx_egress_stopp(struct gbx_egress **egress) {
        if (*egress)
                (void)gbx_egress_stop(*egress, NULL);
        *egress = NULL;
}
