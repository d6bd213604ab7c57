/* audit ls | export | verify | prove | check-proof (the others: ops_evidence.c) */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "gateway/api/log_source.h"
#include "gateway/audit/source.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/format/entry_time.h"
#include "gateway/log/format/tile.h"
#include "gateway/log/format/proof.h"
#include "gateway/log/verify/export.h"
#include "gateway/log/verify/verify.h"
#include "gateway/log/format/proven.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/transaction.h"

#include <fcntl.h>
#include <string.h>

enum { LIST_LIMIT = 1000 };

/* --- entries ---------------------------------------------------------------------- */

/* Walks the log: of a site all of it, of a copy what its checkpoint covers, each entry shown to be under its root. */
static int each_entry(struct gbx_session *session, const struct gbx_api_log *log, gbx_log_visit *visit, void *context,
                      struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_proven_freep) struct gbx_proven *proven = NULL;
        struct gbx_checkpoint checkpoint;
        int r;

        if (!log->given)
                return gbx_log_each(session->site->log, 0, visit, context, err);
        r = gbx_log_tree_open(log->path, &tree, NULL, &checkpoint, err);
        if (r == 0)
                r = gbx_proven_new(&proven, tree, err);
        if (r == 0)
                r = gbx_proven_trust_checkpoint(proven, &checkpoint, err);
        for (uint64_t i = 0; r == 0 && i < gbx_tree_size(tree); i++) {
                struct gbx_bytes entry;

                r = gbx_proven_entry(proven, i, &entry, err);
                if (r == 0)
                        r = visit(context, i, entry.data, entry.size, err);
        }
        return r;
}

static struct gbx_log_filter read_filter(const json_t *request) {
        return (struct gbx_log_filter){
                .actor = gbx_json_text(request, "actor"),
                .action = gbx_json_text(request, "action"),
                .object = gbx_json_text(request, "object"),
                .outcome = gbx_json_text(request, "outcome"),
                .since = gbx_request_time(request, "since"),
                .until = gbx_request_time(request, "until"),
        };
}

struct listing {
        struct gbx_log_filter filter;
        uint64_t limit;
        json_t *rows;
};

static int list_entry(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        struct listing *listing = context;
        json_t *entry;
        int r = gbx_entry_parse(data, size, &entry, err);

        if (r < 0)
                return gbx_context(err, r, "entry %llu", (unsigned long long)index);
        if (!gbx_log_filter_matches(&listing->filter, entry)) {
                json_decref(entry);
                return 0;
        }
        (void)json_object_set_new(entry, "index", json_integer((json_int_t)index));
        if (json_array_size(listing->rows) == listing->limit)
                (void)json_array_remove(listing->rows, 0);
        return json_array_append_new(listing->rows, entry) < 0 ? gbx_fail_memory(err) : 0;
}

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        gbx_auto(gbx_api_log_free) struct gbx_api_log log = {};
        gbx_auto(gbx_json_freep) json_t *rows = json_array();
        const json_t *limit = json_object_get(request, "limit");
        struct listing listing = { read_filter(request), limit ? (uint64_t)json_integer_value(limit) : LIST_LIMIT, rows };
        int r = listing.limit > 0 ? gbx_api_log_open(session, request, "audit ls", &log, err)
                                  : gbx_fail(err, -EINVAL, "--limit wants a number above 0");

        (void)sink;
        if (r >= 0)
                r = each_entry(session, &log, list_entry, &listing, err);
        if (r >= 0)
                *ret_answer = gbx_take_ptr(rows);
        return r;
}

struct exporting {
        struct gbx_log_filter filter;
        struct gbx_log_export *export;
        struct gbx_sink *sink;
};

static int hand_out(const struct gbx_sink *sink, const struct gbx_buffer *text, struct gbx_error *err) {
        return text->size > 0 && sink->chunk ? sink->chunk(sink->context, text->data, text->size, err) : 0;
}

static int export_entry(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        struct exporting *exporting = context;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        int r = gbx_entry_parse(data, size, &entry, err);

        if (r < 0)
                return gbx_context(err, r, "entry %llu", (unsigned long long)index);
        r = gbx_log_export_entry(exporting->export, index, entry, gbx_log_filter_matches(&exporting->filter, entry), &text, err);
        return r < 0 ? r : hand_out(exporting->sink, &text, err);
}

static int perform_export(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        gbx_auto(gbx_log_export_freep) struct gbx_log_export *export = NULL;
        gbx_auto(gbx_api_log_free) struct gbx_api_log log = {};
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer head = {};
        const char *name = gbx_json_text(request, "format");
        struct exporting exporting = { .filter = read_filter(request), .sink = sink };
        enum gbx_log_format format = GBX_LOG_JSON_LINES;
        struct gbx_checkpoint checkpoint = {};
        int r = gbx_api_log_open(session, request, "audit export", &log, err);

        (void)ret_answer;
        if (r >= 0 && name)
                r = gbx_log_format_parse(name, &format, err);
        if (r >= 0)
                r = gbx_log_tree_open(log.path, &tree, NULL, &checkpoint, err);
        if (r >= 0)
                r = gbx_log_export_new(&export, format, checkpoint.origin, err);
        if (r >= 0)
                r = gbx_log_export_begin(export, &head, err);
        if (r >= 0)
                r = hand_out(sink, &head, err);
        exporting.export = export;
        return r < 0 ? r : each_entry(session, &log, export_entry, &exporting, err);
}

/* --- verify ------------------------------------------------------------------------- */

/* Whether the times of the entries follow one another (gateway/log/format/entry_time.h). */
struct times {
        struct gbx_entry_times walk;
        json_t *notes; /* array of {"entry":…,"what":…} */
};

static void see_time(void *context, uint64_t index, const void *data, size_t size) {
        gbx_auto(gbx_json_freep) json_t *entry = json_loadb(data, size, 0, NULL); /* another's log may hold other entries */
        struct times *times = context;
        char what[160];

        if (entry && gbx_entry_times_follow(&times->walk, entry, what, sizeof what) != 0)
                (void)json_array_append_new(times->notes, json_pack("{s:I, s:s}", "entry", (json_int_t)index, "what", what));
}

static void show_progress(void *context, uint64_t done, uint64_t total) {
        const struct gbx_sink *sink = context;

        if (sink->progress)
                sink->progress(sink->context, "verifying", total ? (double)done / (double)total : 1);
}

static json_t *report_json(const struct gbx_verify_report *report, const json_t *request, const json_t *notes, int result,
                           const struct gbx_error *err) {
        char root[GBX_SHA256_TEXT_SIZE];
        json_t *json;

        gbx_sha256_text(report->checkpoint.root.bytes, root);
        json = json_pack("{s:b, s:s, s:I, s:I, s:s, s:O}", "verified", result == 0, "origin", report->checkpoint.origin, "size",
                         (json_int_t)report->checkpoint.size, "entries", (json_int_t)report->entries, "root", root, "notes", notes);
        if (json_object_get(request, "against") && report->against.size > 0)
                (void)json_object_set_new(json, "against", json_integer((json_int_t)report->against.size));
        if (report->witnesses.witnesses > 0) {
                (void)json_object_set_new(json, "cosigned", json_integer((json_int_t)report->witnesses.cosigned));
                (void)json_object_set_new(json, "witnesses", json_integer((json_int_t)report->witnesses.witnesses));
        }
        if (result < 0)
                (void)json_object_set_new(json, "message", json_string(err->message));
        if (report->bad_entry) {
                (void)json_object_set_new(json, "bad_first", json_integer((json_int_t)report->bad_first));
                (void)json_object_set_new(json, "bad_last", json_integer((json_int_t)report->bad_last));
        }
        if (report->bad_path[0])
                (void)json_object_set_new(json, "bad_path", json_string(report->bad_path));
        return json;
}

/* The audit itself is an action: recorded where the site's log was verified. Of a site's log that was named by its folder
 * only the right is asked. The log may be damaged: then only a refusal of the right counts. */
static int record(struct gbx_session *session, const struct gbx_api_log *log, const struct gbx_verify_report *report, int result,
                  struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char root[GBX_SHA256_TEXT_SIZE];
        int r = gbx_session_open(session, "audit verify", err);

        if (r < 0 || log->given)
                return r;
        gbx_sha256_text(report->checkpoint.root.bytes, root);
        details = json_pack("{s:I, s:s}", "size", (json_int_t)report->checkpoint.size, "root", root);
        if (report->against.size > 0)
                (void)json_object_set_new(details, "against", json_integer((json_int_t)report->against.size));
        return gbx_record(session->site, session->caller, "audit verify",
                          &(struct gbx_action){ "audit.verify", session->site->origin, result == 0 ? "done" : "failed", NULL, details },
                          err);
}

static int verify(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, const struct gbx_api_log *log, json_t *notes,
                  struct gbx_verify_report *report, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        const json_t *against = json_object_get(request, "against");
        struct times times = { .notes = notes };
        struct gbx_verify_options options = {
                .origin = gbx_json_text(request, "origin"),
                .against = json_string_value(against),
                .against_size = json_string_length(against),
                .progress = show_progress,
                .progress_context = sink,
                .entry = see_time,
                .entry_context = &times,
        };
        int r = gbx_api_log_verifier(session, request, &options.verifier, err);

        if (r >= 0)
                r = gbx_api_witness_policy(request, &policy, err);
        options.policy = policy;
        if (r >= 0)
                r = gbx_log_verify(AT_FDCWD, log->path, &options, report, err);
        if (sink->progress)
                sink->progress(sink->context, "verifying", -1);
        return r;
}

static int perform_verify(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        gbx_auto(gbx_api_log_free) struct gbx_api_log log = {};
        gbx_auto(gbx_json_freep) json_t *notes = json_array();
        struct gbx_verify_report report = {};
        struct gbx_error refusal = {};
        const char *anchor = gbx_json_text(request, "anchor");
        size_t anchors = 0;
        int recorded, r = gbx_api_log_find(session, request, &log, err);

        if (r >= 0)
                r = verify(session, request, sink, &log, notes, &report, err);
        if (r == 0 && anchor)
                r = gbx_log_check_anchors(log.path, anchor, &anchors, err);
        if (r < 0 && r != -EBADMSG)
                return r;
        recorded = log.own ? record(session, &log, &report, r, &refusal) : 0;
        if (recorded < 0 && (r == 0 || recorded == -EKEYREJECTED)) {
                if (err)
                        *err = refusal;
                return recorded;
        }
        *ret_answer = report_json(&report, request, notes, r, err);
        if (r == 0 && anchor)
                (void)json_object_set_new(*ret_answer, "anchors", json_sprintf("%zu anchor receipt%s", anchors, anchors == 1 ? "" : "s"));
        return r == 0 ? GBX_EXIT_DONE : GBX_EXIT_INTEGRITY;
}

/* --- proofs --------------------------------------------------------------------------- */

static int perform_prove(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        gbx_auto(gbx_api_log_free) struct gbx_api_log log = {};
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {}, proof = {};
        json_int_t entry = gbx_json_number(request, "entry");
        int r = gbx_api_log_open(session, request, "audit prove", &log, err);

        if (r >= 0)
                r = gbx_log_tree_open(log.path, &tree, &message, NULL, err);
        if (r >= 0)
                r = gbx_tree_prove(tree, (uint64_t)entry, &message, &proof, err);
        if (r >= 0)
                r = hand_out(sink, &proof, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:I}", "entry", entry);
        return r;
}

static int check_cosignatures(const json_t *request, const struct gbx_proof *proof, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = gbx_api_witness_policy(request, &policy, err);

        if (r < 0 || !policy)
                return r;
        r = gbx_note_parse(proof->message, proof->message_size, &note, err);
        if (r == 0)
                r = gbx_witness_policy_check(policy, &note, NULL, err);
        return r == GBX_WITNESS_SHORT ? -EBADMSG : r;
}

static int find_entry(struct gbx_session *session, const struct gbx_proof *proof, struct gbx_buffer *ret, struct gbx_error *err) {
        if (gbx_session_file(session, "entry") >= 0)
                return gbx_session_read(session, "entry", GBX_ENTRY_MAX, ret, err);
        if (proof->extra)
                return gbx_base64_decode(GBX_BASE64_PADDED, proof->extra, proof->extra_size, ret, err);
        return gbx_fail(err, -EINVAL, "the proof does not carry the entry; give it with --entry FILE");
}

static int perform_check_proof(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                               struct gbx_error *err) {
        const json_t *text = json_object_get(request, "proof");
        gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};
        struct gbx_note_verifier verifier;
        struct gbx_checkpoint checkpoint = {};
        struct gbx_proof proof = {};
        int r = gbx_api_log_verifier(session, request, &verifier, err);

        (void)sink;
        if (r >= 0)
                r = gbx_proof_parse(json_string_value(text), json_string_length(text), &proof, err);
        if (r >= 0)
                r = find_entry(session, &proof, &entry, err);
        if (r >= 0)
                r = gbx_proof_verify(&proof, entry.data, entry.size, &verifier, gbx_json_text(request, "origin"), &checkpoint, err);
        if (r >= 0)
                r = check_cosignatures(request, &proof, err);
        if (r < 0)
                return r;
        *ret_answer = json_pack("{s:s, s:I, s:I, s:o*, s:s%}", "origin", checkpoint.origin, "index", (json_int_t)proof.index, "size",
                                (json_int_t)checkpoint.size, "entry", json_loadb(gbx_buffer_text(&entry), entry.size, 0, NULL), "text",
                                gbx_buffer_text(&entry), entry.size);
        return 0;
}

/* --- the table ------------------------------------------------------------------------- */

static const struct gbx_column entry_columns[] = {
        { "index", "ENTRY", GBX_COLUMN_NUMBER, 0 },  { "time", "TIME", GBX_COLUMN_TIME, 0 },
        { "actor", "ACTOR", GBX_COLUMN_TEXT, 0 },    { "action", "ACTION", GBX_COLUMN_TEXT, 0 },
        { "object", "OBJECT", GBX_COLUMN_DIGEST, 0 }, { "outcome", "OUTCOME", GBX_COLUMN_TEXT, 0 },
        { "reasons", "REASONS", GBX_COLUMN_LINES, 0 }, { "details", NULL, GBX_COLUMN_OBJECT, 0 },
        { "proof", NULL, GBX_COLUMN_TEXT, 0 },       { "v", NULL, GBX_COLUMN_NUMBER, 0 },
        {},
};

static const struct gbx_column verify_columns[] = {
        { "verified", NULL, GBX_COLUMN_BOOLEAN, 0 },  { "origin", NULL, GBX_COLUMN_TEXT, 0 },
        { "size", NULL, GBX_COLUMN_NUMBER, 0 },       { "entries", NULL, GBX_COLUMN_NUMBER, 0 },
        { "root", NULL, GBX_COLUMN_DIGEST, 0 },       { "against", NULL, GBX_COLUMN_NUMBER, 0 },
        { "cosigned", NULL, GBX_COLUMN_NUMBER, 0 },   { "witnesses", NULL, GBX_COLUMN_NUMBER, 0 },
        { "bad_first", NULL, GBX_COLUMN_NUMBER, 0 },  { "bad_last", NULL, GBX_COLUMN_NUMBER, 0 },
        { "bad_path", NULL, GBX_COLUMN_TEXT, 0 },     { "message", NULL, GBX_COLUMN_TEXT, 0 },
        { "anchors", NULL, GBX_COLUMN_TEXT, 0 },      {},
};

static const struct gbx_column proof_columns[] = {
        { "origin", NULL, GBX_COLUMN_TEXT, 0 }, { "index", NULL, GBX_COLUMN_NUMBER, 0 },
        { "size", NULL, GBX_COLUMN_NUMBER, 0 }, { "entry", NULL, GBX_COLUMN_OBJECT, 0 },
        {},
};

#define FILTER_FIELDS                                                                                                          \
        GBX_LOG_FIELD, { .name = "actor", .value = "NAME", .help = "entries of this principal" },                              \
                { .name = "action", .value = "ACTION", .help = "entries of this action, say run.start, or run for all of them" }, \
                { .name = "object", .value = "TEXT", .help = "entries about this object" },                                    \
                { .name = "outcome", .value = "WORD", .help = "entries with this outcome" },                                   \
                { .name = "since", .type = GBX_FIELD_TIME, .value = "TIME", .help = "from this day or second on (UTC)" },      \
                { .name = "until", .type = GBX_FIELD_TIME, .value = "TIME", .help = "before this day or second (UTC)" }

const struct gbx_operation gbx_operations_audit[] = {
        { GBX_OPERATION("audit", "ls", "audit ls", GBX_LOCAL, perform_ls),
          .summary = "list entries of the action log",
          .fields = (const struct gbx_field[]){
                  FILTER_FIELDS,
                  { .name = "limit", .type = GBX_FIELD_INTEGER, .value = "N", .help = "the newest N that match (default: 1000)" }, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_ROWS, .columns = entry_columns, .text = "no entry matches" }, {} } },
        { GBX_OPERATION("audit", "export", "audit export", GBX_LOCAL, perform_export),
          .summary = "write entries as JSON lines, CSV or OpenLineage run events",
          .fields = (const struct gbx_field[]){
                  FILTER_FIELDS,
                  { .name = "format", .value = "NAME", .help = "default: jsonl", .words = "jsonl csv openlineage" },
                  { .name = "out", .value = "FILE", .help = "a new file (default: standard output)", .client = true }, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_BYTES, .member = "export" }, {} } },
        { GBX_OPERATION("audit", "verify", "audit verify", GBX_LOCAL, perform_verify),
          .summary = "check signatures, every entry, every tile and the root",
          .details = "Needs no site: --log and --vkey verify any log in the tlog-tiles format. The first bad entry is named.\n"
                     "Keep the checkpoint that a verification printed (or DIR/checkpoint): with --against the next one shows\n"
                     "that nothing was removed or rewritten since. Exit code 5 if integrity is broken.",
          .fields = (const struct gbx_field[]){
                  GBX_LOG_FIELD, GBX_VKEY_FIELD, GBX_ORIGIN_FIELD,
                  { .name = "against", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "a checkpoint that was kept" },
                  GBX_WITNESS_FIELD,
                  { .name = "anchor", .value = "URL", .help = "check the log's anchor receipts at this chain node (JSON-RPC)" }, {} },
          .records = "audit.verify",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE, .when = "!verified", .text = "gbx: {message}" },
                  { .kind = GBX_PART_LINE, .when = "verified", .text = "verified: {entries} entries of {origin}\n  root {root}, signed" },
                  { .kind = GBX_PART_LINE, .when = "against", .text = "  extends the kept checkpoint over {against} entries" },
                  { .kind = GBX_PART_LINE, .when = "witnesses",
                    .text = "  cosigned by {cosigned} of {witnesses} witnesses; the quorum is met" },
                  { .kind = GBX_PART_LINE, .when = "anchors", .text = "  {anchors}, found again in the chain" },
                  { .kind = GBX_PART_LINES, .member = "notes", .when = "verified", .text = "  note: entry {entry}: {what}" },
                  { .kind = GBX_PART_FIELDS, .columns = verify_columns },
                  {} } },
        { GBX_OPERATION("audit", "prove", "audit prove", GBX_LOCAL, perform_prove),
          .summary = "write an offline proof that an entry is in the log",
          .details = "The proof (tlog-proof) holds the entry, its path and the signed checkpoint: a receipt to hand over.",
          .fields = (const struct gbx_field[]){
                  { .name = "entry", .type = GBX_FIELD_INTEGER, .value = "ENTRY", .required = true, .positional = true },
                  GBX_LOG_FIELD,
                  { .name = "out", .value = "FILE", .help = "where to (default: entry-N.tlog-proof; - for standard output)",
                    .client = true },
                  {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_BYTES, .member = "proof", .text = "entry-{entry}.tlog-proof" },
                  { .kind = GBX_PART_NOTE, .text = "Check it anywhere with: gbx audit check-proof FILE --vkey KEY" },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "entry", NULL, GBX_COLUMN_NUMBER, 0 }, {} } },
                  {} } },
        { GBX_OPERATION("audit", "check-proof", "audit check-proof", GBX_LOCAL, perform_check_proof),
          .summary = "check an offline proof, without the log",
          .fields = (const struct gbx_field[]){
                  { .name = "proof", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .required = true, .positional = true },
                  GBX_VKEY_FIELD, GBX_ORIGIN_FIELD,
                  { .name = "entry", .type = GBX_FIELD_FILE, .value = "FILE",
                    .help = "the entry (default: the one that the proof carries)" },
                  GBX_WITNESS_FIELD, {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "verified: entry {index} of {origin}, under the signed checkpoint over {size} entries" },
                  { .kind = GBX_PART_TEXT, .member = "text" },
                  { .kind = GBX_PART_FIELDS, .columns = proof_columns },
                  {} } },
        {},
};
