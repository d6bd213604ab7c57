/*
 * The actions of the log and the fields of their `details`
 *
 * To add an action: a list of fields here, a line in the table, and the same
 * in docs/log-format.md (a unit test compares the two).
 */
#include "gateway/log/entry.h"

#include <string.h>

#define MUST true
#define MAY false
#define FIELDS(...) (const struct gbx_entry_field[]){ __VA_ARGS__, {} }
#define NO_FIELDS (const struct gbx_entry_field[]){ {} }

#define TEXT GBX_ENTRY_TEXT
#define NAME GBX_ENTRY_NAME
#define DIGEST GBX_ENTRY_DIGEST
#define TIME GBX_ENTRY_TIME
#define COUNT GBX_ENTRY_COUNT
#define INTEGER GBX_ENTRY_INTEGER
#define BOOLEAN GBX_ENTRY_BOOLEAN
#define TEXTS GBX_ENTRY_TEXTS
#define NAMES GBX_ENTRY_NAMES
#define DIGESTS GBX_ENTRY_DIGESTS
#define MAP GBX_ENTRY_MAP
#define LIST GBX_ENTRY_LIST

static const struct gbx_entry_action actions[] = {
        { "site.init", "a site was made",
          FIELDS({ "origin", TEXT, MUST }, { "log_key", TEXT, MUST }, { "recipient", TEXT, MAY }, { "version", TEXT, MAY }) },
        { "user.add", "a principal was added",
          FIELDS({ "name", NAME, MUST }, { "roles", NAMES, MUST }, { "ssh_key", TEXT, MAY }, { "recipient", TEXT, MAY }) },
        { "user.remove", "a principal was removed", FIELDS({ "name", NAME, MUST }) },
        { "key.add", "a key of a principal or of the site was added",
          FIELDS({ "name", NAME, MAY }, { "kind", NAME, MUST }, { "public", TEXT, MUST }) },
        { "key.remove", "a key was revoked", FIELDS({ "name", NAME, MAY }, { "kind", NAME, MUST }, { "public", TEXT, MUST }) },
        { "key.use", "a secret key of the site was used",
          FIELDS({ "key", TEXT, MUST }, { "purpose", TEXT, MUST }, { "run", NAME, MAY }, { "digest", DIGEST, MAY }) },
        { "policy.apply", "a policy came into force",
          FIELDS({ "name", NAME, MUST }, { "policy", DIGEST, MUST }, { "before", DIGEST, MAY }, { "text", TEXT, MAY }) },
        { "data.add", "a version of a dataset was registered",
          FIELDS({ "name", NAME, MUST }, { "owner", NAME, MUST }, { "manifest", DIGEST, MUST }, { "ciphertext", DIGEST, MUST },
                 { "schema", DIGEST, MUST }, { "version", COUNT, MAY }, { "bytes", COUNT, MAY }, { "signature", TEXT, MAY }) },
        { "data.classify", "a dataset's columns were classified",
          FIELDS({ "name", NAME, MUST }, { "schema", DIGEST, MUST }, { "before", DIGEST, MAY }) },
        { "data.revoke", "a dataset may no longer be used", FIELDS({ "name", NAME, MUST }, { "manifest", DIGEST, MAY }) },
        { "data.destroy", "a dataset's key was destroyed",
          FIELDS({ "name", NAME, MUST }, { "manifest", DIGEST, MAY }, { "key", DIGEST, MAY }, { "copies", COUNT, MAY }) },
        { "algo.submit", "an algorithm was submitted",
          FIELDS({ "algorithm", DIGEST, MUST }, { "engine", NAME, MUST }, { "name", TEXT, MAY }, { "bytes", COUNT, MAY },
                 { "entry_point", TEXT, MAY }, { "deterministic", BOOLEAN, MAY }) },
        { "review.approve", "a reviewer approved",
          FIELDS({ "algorithm", DIGEST, MUST }, { "statement", DIGEST, MUST }, { "purpose", TEXT, MUST },
                 { "policy", DIGEST, MUST }, { "data", NAMES, MAY }, { "expires", TIME, MAY }, { "signature", TEXT, MUST }) },
        { "review.reject", "a reviewer refused",
          FIELDS({ "algorithm", DIGEST, MUST }, { "statement", DIGEST, MAY }, { "purpose", TEXT, MAY },
                 { "policy", DIGEST, MAY }, { "signature", TEXT, MAY }) },
        { "review.revoke", "an approval was taken back",
          FIELDS({ "algorithm", DIGEST, MUST }, { "approval", COUNT, MAY }, { "signature", TEXT, MAY }) },
        { "run.decide", "whether a run may start was decided",
          FIELDS({ "run", NAME, MUST }, { "algorithm", DIGEST, MUST }, { "data", NAMES, MUST }, { "manifests", DIGESTS, MAY },
                 { "purpose", TEXT, MUST }, { "policy", DIGEST, MUST }, { "parameters", DIGEST, MAY },
                 { "approvals", LIST, MAY }, { "inputs", MAP, MAY }) },
        { "run.start", "a run began",
          FIELDS({ "run", NAME, MUST }, { "algorithm", DIGEST, MUST }, { "image", DIGEST, MAY }, { "profile", DIGEST, MAY },
                 { "policy", DIGEST, MAY }, { "limits", MAP, MAY }, { "inputs", MAP, MAY }) },
        { "run.end", "a run ended",
          FIELDS({ "run", NAME, MUST }, { "exit", INTEGER, MAY }, { "signal", COUNT, MAY }, { "limit", NAME, MAY },
                 { "wall_ms", COUNT, MAY }, { "cpu_ms", COUNT, MAY }, { "memory_peak", COUNT, MAY },
                 { "read_bytes", COUNT, MAY }, { "written_bytes", COUNT, MAY }, { "layers", NAMES, MAY },
                 { "outputs", MAP, MAY }, { "resources", MAP, MAY }) },
        { "syscall.denied", "system calls that a profile does not allow",
          FIELDS({ "run", NAME, MUST }, { "syscall", NAME, MUST }, { "number", INTEGER, MAY }, { "arguments", TEXTS, MAY },
                 { "count", COUNT, MUST }, { "answer", NAME, MAY }) },
        { "flow.opened", "a network flow was allowed",
          FIELDS({ "run", NAME, MUST }, { "rule", TEXT, MAY }, { "destination", TEXT, MUST }) },
        { "flow.refused", "network flows were refused",
          FIELDS({ "run", NAME, MUST }, { "destination", TEXT, MUST }, { "rule", TEXT, MAY }, { "method", TEXT, MAY },
                 { "path", TEXT, MAY }, { "count", COUNT, MAY }) },
        { "flow.closed", "a network flow ended",
          FIELDS({ "run", NAME, MUST }, { "destination", TEXT, MUST }, { "rule", TEXT, MAY }, { "method", TEXT, MAY },
                 { "path", TEXT, MAY }, { "sent", COUNT, MAY }, { "received", COUNT, MAY }, { "sent_digest", DIGEST, MAY },
                 { "received_digest", DIGEST, MAY }, { "wall_ms", COUNT, MAY }, { "verdict", NAME, MAY }) },
        { "gate.check", "the gate checked an output",
          FIELDS({ "run", NAME, MUST }, { "output", TEXT, MUST }, { "content", DIGEST, MUST }, { "kind", NAME, MAY },
                 { "grade", NAME, MAY }, { "rows", COUNT, MAY }, { "bytes", COUNT, MAY }, { "rules", LIST, MAY }) },
        { "gate.hold", "the gate holds an output for reviewers",
          FIELDS({ "run", NAME, MUST }, { "output", TEXT, MUST }, { "content", DIGEST, MUST }, { "rules", LIST, MAY },
                 { "findings", DIGEST, MAY }) },
        { "gate.decide", "reviewers decided on a held output",
          FIELDS({ "run", NAME, MUST }, { "output", TEXT, MUST }, { "content", DIGEST, MUST }, { "statement", DIGEST, MAY },
                 { "signature", TEXT, MAY }) },
        { "budget.spend", "privacy budget was spent",
          FIELDS({ "run", NAME, MUST }, { "dataset", NAME, MUST }, { "recipient", NAME, MAY }, { "epsilon_micro", COUNT, MUST },
                 { "left_micro", COUNT, MAY }) },
        { "release.create", "a release was made for a recipient",
          FIELDS({ "run", NAME, MUST }, { "release", NAME, MUST }, { "output", TEXT, MUST }, { "recipient", NAME, MUST },
                 { "content", DIGEST, MUST }, { "ciphertext", DIGEST, MAY }, { "manifest", DIGEST, MAY }, { "mark", MAP, MAY },
                 { "grade", NAME, MAY }, { "rows", COUNT, MAY }, { "bytes", COUNT, MAY }) },
        { "release.fetch", "a release was handed over",
          FIELDS({ "release", NAME, MUST }, { "ciphertext", DIGEST, MAY }, { "bytes", COUNT, MAY }) },
        { "release.reject", "a release was refused",
          FIELDS({ "run", NAME, MUST }, { "output", TEXT, MUST }, { "content", DIGEST, MAY }, { "rules", LIST, MAY }) },
        { "trace.run", "a suspect file was traced",
          FIELDS({ "content", DIGEST, MUST }, { "release", NAME, MAY }, { "recipient", NAME, MAY }, { "score", MAP, MAY }) },
        { "audit.verify", "the log was verified",
          FIELDS({ "size", COUNT, MUST }, { "root", DIGEST, MAY }, { "against", COUNT, MAY }) },
        { "audit.replay", "the log was replayed",
          FIELDS({ "size", COUNT, MUST }, { "divergences", COUNT, MUST }, { "run", NAME, MAY }) },
        { "audit.rebuild", "the view was rebuilt from the log", FIELDS({ "size", COUNT, MUST }, { "equal", BOOLEAN, MAY }) },
        { "service.start", "the service started", FIELDS({ "version", TEXT, MAY }, { "host", TEXT, MAY }, { "layers", NAMES, MAY }) },
        { "service.stop", "the service stopped", NO_FIELDS },
        { "service.recover", "what a crash left was put in order", FIELDS({ "size", COUNT, MAY }, { "run", NAME, MAY }) },
        { "heartbeat", "the service is alive", FIELDS({ "number", COUNT, MUST }, { "runs", COUNT, MAY }) },
        { "anchor.receipt", "a checkpoint was anchored in a chain",
          FIELDS({ "origin", TEXT, MUST }, { "size", COUNT, MUST }, { "root", DIGEST, MUST }, { "chain", COUNT, MUST },
                 { "transaction", TEXT, MUST }, { "block", COUNT, MUST }, { "block_hash", TEXT, MUST }) },
        { "witness.cosigned", "witnesses cosigned a checkpoint",
          FIELDS({ "size", COUNT, MUST }, { "witness", TEXT, MUST }, { "signature", TEXT, MAY }, { "behind", COUNT, MAY }) },
        { "sandbox.missing", "a layer of the sandbox was not there",
          FIELDS({ "run", NAME, MAY }, { "layers", NAMES, MUST }) },
        {},
};

const struct gbx_entry_action *gbx_entry_actions(void) { return actions; }

const struct gbx_entry_action *gbx_entry_action_find(const char *name) {
        for (const struct gbx_entry_action *action = actions; action->name; action++)
                if (strcmp(action->name, name) == 0)
                        return action;
        return NULL;
}

const char *gbx_entry_type_name(enum gbx_entry_type type) {
        static const char *const names[] = {
                [TEXT] = "text",       [NAME] = "name",       [DIGEST] = "digest", [TIME] = "time",
                [COUNT] = "count",     [INTEGER] = "integer", [BOOLEAN] = "boolean", [TEXTS] = "texts",
                [NAMES] = "names",     [DIGESTS] = "digests", [MAP] = "map",       [LIST] = "list",
        };

        return names[type];
}
