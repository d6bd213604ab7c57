/* data prepare | add | discard | ls | show | usage | transfer-statement | transfer | revoke | destroy */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/data/fate.h"
#include "gateway/data/owner.h"
#include "gateway/data/register.h"
#include "gateway/data/usage.h"
#include "gateway/store/policies.h"
#include "gateway/store/view.h"

#include <string.h>

/* --- bringing data in --------------------------------------------------------------- */

static int perform_prepare(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer manifest = {};
        const json_t *schema = json_object_get(request, "schema");
        const struct gbx_registration registration = {
                .name = gbx_json_text(request, "name"),
                .owner = gbx_json_text(request, "owner"),
                .schema = json_string_value(schema),
                .schema_size = json_string_length(schema),
                .schema_label = gbx_session_label(session, "schema"),
                .data_label = gbx_session_label(session, "file"),
                .data = gbx_session_file(session, "file"),
                .problems = &problems,
        };
        char id[GBX_KEYS_NAME_SIZE];
        int r = gbx_prepare_dataset(session->site, session->caller, &registration, id, &manifest, err);

        (void)sink;
        if (r < 0)
                gbx_session_refuse(session, &problems);
        else
                *ret_answer = json_pack("{s:s, s:s}", "intake", id, "manifest", gbx_buffer_text(&manifest));
        return r;
}

static int perform_add(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                       struct gbx_error *err) {
        const json_t *text = json_object_get(request, "signature");
        const struct gbx_bytes signature = { json_string_value(text), json_string_length(text) };
        int r;

        (void)sink;
        if (!gbx_json_text(request, "intake"))
                return gbx_fail(err, -EINVAL, "missing: intake");
        r = gbx_add_dataset(session->site, session->caller, gbx_json_text(request, "intake"), text ? &signature : NULL, ret_answer, err);
        if (r >= 0 && !text)
                (void)json_object_set_new(*ret_answer, "unsigned", json_true());
        return r;
}

static int perform_discard(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        const char *id = gbx_json_text(request, "intake");
        int r = gbx_discard_dataset(session->site, session->caller, id, err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s}", "intake", id);
        return r;
}

/* --- looking ------------------------------------------------------------------------- */

/* The names of all datasets that a policy in force names: what an analyst may ask for, and a reviewer judges. */
static int names_in_force(struct gbx_session *session, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL, *names = json_object();
        size_t index;
        json_t *row;
        int r = gbx_view_query(session->site->view, &rows, err, "SELECT purpose FROM policy WHERE state='in-force'", NULL);

        json_array_foreach(rows, index, row) {
                gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;

                r = gbx_policy_in_force(session->site, gbx_json_text(row, "purpose"), &policy, err);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < policy->datasets.count; i++)
                        (void)json_object_set_new(names, policy->datasets.items[i], json_true());
        }
        if (r >= 0)
                *ret = gbx_take_ptr(names);
        return r < 0 ? r : 0;
}

/* Whoever sees no further than their own: an owner all of the own datasets, others what a policy lets be asked for, but
 * neither their sizes nor their bytes' digests. */
static int leave_out(struct gbx_session *session, json_t *rows, struct gbx_error *err) {
        static const char *const hidden[] = { "bytes", "stored", "ciphertext", "signature", "seq" };
        gbx_auto(gbx_json_freep) json_t *names = NULL;
        bool reader = session->roles & (GBX_ROLE_ANALYST | GBX_ROLE_REVIEWER);
        int r;

        if (session->scope == GBX_SCOPE_ALL)
                return 0;
        r = names_in_force(session, &names, err);
        for (size_t i = json_array_size(rows); r >= 0 && i > 0; i--) {
                json_t *row = json_array_get(rows, i - 1);
                char owner[GBX_OWNER_SIZE];
                int found = gbx_dataset_owner(session->site, gbx_json_text(row, "name"), owner, err);

                if (found < 0)
                        return found;
                if (found == 0 && strcmp(owner, gbx_caller_name(session->caller)) == 0)
                        continue;
                if (!reader || !json_object_get(names, gbx_json_text(row, "name"))) {
                        (void)json_array_remove(rows, i - 1);
                        continue;
                }
                for (size_t k = 0; k < gbx_array_size(hidden); k++)
                        (void)json_object_del(row, hidden[k]);
        }
        return r;
}

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        int r = gbx_view_query(session->site->view, ret_answer, err, "SELECT * FROM dataset ORDER BY name, version", NULL);

        (void)request, (void)sink;
        return r < 0 ? r : leave_out(session, *ret_answer, err);
}

static int perform_show(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                        struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        const char *name = gbx_json_text(request, "name");
        int r = gbx_view_query(session->site->view, &rows, err, "SELECT * FROM dataset WHERE name=?1 ORDER BY version", name, NULL);

        (void)sink;
        if (r >= 0)
                r = leave_out(session, rows, err);
        if (r >= 0 && json_array_size(rows) == 0)
                r = gbx_fail(err, -ENOENT, "there is no dataset '%s'", name);
        if (r >= 0)
                *ret_answer = gbx_take_ptr(rows);
        return r;
}

static int perform_usage(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        int r = gbx_data_usage(session->site, session->caller, gbx_json_text(request, "name"), ret_answer, err);

        (void)sink;
        if (r >= 0) {
                (void)json_object_set_new(*ret_answer, "release_count",
                                          json_integer((json_int_t)json_array_size(json_object_get(*ret_answer, "releases"))));
                (void)json_object_set_new(*ret_answer, "policy_count",
                                          json_integer((json_int_t)json_array_size(json_object_get(*ret_answer, "policies"))));
        }
        return r;
}

/* --- whose it is, and its end ----------------------------------------------------------- */

static int perform_transfer_statement(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                                      struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_transfer_statement(session->site, session->caller, gbx_json_text(request, "name"), gbx_json_text(request, "to"), &text,
                                       err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s}", "statement", gbx_buffer_text(&text));
        return r;
}

static int perform_transfer(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                            struct gbx_error *err) {
        const json_t *statement = json_object_get(request, "statement"), *from = json_object_get(request, "from"),
                     *to = json_object_get(request, "to");
        const struct gbx_transfer_signatures signed_by = { json_string_value(statement),  json_string_value(from),  json_string_value(to),
                                                           json_string_length(statement), json_string_length(from),
                                                           json_string_length(to) };

        (void)sink, (void)ret_answer;
        return gbx_transfer_dataset(session->site, session->caller, &signed_by, err);
}

static int perform_revoke(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const char *name = gbx_json_text(request, "name");
        int r = gbx_revoke_dataset(session->site, session->caller, name, err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s}", "name", name);
        return r;
}

static int perform_destroy(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        const char *name = gbx_json_text(request, "name"), *confirmed = gbx_json_text(request, "confirm");
        int r;

        (void)sink;
        if (!confirmed || strcmp(confirmed, name) != 0)
                return gbx_fail(err, -EINVAL, "destroying '%s' cannot be undone; say --confirm %s if you mean it", name, name);
        r = gbx_destroy_dataset(session->site, session->caller, name, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:s}", "name", name);
        return r;
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct gbx_column columns[] = {
        { "name", "NAME", GBX_COLUMN_TEXT, 0 },          { "version", "VERSION", GBX_COLUMN_NUMBER, 0 },
        { "owner", "OWNER", GBX_COLUMN_TEXT, 0 },        { "state", "STATE", GBX_COLUMN_TEXT, 0 },
        { "bytes", "BYTES", GBX_COLUMN_NUMBER, 0 },      { "manifest", "MANIFEST", GBX_COLUMN_DIGEST, 0 },
        { "signature", "SIGNED", GBX_COLUMN_DIGEST, 0 }, { "schema", NULL, GBX_COLUMN_DIGEST, 0 },
        { "schema_source", NULL, GBX_COLUMN_DIGEST, 0 }, { "stored", NULL, GBX_COLUMN_DIGEST, 0 },
        { "ciphertext", NULL, GBX_COLUMN_DIGEST, 0 },    { "seq", NULL, GBX_COLUMN_NUMBER, GBX_ROLE_ADMIN | GBX_ROLE_AUDITOR },
        {},
};

static const struct gbx_column name_column[] = { { "name", NULL, GBX_COLUMN_TEXT, 0 }, {} };

static const struct gbx_column run_columns[] = {
        { "run", "RUN", GBX_COLUMN_TEXT, 0 },         { "time", "TIME", GBX_COLUMN_TIME, 0 },
        { "requester", "BY", GBX_COLUMN_TEXT, 0 },    { "purpose", "PURPOSE", GBX_COLUMN_TEXT, 0 },
        { "state", "STATE", GBX_COLUMN_TEXT, 0 },     { "algorithm", NULL, GBX_COLUMN_DIGEST, 0 },
        {},
};

static const struct gbx_column usage_columns[] = {
        { "dataset", NULL, GBX_COLUMN_TEXT, 0 },      { "owner", NULL, GBX_COLUMN_TEXT, 0 },
        { "versions", NULL, GBX_COLUMN_LIST, 0 },     { "releases", NULL, GBX_COLUMN_LIST, 0 },
        { "policies", NULL, GBX_COLUMN_LIST, 0 },     {},
};

#define NAME_FIELD { .name = "name", .type = GBX_FIELD_NAME, .value = "NAME", .required = true, .positional = true }
#define INTAKE_FIELD(required_, positional_)                                                                  \
        { .name = "intake", .type = GBX_FIELD_NAME, .value = "INTAKE", .help = "what gbx data prepare has made", \
          .required = required_, .positional = positional_ }

/* What prepares, and is signed by the client in between, where `data add` does both. */
#define PREPARE_FIELDS(client_, required_)                                                                                     \
        { .name = "name", .type = GBX_FIELD_NAME, .value = "NAME", .required = required_, .positional = true, .client = client_ }, \
        { .name = "file", .type = GBX_FIELD_FILE, .value = "FILE", .required = required_, .positional = true, .client = client_ }, \
        { .name = "owner", .type = GBX_FIELD_NAME, .value = "NAME", .help = "whose data it is", .required = required_, \
          .client = client_ }, \
        { .name = "schema", .type = GBX_FIELD_DOCUMENT, .value = "FILE",                                                       \
          .help = "columns, types and classes (docs/policy-reference.md)", .required = required_, .client = client_ }

const struct gbx_operation gbx_operations_data[] = {
        { GBX_OPERATION("data", "add", "data add", GBX_WRITE, perform_add),
          .summary = "register an encrypted dataset",
          .details = "FILE is an age file encrypted to the site: age -r \"$(gbx keys recipient)\" -o FILE.age FILE.\n"
                     "Every chunk is verified; the site keeps it under a key of this version alone. A second add under\n"
                     "the same name makes a new version; versions never change. With --key the owner signs the manifest here; an\n"
                     "owner whose key is elsewhere uses gbx data prepare, and then --intake with --signature.",
          .fields = (const struct gbx_field[]){
                  PREPARE_FIELDS(true, true),
                  { .name = "key", .value = "FILE", .client = true,
                    .help = "the owner's SSH private key, which signs the dataset's manifest and stays with its owner" },
                  INTAKE_FIELD(false, false),
                  { .name = "signature", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "the owner's signature over the manifest" },
                  {} },
          .records = "data.add",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE, .when = "unsigned", .text = "The manifest is not signed by the owner; --key FILE signs it." },
                  { .kind = GBX_PART_FIELDS,
                    .columns = (const struct gbx_column[]){
                            { "name", "name", GBX_COLUMN_TEXT, 0 },         { "version", "version", GBX_COLUMN_NUMBER, 0 },
                            { "owner", "owner", GBX_COLUMN_TEXT, 0 },       { "state", "state", GBX_COLUMN_TEXT, 0 },
                            { "bytes", "bytes", GBX_COLUMN_NUMBER, 0 },     { "manifest", "manifest", GBX_COLUMN_TEXT, 0 },
                            { "signature", "signed", GBX_COLUMN_TEXT, 0 },  { "schema", NULL, GBX_COLUMN_TEXT, 0 },
                            { "stored", NULL, GBX_COLUMN_TEXT, 0 },         { "ciphertext", NULL, GBX_COLUMN_TEXT, 0 },
                            { "unsigned", NULL, GBX_COLUMN_BOOLEAN, 0 },    {} } },
                  {} } },
        { GBX_OPERATION("data", "prepare", "data prepare", GBX_WRITE, perform_prepare),
          .summary = "take an encrypted dataset in, up to the owner's signature",
          .details = "Prints the manifest to sign: ssh-keygen -Y sign -n glovebox -f KEY MANIFEST. Whoever prepared it registers it\n"
                     "within a day with gbx data add --intake INTAKE --signature MANIFEST.sig; afterwards it is gone.",
          .fields = (const struct gbx_field[]){ PREPARE_FIELDS(false, true), {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_TEXT, .member = "manifest" },
                  { .kind = GBX_PART_NOTE, .text = "Prepared as {intake}." },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "intake", NULL, GBX_COLUMN_TEXT, 0 }, {} } },
                  {} } },
        { GBX_OPERATION("data", "discard", "data prepare", GBX_WRITE, perform_discard),
          .summary = "give up what gbx data prepare has made",
          .fields = (const struct gbx_field[]){ INTAKE_FIELD(true, true), {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "intake", NULL, GBX_COLUMN_TEXT, 0 }, {} } }, {} } },
        { GBX_OPERATION("data", "ls", "data ls", GBX_READ, perform_ls),
          .summary = "list datasets and their versions (an owner: one's own; others: what a policy in force names)",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .columns = columns, .text = "no datasets yet; owners add them with: gbx data add" }, {} } },
        { GBX_OPERATION("data", "show", "data show", GBX_READ, perform_show),
          .summary = "show the versions of a dataset",
          .fields = (const struct gbx_field[]){ NAME_FIELD, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_ROWS, .columns = columns }, {} } },
        { GBX_OPERATION("data", "usage", "data usage", GBX_READ, perform_usage),
          .summary = "who used a dataset: runs, releases, policies (its owner; auditors)",
          .fields = (const struct gbx_field[]){ NAME_FIELD, {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "{dataset} of {owner}: {release_count} releases, {policy_count} policies" },
                  { .kind = GBX_PART_ROWS, .member = "runs", .columns = run_columns, .text = "no run asked for it yet" },
                  { .kind = GBX_PART_FIELDS, .columns = usage_columns },
                  { .kind = GBX_PART_LINES, .member = "release_count" }, { .kind = GBX_PART_LINES, .member = "policy_count" },
                  {} } },
        { GBX_OPERATION("data", "transfer-statement", "data transfer-statement", GBX_READ, perform_transfer_statement),
          .summary = "print what both owners sign to transfer a dataset",
          .fields = (const struct gbx_field[]){
                  NAME_FIELD, { .name = "to", .type = GBX_FIELD_NAME, .value = "NAME", .help = "the new owner", .required = true }, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_TEXT, .member = "statement" }, {} } },
        { GBX_OPERATION("data", "transfer", "data transfer", GBX_WRITE, perform_transfer),
          .summary = "give a dataset to another owner; both have signed",
          .fields = (const struct gbx_field[]){
                  { .name = "statement", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "what both signed", .required = true },
                  { .name = "from", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "the old owner's signature", .required = true },
                  { .name = "to", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "the new owner's signature", .required = true },
                  {} },
          .records = "data.transfer",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_NOTE, .text = "The dataset has another owner now." }, {} } },
        { GBX_OPERATION("data", "revoke", "data revoke", GBX_WRITE, perform_revoke),
          .summary = "let no further run use a dataset",
          .fields = (const struct gbx_field[]){ NAME_FIELD, {} },
          .records = "data.revoke",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_NOTE, .text = "Revoked '{name}': no run may use it any more." },
                                               { .kind = GBX_PART_FIELDS, .columns = name_column }, {} } },
        { GBX_OPERATION("data", "destroy", "data destroy", GBX_WRITE, perform_destroy),
          .summary = "destroy a dataset's keys, which makes every copy unreadable",
          .fields = (const struct gbx_field[]){
                  NAME_FIELD, { .name = "confirm", .type = GBX_FIELD_NAME, .value = "NAME", .help = "the name again" }, {} },
          .records = "data.destroy",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE, .text = "Destroyed the key of every version of '{name}'. The log entry is the receipt." },
                  { .kind = GBX_PART_FIELDS, .columns = name_column }, {} } },
        {},
};
