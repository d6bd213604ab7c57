/*
 * One execution of a job: what an executor is given and what it gives back
 *
 * Whatever a job prints is not passed on: standard output is thrown away and
 * of standard error only the size is kept. What an analyst may learn of a
 * failure is a word of words.h.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/run/words.h"
#include "policy/policy.h"
#include "runtime/vault/delivery.h"

#include <jansson.h>
#include <stdint.h>

struct gbx_execution_limits {
        uint64_t wall_ms, cpu_ms, memory_bytes, processes, open_files, output_bytes, output_files, scratch_bytes;
        uint64_t cpu_percent; /* 0: no cap */
};

struct gbx_execution {
        int site;           /* the site's directory */
        const char *id;     /* of the run: names sandbox and cgroup */
        const char *engine; /* "lua" or "native" */
        const struct gbx_buffer *program;
        const json_t *parameters; /* object, becomes /job/params.json */
        const json_t *datasets;   /* array of rows of the view's table dataset */
        struct gbx_execution_limits limits;
        struct gbx_policy_sandbox sandbox;
        bool dummy; /* deliver dummy twins (dummy.h) in place of the data; no key is touched */
        int network;               /* descriptor of a prepared network namespace; 0: the job gets an empty one */
        int connects;              /* answers connect(2) of a native job (egress/redirect.h); used with `network` only */
        const char *hosts;         /* becomes /etc/hosts; NULL: the image's own */
        const json_t *environment; /* of the job, beside TZ; NULL: nothing */
        const char *trust;         /* PEM, becomes /job/trust.pem; NULL: none */
        int cancel;                /* once it can be read, the job is ended as cancelled (base/interrupt.h); 0: it cannot be */
        void (*progress)(void *userdata, double fraction); /* in tenths, rising; NULL: it is not passed on */
        void *userdata;
};

struct gbx_execution_result {
        json_t *sandbox;          /* the report of gbx-sandbox (docs/sandbox.md) */
        struct gbx_job_end end;   /* what the Lua host said of its end; nothing of a native program */
        struct gbx_delivery *out; /* sealed /out */
        size_t error_bytes;       /* what the job wrote to standard error */
        char *image;              /* digest of the image it ran in */
};

/* The limits that a policy sets. */
struct gbx_execution_limits gbx_execution_limits(const struct gbx_policy *policy);

void gbx_execution_result_free(struct gbx_execution_result *result);
