/*
 * The actions of the log and the fields of their `details`
 *
 * To add an action: a list of fields here, a line in the table, and the same
 * in docs/log-format.md (a unit test compares the two).
 */
#include "gateway/log/format/entry.h"

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
        /* the site and its people; the object is the origin, the principal, the command */
        { "site.init", "a site was made",
          FIELDS({ "origin", TEXT, MUST }, { "log", TEXT, MUST }, { "recipient", TEXT, MUST },
                 { "provenance", TEXT, MAY }, { "version", TEXT, MAY }) },
        { "user.add", "a principal was added",
          FIELDS({ "roles", NAMES, MUST }, { "ssh_key", TEXT, MUST }, { "age", TEXT, MAY }) },
        { "user.change", "a principal's roles or keys changed; the details are what holds from now on",
          FIELDS({ "roles", NAMES, MUST }, { "ssh_key", TEXT, MUST }, { "age", TEXT, MAY }) },
        { "user.remove", "a principal was removed", NO_FIELDS },
        { "access.denied", "somebody asked for what the roles do not allow", FIELDS({ "command", TEXT, MUST }) },
        { "key.use", "a secret key of the site was used",
          FIELDS({ "purpose", TEXT, MUST }, { "run", NAME, MAY }, { "digest", DIGEST, MAY }) },
        { "policy.apply", "a policy came into force",
          FIELDS({ "digest", DIGEST, MUST }, { "purpose", TEXT, MUST }, { "before", DIGEST, MAY }) },
        { "policy.withdraw", "a policy is no longer in force", FIELDS({ "digest", DIGEST, MUST }, { "purpose", TEXT, MUST }) },

        /* data; the object is the dataset */
        { "data.add", "a version of a dataset was registered",
          FIELDS({ "version", COUNT, MUST }, { "owner", NAME, MUST }, { "stored", TEXT, MAY }, { "ciphertext", DIGEST, MUST },
                 { "schema", DIGEST, MUST }, { "schema_source", DIGEST, MAY }, { "manifest", DIGEST, MUST },
                 { "signature", DIGEST, MAY }, { "bytes", COUNT, MAY },
                 { "header", DIGEST, MAY }, { "plaintext_bytes", COUNT, MAY }, { "rows", COUNT, MAY }) },
        { "data.classify", "a dataset's columns were classified",
          FIELDS({ "schema", DIGEST, MUST }, { "before", DIGEST, MAY }) },
        { "data.revoke", "a dataset may no longer be used", FIELDS({ "manifest", DIGEST, MAY }) },
        { "data.transfer", "a dataset's name has another owner; both signed",
          FIELDS({ "from", NAME, MUST }, { "owner", NAME, MUST }, { "statement", DIGEST, MUST }, { "signature_from", DIGEST, MUST },
                 { "signature_to", DIGEST, MUST }) },
        { "data.destroy", "a dataset's key was destroyed",
          FIELDS({ "manifest", DIGEST, MAY }, { "key", DIGEST, MAY }, { "copies", COUNT, MAY }) },

        /* algorithms; the object is the algorithm's digest */
        { "algo.submit", "an algorithm was submitted",
          FIELDS({ "name", TEXT, MUST }, { "engine", NAME, MUST }, { "bytes", COUNT, MUST }, { "deterministic", BOOLEAN, MAY }) },
        { "algo.try", "an algorithm ran on dummy data", FIELDS({ "purpose", TEXT, MUST }, { "deterministic", BOOLEAN, MAY }) },
        { "review.approve", "a reviewer approved",
          FIELDS({ "purpose", TEXT, MUST }, { "policy", DIGEST, MUST }, { "statement", DIGEST, MUST },
                 { "signature", DIGEST, MUST }, { "ssh_key", TEXT, MUST }, { "expires", TIME, MAY }, { "datasets", NAMES, MAY }) },
        { "review.reject", "a reviewer refused", FIELDS({ "purpose", TEXT, MAY }, { "policy", DIGEST, MAY }) },

        /* runs; the object is the run */
        { "run.decide", "whether a run may start was decided",
          FIELDS({ "algorithm", DIGEST, MUST }, { "purpose", TEXT, MUST }, { "datasets", LIST, MUST }, { "policy", DIGEST, MAY },
                 { "request", DIGEST, MAY }, { "parameters", DIGEST, MAY }, { "inputs", MAP, MAY }) },
        { "run.start", "a run began",
          FIELDS({ "algorithm", DIGEST, MAY }, { "image", DIGEST, MAY }, { "profile", TEXT, MAY }, { "policy", DIGEST, MAY },
                 { "limits", MAP, MAY }, { "inputs", MAP, MAY }) },
        { "run.end", "a run ended",
          FIELDS({ "exit", INTEGER, MAY }, { "signal", COUNT, MAY }, { "limit", TEXT, MAY }, { "wall_ms", COUNT, MAY },
                 { "cpu_ms", COUNT, MAY }, { "memory_bytes", COUNT, MAY }, { "read_bytes", COUNT, MAY },
                 { "written_bytes", COUNT, MAY }, { "pids_peak", COUNT, MAY }, { "denied", COUNT, MAY }, { "layers", MAP, MAY },
                 { "image", DIGEST, MAY }, { "outputs", DIGEST, MAY },
                 { "resources", MAP, MAY }) },
        { "run.cancel", "somebody asked that a run ends", NO_FIELDS },
        { "sandbox.missing", "a layer of the sandbox was not there", FIELDS({ "layers", NAMES, MUST }) },
        { "syscall.denied", "system calls that the profile does not allow",
          FIELDS({ "calls", LIST, MUST }) },
        { "flow.opened", "a network flow was allowed",
          FIELDS({ "destination", TEXT, MUST }, { "rule", TEXT, MAY }, { "method", TEXT, MAY }, { "path", TEXT, MAY },
                 { "address", TEXT, MAY }, { "flow", COUNT, MAY }, { "connection", COUNT, MAY }) },
        { "flow.refused", "network flows were refused",
          FIELDS({ "destination", TEXT, MUST }, { "rule", TEXT, MAY }, { "method", TEXT, MAY }, { "path", TEXT, MAY },
                 { "address", TEXT, MAY }, { "flow", COUNT, MAY }, { "connection", COUNT, MAY }, { "scan_rule", TEXT, MAY },
                 { "count", COUNT, MAY }, { "left_out", COUNT, MAY }) },
        { "flow.closed", "a network flow ended",
          FIELDS({ "destination", TEXT, MUST }, { "rule", TEXT, MAY }, { "method", TEXT, MAY }, { "path", TEXT, MAY },
                 { "address", TEXT, MAY }, { "flow", COUNT, MAY }, { "connection", COUNT, MAY }, { "status", COUNT, MAY },
                 { "sent", COUNT, MAY }, { "received", COUNT, MAY }, { "sent_digest", DIGEST, MAY },
                 { "received_digest", DIGEST, MAY }, { "wall_ms", COUNT, MAY }, { "left_out", COUNT, MAY },
                 { "scan_rule", TEXT, MAY }) },

        { "breaker.open", "flows of an analyst or a dataset are refused from now on; the object is its name",
          FIELDS({ "kind", NAME, MUST }, { "failures", COUNT, MUST }, { "run", NAME, MAY }) },
        { "breaker.close", "such flows are allowed again", FIELDS({ "kind", NAME, MUST }) },

        /* the gate; the object is the run, of releases the release */
        { "gate.check", "the gate checked the outputs of a run",
          FIELDS({ "output", DIGEST, MAY }, { "findings", DIGEST, MAY }, { "tables", COUNT, MAY }, { "opaque", COUNT, MAY },
                 { "declared_counts", BOOLEAN, MAY }, { "withdrawn", BOOLEAN, MAY }, { "recipient", NAME, MAY }, { "grade", NAME, MAY },
                 { "rows", COUNT, MAY }, { "bytes", COUNT, MAY }, { "rules", LIST, MAY }, { "sealed", DIGEST, MAY }) },
        { "gate.hold", "outputs are held for reviewers",
          FIELDS({ "output", DIGEST, MAY }, { "findings", DIGEST, MAY }, { "sealed", DIGEST, MAY }) },
        { "output.read", "a reviewer was shown held outputs; the object is the run", FIELDS({ "output", DIGEST, MAY }) },
        { "output.review", "a reviewer signed a word on held outputs; the object is the run",
          FIELDS({ "decision", NAME, MUST }, { "output", DIGEST, MUST }, { "findings", DIGEST, MAY }, { "policy", DIGEST, MUST },
                 { "statement", DIGEST, MUST }, { "signature", DIGEST, MUST }, { "ssh_key", TEXT, MUST }) },
        { "budget.spend", "privacy budget was spent",
          FIELDS({ "dataset", NAME, MUST }, { "recipient", NAME, MAY }, { "epsilon_micro", COUNT, MUST },
                 { "left_micro", COUNT, MAY }) },
        { "release.create", "a release was made for a recipient",
          FIELDS({ "run", NAME, MUST }, { "recipient", NAME, MUST }, { "outputs", LIST, MAY }, { "mark", MAP, MAY },
                 { "family", TEXT, MAY }, { "provenance", DIGEST, MAY }, { "record", DIGEST, MAY }, { "ciphertext", DIGEST, MAY }, { "grade", NAME, MAY },
                 { "bytes", COUNT, MAY }) },
        { "release.fetch", "a release was handed over", FIELDS({ "ciphertext", DIGEST, MAY }, { "bytes", COUNT, MAY }) },
        { "release.approve", "a reviewer let held outputs go; the object is the run", NO_FIELDS },
        { "release.reject", "reviewers refused a release",
          FIELDS({ "output", DIGEST, MAY }, { "findings", DIGEST, MAY }) },
        { "trace.run", "a suspect file was traced; the object is its digest",
          FIELDS({ "verdict", TEXT, MAY }, { "tested", COUNT, MAY }, { "accused", LIST, MAY }) },

        /* the log itself */
        { "audit.verify", "the log was verified",
          FIELDS({ "size", COUNT, MUST }, { "root", DIGEST, MAY }, { "against", COUNT, MAY }) },
        { "audit.replay", "the log was replayed",
          FIELDS({ "size", COUNT, MUST }, { "divergences", COUNT, MUST }, { "run", NAME, MAY }) },
        { "audit.rebuild", "the view was rebuilt from the log", FIELDS({ "size", COUNT, MUST }, { "equal", BOOLEAN, MAY }, { "differences", TEXTS, MAY }) },
        { "anchor.receipt", "a checkpoint was anchored in a chain",
          FIELDS({ "size", COUNT, MUST }, { "root", DIGEST, MUST }, { "chain", COUNT, MUST }, { "transaction", TEXT, MUST },
                 { "block", COUNT, MUST }, { "block_hash", TEXT, MUST }) },
        { "witness.cosigned", "a witness cosigned a checkpoint; the object is the witness",
          FIELDS({ "size", COUNT, MUST }, { "signature", TEXT, MAY }) },

        { "site.backup", "a backup was begun; it holds the entries up to this one",
          FIELDS({ "keys", BOOLEAN, MUST }, { "recipient", TEXT, MAY }) },
        { "site.restore", "the site was put back from a backup",
          FIELDS({ "size", COUNT, MUST }, { "root", DIGEST, MUST }, { "manifest", DIGEST, MUST }, { "against", COUNT, MAY },
                 { "cosigned", COUNT, MAY }) },
        { "keys.rotate", "a key of the site was replaced; before and after are public halves",
          FIELDS({ "key", NAME, MUST }, { "before", TEXT, MUST }, { "after", TEXT, MUST }, { "files", DIGEST, MAY }, { "count", COUNT, MAY }) },
        { "clock.step", "the site's clock was set back; times of entries stand still until it has caught up",
          FIELDS({ "seconds", COUNT, MUST }) },

        /* the service */
        { "service.start", "the service started",
          FIELDS({ "version", TEXT, MAY }, { "host", TEXT, MAY }, { "layers", NAMES, MAY }) },
        { "service.stop", "the service stopped", NO_FIELDS },
        { "service.recover", "what a crash left was put in order; the object is what", FIELDS({ "size", COUNT, MAY }, { "state", NAME, MAY }) },
        { "heartbeat", "the service is alive", FIELDS({ "number", COUNT, MUST }, { "runs", COUNT, MAY }) },
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
