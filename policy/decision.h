/*
 * Decisions: pure functions of (policy, request, state)
 *
 * Whoever acts asks here first and records the verdict. A request can be
 * written as JSON and read back, so that the log can be replayed: the same
 * policy and the same request give the same verdict, at any time, on any
 * machine. Nothing here reads a clock, a file or a database.
 *
 * A verdict holds all reasons, not just the first: each a stable code (for
 * programs) and a sentence (for people).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "policy/approval.h"
#include "policy/finding.h"
#include "policy/policy.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum gbx_role {
        GBX_ROLE_ANALYST = 1 << 0,
        GBX_ROLE_REVIEWER = 1 << 1,
        GBX_ROLE_ADMIN = 1 << 2,
        GBX_ROLE_AUDITOR = 1 << 3,
        GBX_ROLE_OWNER = 1 << 4,
};

/* "analyst,reviewer" to bits. -EINVAL for an unknown, repeated or missing role. */
int gbx_roles_parse(const char *text, unsigned *ret_roles, struct gbx_error *err);

/* The reverse, appended; nothing for no role. */
int gbx_roles_text(unsigned roles, struct gbx_buffer *buffer, struct gbx_error *err);

/* How far a right goes. */
enum gbx_scope {
        GBX_SCOPE_ALL, /* whatever it concerns */
        GBX_SCOPE_OWN, /* what concerns the caller alone: own datasets, algorithms, runs and those on own data */
};

/* Whether somebody with these roles may do `action`, a noun and a verb: "algo submit", "audit verify" (the table is in
 * decision_action.c). 0: allowed. -EKEYREJECTED: not, and the message says which roles may; an action that is not in
 * the table is allowed to nobody. */
int gbx_decide_action(unsigned roles, const char *action, struct gbx_error *err);
/* The same, and how far. Whoever allows GBX_SCOPE_OWN must look at whose it is. */
int gbx_decide_scope(unsigned roles, const char *action, enum gbx_scope *ret_scope, struct gbx_error *err);

/* A row of the table. */
struct gbx_action_rule {
        const char *action;
        unsigned all, own; /* roles, by scope */
        bool open;         /* nobody is asked: no site is needed, or what is told is public */
};

/* Row `index`; false behind the last. For help, replay and tests, which go through all of them. */
bool gbx_action_at(size_t index, struct gbx_action_rule *ret);

enum gbx_outcome {
        GBX_OUTCOME_ALLOWED, /* of a run */
        GBX_OUTCOME_DENIED,
        GBX_OUTCOME_RELEASE, /* of outputs */
        GBX_OUTCOME_HOLD,
        GBX_OUTCOME_REFUSE,
};
const char *gbx_outcome_name(enum gbx_outcome outcome); /* "allowed", "denied", "release", "hold", "refuse" */

struct gbx_reason {
        const char *code; /* static: "too-few-approvals" */
        char *text;       /* "1 of 2 approvals by other reviewers" */
};

struct gbx_verdict {
        enum gbx_outcome outcome;
        struct gbx_reason *reasons;
        size_t count;
};
void gbx_verdict_free(struct gbx_verdict *verdict);

/* {"outcome":"denied","reasons":[{"code":…,"text":…}]} */
int gbx_verdict_json(const struct gbx_verdict *verdict, json_t **ret, struct gbx_error *err);
/* The reverse, strict: -EINVAL for an outcome or a code that no decision gives. */
int gbx_verdict_from_json(const json_t *json, struct gbx_verdict *ret, struct gbx_error *err);

/* --- may this run start? ---------------------------------------------------- */

struct gbx_run_dataset {
        char *name;
        uint64_t version;
        char *digest; /* of the version's manifest, "sha256:…" */
        char *owner;
        bool available; /* neither revoked nor destroyed */
};

struct gbx_run_approval {
        char *reviewer;     /* the principal who gave it */
        unsigned roles;     /* of the reviewer now */
        char *key;          /* the reviewer's public key line now; NULL: removed */
        uint64_t key_since; /* the entry since which the reviewer is active with this key */
        char *statement;    /* the bytes that were signed */
        char *signature;    /* armored SSHSIG */
        uint64_t seq;       /* the entry that recorded it */
        bool revoked;       /* withdrawn, by reviewer or admin */
};

/*
 * As JSON (strict; every key is required, but keys of people and "policy" may be null; approvals stand in the order of
 * their entries):
 *
 * {"site":"…","now":"2026-11-25T02:30:00Z","requester":"bank-a","requester_roles":"analyst",
 *  "requester_key":"ssh-ed25519 …","submitter":"bank-a","submitter_key":"ssh-ed25519 …",
 *  "algorithm":"sha256:…","engine":"lua","purpose":"credit-scoring","policy":"sha256:…" or null,
 *  "datasets":[{"name":"credit","version":1,"digest":"sha256:…","owner":"fund","available":true}],
 *  "parameters":{…},
 *  "approvals":[{"reviewer":"wang","roles":"reviewer","key":"ssh-ed25519 …","key_since":3,"statement":"…",
 *                "signature":"…","seq":17,"revoked":false}]}
 */
struct gbx_run_request {
        char *site;
        int64_t now; /* UTC seconds since 1970 */
        char *requester;
        unsigned requester_roles;
        char *requester_key; /* public key line, also of somebody who was removed; NULL: none known */
        char *submitter;
        char *submitter_key;
        char *algorithm;
        char *engine;
        char *purpose;
        char *policy; /* digest of the policy in force for the purpose; NULL: there is none */
        struct gbx_run_dataset *datasets;
        size_t dataset_count;
        json_t *parameters;
        struct gbx_run_approval *approvals;
        size_t approval_count;
};

int gbx_run_request_from_json(const json_t *json, struct gbx_run_request *ret, struct gbx_error *err);
int gbx_run_request_to_json(const struct gbx_run_request *request, json_t **ret, struct gbx_error *err);
void gbx_run_request_free(struct gbx_run_request *request);

/* Canonical text of any JSON value here: sorted keys, compact; its SHA-256 is what a log entry carries. */
int gbx_json_canonical(const json_t *json, struct gbx_buffer *buffer, struct gbx_error *err);

/* `policy` is the one whose digest the request names, NULL if there is none. -EINVAL if it is another one.
 * Reason codes: no-policy, purpose, role, engine, no-dataset, dataset-not-covered, dataset-unavailable,
 * dataset-repeated, parameters, too-few-approvals, approved (not a complaint); and for each approval that does not
 * count:
 *
 *   approval-signature, approval-statement          not signed by the reviewer's key, or no statement
 *   approval-site, -algorithm, -engine, -dataset,
 *   -purpose, -policy, -reviewer                    about something else than this run
 *   approval-made, -expired, -too-long              made later than now, over, or longer than the policy allows
 *   approval-role, -reviewer, -key                  of somebody who is no reviewer (any more)
 *   approval-before-key                             recorded before the reviewer was (re-)added or got this key
 *   approval-submitter, -requester                  of the one who submitted or asks, by name or by key, where the
 *                                                   policy excludes the submitter
 *   approval-revoked, -replayed                     withdrawn, or the statement of one that was
 *   approval-repeated                               of a person or a key that counts already
 *
 * Reasons about approvals are given also when enough others count. */
int gbx_decide_run(const struct gbx_policy *policy, const struct gbx_run_request *request, struct gbx_verdict *ret,
                   struct gbx_error *err);

/* --- may these outputs leave? ------------------------------------------------ */

/* Whether the policy lets releases go to `recipient`: to those it lists, else to the requester of the run alone. */
bool gbx_policy_allows_recipient(const struct gbx_policy *policy, const char *requester, const char *recipient);

/* `table_count`: outputs that the gate could make canonical; `opaque_count`: the others, which only people can judge.
 * Reason codes: withdrawn, recipient, no-output, findings-failed, findings-review, opaque-output, declared-counts, held-always,
 * checks-passed (not a complaint). */
struct gbx_release_request {
        const char *requester; /* of the run */
        const char *recipient;
        size_t table_count;
        size_t opaque_count;
        bool declared_counts; /* some table's contributor counts are the job's own word */
        bool withdrawn;       /* what the run was allowed by is gone: requester, dataset, approval */
};
int gbx_decide_release(const struct gbx_policy *policy, const struct gbx_release_request *request,
                       const struct gbx_findings *findings, struct gbx_verdict *ret, struct gbx_error *err);
