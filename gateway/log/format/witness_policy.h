/*
 * Which witnesses must have seen a checkpoint (C2SP tlog-policy)
 *
 *   log VKEY [URL]
 *   witness NAME VKEY [URL]
 *   group NAME K|any|all MEMBER...
 *   quorum NAME|none
 *
 * A line each; lines that begin with '#' are comments. Members are witnesses
 * or groups named above, each a member at most once. One quorum line is required.
 * Where logs are listed, one of them must have signed the checkpoint.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/format/note.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_POLICY_LOGS_MAX = 64,
        GBX_POLICY_WITNESSES_MAX = 64,
        GBX_POLICY_GROUPS_MAX = 64,
        GBX_POLICY_URL_SIZE = 512,
        GBX_POLICY_NAME_SIZE = 128,
        GBX_POLICY_NODES_MAX = GBX_POLICY_WITNESSES_MAX + GBX_POLICY_GROUPS_MAX,
};

struct gbx_policy_log {
        struct gbx_note_verifier verifier;
        char url[GBX_POLICY_URL_SIZE]; /* "" if the line has none */
};

/* A witness, or a group over the nodes before it. */
struct gbx_policy_node {
        char name[GBX_POLICY_NAME_SIZE];
        bool group;
        struct gbx_note_verifier verifier; /* of a witness; of type GBX_NOTE_COSIGNATURE */
        char url[GBX_POLICY_URL_SIZE];
        bool member;                       /* of some group */
        unsigned threshold;                /* of a group */
        bool members[GBX_POLICY_NODES_MAX];
};

struct gbx_witness_policy {
        size_t log_count, node_count;
        struct gbx_policy_log logs[GBX_POLICY_LOGS_MAX];
        struct gbx_policy_node nodes[GBX_POLICY_NODES_MAX];
        int quorum; /* index of a node; -1 for "none" */
};

/* Reads a policy. -EINVAL names the line. */
int gbx_witness_policy_parse(const char *text, size_t size, struct gbx_witness_policy *ret, struct gbx_error *err);

struct gbx_witness_count {
        size_t witnesses, cosigned; /* of the whole policy */
        uint64_t newest;            /* time of the newest cosignature, seconds since 1970; 0 if there is none */
};

/* Checks the signatures of a note. 0: the quorum is met. GBX_WITNESS_SHORT: it is not; `err` gets a message
 * that names the witnesses that are missing. -EBADMSG: a wrong cosignature, or none of the policy's logs signed. `ret_count` (may be NULL) is set
 * for both outcomes. */
enum { GBX_WITNESS_SHORT = 1 };
int gbx_witness_policy_check(const struct gbx_witness_policy *policy, const struct gbx_note *note,
                             struct gbx_witness_count *ret_count, struct gbx_error *err);
