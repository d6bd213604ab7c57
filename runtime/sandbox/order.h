/*
 * One job for a prepared sandbox
 *
 * A pool's sandbox is made from a spec ahead of its job. What only the job
 * knows comes as an order: one message on a SOCK_SEQPACKET socket, a JSON
 * object with the descriptors beside it (SCM_RIGHTS). Descriptors are named by
 * their place in that list, from 0:
 *
 *   { "version": 1, "name": "block-17", "argv": [...], "env": {...},
 *     "mounts": [ { "target": "/data", "fd": 0 } ],
 *     "pass_fds": { "3": 1 }, "stdin": null, "stdout": 2, "stderr": null }
 *
 * Only version is mandatory; argv and env default to the spec's, descriptors
 * to /dev/null. A target must be one of the spec's "later" mounts. The order
 * lives in memory that launcher and init share, so it holds no pointers.
 */
#pragma once

#include "base/error.h"
#include "runtime/sandbox/spec.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_ORDER_LIMIT = 64 * 1024, /* bytes of JSON */
        GBX_ORDER_TEXT = 64 * 1024,
        GBX_ORDER_DESCRIPTORS = 32, /* beside one order */
};

struct gbx_order {
        char name[65]; /* "" for the spec's */
        size_t mount_count;
        struct {
                size_t mount; /* of spec->mounts */
                int position;
        } mounts[GBX_SPEC_MAX_MOUNTS];
        size_t descriptor_count;
        struct {
                int inside;
                int position; /* GBX_SPEC_CLOSED: /dev/null */
        } descriptors[GBX_SPEC_MAX_DESCRIPTORS + 3];
        size_t argument_count, environment_count; /* 0: as the spec says */
        size_t text_size;
        char text[GBX_ORDER_TEXT]; /* the arguments, then the environment, zero-terminated each */
};

/* `descriptor_count` came with the message. -EINVAL with the field's path. */
int gbx_order_parse(struct gbx_order *ret_order, const struct gbx_spec *spec, const char *text, size_t size,
                    size_t descriptor_count, struct gbx_error *err);

/* Points a spec's argv, environment and descriptors to what the order says; `received` are the descriptors. */
void gbx_order_apply(struct gbx_order *order, struct gbx_spec *spec, const int *received);
