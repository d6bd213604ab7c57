/* init, keys, status, heartbeat */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <string.h>

static int perform_init(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        int r = gbx_site_create(session->site_path, gbx_json_text(request, "origin"), gbx_json_text(request, "token"), err);

        (void)sink;
        if (r >= 0)
                r = gbx_site_open(&session->site, session->site_path, err);
        if (r >= 0)
                r = gbx_site_public_keys(session->site, ret_answer, err);
        if (r >= 0)
                (void)json_object_set_new(*ret_answer, "site", json_string(session->site_path));
        return r;
}

static int perform_keys(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *keys = NULL;
        const char *which = gbx_json_text(request, "key");
        int r = gbx_site_public_keys(session->site, &keys, err);

        (void)sink;
        if (r < 0)
                return r;
        if (which) {
                *ret_answer = json_pack("{s:s, s:O}", "key", which, "value", json_object_get(keys, which));
                return 0;
        }
        *ret_answer = gbx_take_ptr(keys);
        return 0;
}

static int perform_status(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const char *whose = session->scope == GBX_SCOPE_OWN ? gbx_caller_name(session->caller) : "";
        json_t *row;
        int r = gbx_view_query_one(session->site->view, &row, err,
                                   "SELECT (SELECT count(*) FROM user WHERE state='active') AS users,"
                                   " (SELECT count(*) FROM dataset WHERE state='active' AND (?1='' OR owner=?1)) AS datasets,"
                                   " (SELECT count(*) FROM algorithm WHERE ?1='' OR submitter=?1) AS algorithms,"
                                   " (SELECT count(*) FROM run WHERE ?1='' OR requester=?1) AS runs,"
                                   " (SELECT count(*) FROM run WHERE state='held' AND (?1='' OR requester=?1)) AS held,"
                                   " (SELECT count(*) FROM release WHERE ?1='' OR recipient=?1) AS releases",
                                   whose, NULL);

        (void)request, (void)sink;
        if (r < 0)
                return r;
        (void)json_object_set_new(row, "origin", json_string(session->site->origin));
        (void)json_object_set_new(row, "entries", json_integer((json_int_t)gbx_log_size(session->site->log)));
        (void)json_object_set_new(row, "covered", json_integer((json_int_t)gbx_log_covered(session->site->log)));
        *ret_answer = row;
        return 0;
}

/* A gap in the numbers or in the times says that nobody watched the log in between. */
static int perform_heartbeat(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                             struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *details = NULL;
        uint64_t number;
        int r = gbx_fact_count(session->site, "heartbeat", &number, err);

        (void)request, (void)sink;
        if (r >= 0)
                r = gbx_view_query_one(session->site->view, &row, err, "SELECT count(*) AS runs FROM run WHERE state='running'", NULL);
        if (r < 0)
                return r;
        details = json_pack("{s:I, s:O}", "number", (json_int_t)number + 1, "runs", json_object_get(row, "runs"));
        r = gbx_record(session->site, session->caller, "heartbeat",
                       &(struct gbx_action){ "heartbeat", session->site->origin, "done", NULL, details }, err);
        if (r >= 0)
                *ret_answer = gbx_take_ptr(details);
        return r;
}

#define KEY_COLUMNS                                                                          \
        { "origin", "origin", GBX_COLUMN_TEXT, 0 }, { "recipient", "recipient", GBX_COLUMN_TEXT, 0 }, \
                { "log", "log", GBX_COLUMN_TEXT, 0 }, { "provenance", "provenance", GBX_COLUMN_TEXT, 0 }

static const struct gbx_column key_columns[] = { KEY_COLUMNS, { "key", NULL, GBX_COLUMN_TEXT, 0 }, {} };
static const struct gbx_column init_columns[] = { { "site", NULL, GBX_COLUMN_TEXT, 0 }, KEY_COLUMNS, {} };

static const struct gbx_column status_columns[] = {
        { "origin", "origin", GBX_COLUMN_TEXT, 0 },
        { "entries", "log entries", GBX_COLUMN_NUMBER, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        { "covered", "covered", GBX_COLUMN_NUMBER, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        { "users", "users", GBX_COLUMN_NUMBER, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        { "datasets", "datasets", GBX_COLUMN_NUMBER, 0 },
        { "algorithms", "algorithms", GBX_COLUMN_NUMBER, 0 },
        { "runs", "runs", GBX_COLUMN_NUMBER, 0 },
        { "held", "held", GBX_COLUMN_NUMBER, 0 },
        { "releases", "releases", GBX_COLUMN_NUMBER, 0 },
        {},
};

const struct gbx_operation gbx_operations_site[] = {
        { GBX_OPERATION("init", NULL, "init", GBX_LOCAL, perform_init),
          .summary = "make a site: keys, an empty log with its first checkpoint, the view",
          .details = "The folder named by --site must be missing or empty. Keys stay in its folder keys, readable by its\n"
                     "owner alone; nothing secret is printed.",
          .fields = (const struct gbx_field[]){
                  { .name = "origin", .value = "NAME",
                    .help = "name of the log, a URL without scheme (default: host name and a random part)" },
                  { .name = "token", .value = "URI",
                    .help = "keep the site's age key in a PKCS#11 token: pkcs11:token=…;object=…?module-path=…&pin-source=FILE" },
                  {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE,
                    .text = "Made the site '{site}'. Public keys (owners encrypt to the recipient, auditors keep the log key):" },
                  { .kind = GBX_PART_FIELDS, .columns = init_columns },
                  {} } },
        { GBX_OPERATION("keys", NULL, "keys", GBX_READ, perform_keys),
          .summary = "show the site's public keys",
          .details = "recipient: owners encrypt datasets to it (age -r). log: verifies checkpoints (signed-note vkey).\n"
                     "provenance: verifies the manifests of releases (Ed25519, hexadecimal).",
          .fields = (const struct gbx_field[]){
                  { .name = "key", .value = "KEY", .help = "only this one, by itself", .positional = true,
                    .words = "origin recipient log provenance" },
                  {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_FIELDS, .when = "!key", .columns = key_columns },
                  { .kind = GBX_PART_TEXT, .member = "value", .when = "key" },
                  {} } },
        { GBX_OPERATION("status", NULL, "status", GBX_READ, perform_status),
          .summary = "count what the site holds (without the role admin or auditor: what is yours)",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_FIELDS, .columns = status_columns }, {} } },
        { GBX_OPERATION("heartbeat", NULL, "heartbeat", GBX_WRITE, perform_heartbeat),
          .summary = "add a numbered sign of life to the log, and a checkpoint; for cron",
          .details = "An auditor who sees a heartbeat every five minutes knows that no longer stretch of the log was held back.",
          .records = "heartbeat",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "number", NULL, GBX_COLUMN_NUMBER, 0 },
                                                                                     { "runs", NULL, GBX_COLUMN_NUMBER, 0 }, {} } },
                  {} } },
        {},
};
