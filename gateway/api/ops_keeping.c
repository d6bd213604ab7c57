/* keys rotate, backup, restore: keeping a site */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/backup.h"
#include "gateway/store/keys_rotate.h"

#include <stdio.h>
#include <string.h>

enum { KEY_LIMIT = 16 * 1024 };

static int perform_rotate(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const char *key = gbx_json_text(request, "key");
        struct gbx_keys_rotation rotation = {};
        char file[32];
        int r;

        (void)sink;
        (void)snprintf(file, sizeof file, "%s.key", key);
        r = gbx_site_keys_rotate(session->site, session->caller, file, &rotation, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:s, s:s, s:s, s:I}", "key", key, "before", rotation.before, "after", rotation.after, "files",
                                        (json_int_t)rotation.files);
        return r;
}

static json_t *report(const struct gbx_backup_report *report_of, const char *place) {
        return json_pack("{s:s, s:I, s:I, s:I, s:s}", "place", place, "entries", (json_int_t)report_of->entries, "files",
                         (json_int_t)report_of->files, "bytes", (json_int_t)report_of->bytes, "manifest", report_of->manifest);
}

static int perform_backup(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const char *target = gbx_json_text(request, "target"), *keys_for = gbx_json_text(request, "keys-for");
        struct gbx_age_recipient recipient;
        struct gbx_backup_report done = {};
        int r = keys_for ? gbx_age_recipient_parse(keys_for, &recipient, err) : 0;

        (void)sink;
        if (r < 0)
                return gbx_context(err, r, "--keys-for");
        r = gbx_site_backup(session->site, session->caller, target, keys_for ? &recipient : NULL, &done, err);
        if (r >= 0)
                *ret_answer = report(&done, target);
        return r;
}

/* The line of an age key file that holds the identity. */
static int read_identity(const struct gbx_session *session, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = { .secret = true };
        const char *line;
        int r = gbx_session_read(session, "identity", KEY_LIMIT, &bytes, err);

        if (r < 0)
                return r;
        line = strstr(gbx_buffer_text(&bytes), "AGE-SECRET-KEY-");
        if (!line)
                return gbx_fail(err, -EINVAL, "%s: no age identity (AGE-SECRET-KEY-…) in it", gbx_session_label(session, "identity"));
        r = gbx_age_identity_parse(line, strcspn(line, "\r\n"), ret, err);
        return r < 0 ? gbx_context(err, r, "%s", gbx_session_label(session, "identity")) : 0;
}

static int perform_restore(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        const json_t *against = json_object_get(request, "against");
        const char *vkey = gbx_json_text(request, "vkey");
        struct gbx_note_verifier verifier;
        struct gbx_restore_options options = { .keys = gbx_json_text(request, "keys"),
                                               .against = json_string_value(against),
                                               .against_size = json_string_length(against) };
        struct gbx_backup_report done = {};
        int r = 0;

        (void)sink;
        if (!options.keys == (gbx_session_file(session, "identity") < 0))
                return gbx_fail(err, -EINVAL, "say where the site's keys are: --identity FILE (opens keys.age) or --keys DIR");
        if (!options.keys)
                r = read_identity(session, &identity, err);
        if (r >= 0 && vkey)
                r = gbx_note_verifier_parse(vkey, strlen(vkey), &verifier, err);
        if (r < 0)
                return r;
        options.identity = identity;
        options.verifier = vkey ? &verifier : NULL;
        r = gbx_site_restore(gbx_json_text(request, "backup"), session->site_path, session->caller, &options, &done, err);
        if (r >= 0)
                *ret_answer = report(&done, session->site_path);
        return r;
}

static const struct gbx_column report_columns[] = {
        { "place", NULL, GBX_COLUMN_TEXT, 0 },   { "entries", NULL, GBX_COLUMN_NUMBER, 0 }, { "files", NULL, GBX_COLUMN_NUMBER, 0 },
        { "bytes", NULL, GBX_COLUMN_NUMBER, 0 }, { "manifest", NULL, GBX_COLUMN_DIGEST, 0 }, {},
};

const struct gbx_operation gbx_operations_keeping[] = {
        { GBX_OPERATION("keys", "rotate", "keys rotate", GBX_WRITE, perform_rotate),
          .summary = "replace a key of the site by a new one",
          .details = "site: owners encrypt to the new recipient from then on. provenance: manifests that were signed before still\n"
                     "verify. The log's key is what the log is to those who keep it: it stays (docs/backup.md).",
          .fields = (const struct gbx_field[]){
                  { .name = "key", .value = "KEY", .help = "which", .words = "site provenance", .required = true, .positional = true },
                  {} },
          .records = "keys.rotate",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "The {key} key is {after} now; before it was {before}. Files encrypted anew: {files}." },
                  { .kind = GBX_PART_FIELDS,
                    .columns = (const struct gbx_column[]){ { "key", NULL, GBX_COLUMN_TEXT, 0 }, { "before", NULL, GBX_COLUMN_TEXT, 0 },
                                                            { "after", NULL, GBX_COLUMN_TEXT, 0 }, { "files", NULL, GBX_COLUMN_NUMBER, 0 },
                                                            {} } },
                  {} } },
        { GBX_OPERATION("backup", NULL, "backup", GBX_WRITE, perform_backup),
          .summary = "copy the site, as it is at one moment, into a new folder",
          .details = "Without --keys-for the copy holds nothing that is not encrypted or public. With it, whoever has that identity has\n"
                     "the site (docs/backup.md).",
          .fields = (const struct gbx_field[]){
                  { .name = "target", .type = GBX_FIELD_PATH, .value = "FOLDER", .required = true, .positional = true },
                  { .name = "keys-for", .value = "RECIPIENT", .help = "the site's keys too, encrypted to this age recipient" }, {} },
          .records = "site.backup",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE,
                    .text = "{place}: {files} files, {bytes} bytes, the log up to {entries} entries\n  manifest {manifest}" },
                  { .kind = GBX_PART_FIELDS, .columns = report_columns }, {} } },
        { GBX_OPERATION("restore", NULL, "restore", GBX_LOCAL, perform_restore),
          .summary = "make the site named by --site of a backup",
          .details = "Refused, with exit code 5, if a checkpoint that was kept or a witness knows a newer log (docs/backup.md).",
          .fields = (const struct gbx_field[]){
                  { .name = "backup", .type = GBX_FIELD_PATH, .value = "FOLDER", .required = true, .positional = true },
                  { .name = "identity", .type = GBX_FIELD_FILE, .value = "FILE", .help = "the age identity that opens keys.age" },
                  { .name = "keys", .type = GBX_FIELD_PATH, .value = "DIR", .help = "a folder with the site's keys" },
                  { .name = "vkey", .value = "KEY", .help = "the log's verifier key, as it was kept (gbx keys log)" },
                  { .name = "against", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "a checkpoint that was kept" },
                  {} },
          .records = "site.restore",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "{place} is the site of the backup: {files} files, the log up to {entries} entries" },
                  { .kind = GBX_PART_FIELDS, .columns = report_columns }, {} } },
        {},
};
