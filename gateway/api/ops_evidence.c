/* audit replay | rebuild | witness | anchor: deciding again, and evidence that lies with others */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/audit/replay.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/format/note.h"
#include "gateway/log/witness/anchor.h"
#include "gateway/log/witness/witness_client.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/rebuild.h"
#include "gateway/store/transaction.h"
#include "gateway/store/witnesses.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { ANCHOR_TIMEOUT_MS = 60 * 1000, CHECK_TIMEOUT_MS = 10 * 1000 };

/* --- replay --------------------------------------------------------------------------- */

static int record_replay(struct gbx_session *session, const char *run, uint64_t size, uint64_t divergences, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:I, s:I, s:s*}", "size", (json_int_t)size, "divergences",
                                                             (json_int_t)divergences, "run", run);

        return gbx_record(session->site, session->caller, "audit replay",
                          &(struct gbx_action){ "audit.replay", session->site->origin, divergences ? "failed" : "done", NULL, details },
                          err);
}

static int replay_run(struct gbx_session *session, const char *run, json_t **ret_answer, struct gbx_error *err) {
        char recorded[72], found[72];
        int differs = gbx_replay_run(session->site, run, recorded, found, err), r;

        if (differs < 0)
                return differs;
        r = record_replay(session, run, 1, (uint64_t)differs, err);
        if (r < 0)
                return r;
        *ret_answer = json_pack("{s:s, s:b, s:b, s:s, s:s}", "run", run, "equal", !differs, "unequal", differs, "recorded", recorded,
                                "found",
                                found);
        return differs ? GBX_EXIT_INTEGRITY : GBX_EXIT_DONE;
}

static json_t *replay_json(const struct gbx_replay *replay) {
        return json_pack("{s:I, s:I, s:I, s:b, s:O, s:O, s:O, s:I, s:s}", "entries", (json_int_t)replay->entries, "decisions",
                         (json_int_t)replay->decisions, "signatures", (json_int_t)replay->signatures, "view_equal", replay->view_equal,
                         "divergences", replay->divergences, "notes", replay->notes, "differences", replay->differences, "count",
                         (json_int_t)json_array_size(replay->divergences), "view",
                         replay->view_equal ? "is what the log says" : "DIFFERS from the log");
}

/* Works whatever the view is like: rights and facts come from the log. */
static int perform_replay(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};
        const char *run = gbx_json_text(request, "run");
        size_t divergences;
        int r = run ? gbx_site_open(&session->site, session->site_path, err)
                    : gbx_site_open_without_view(&session->site, session->site_path, err);

        (void)sink;
        if (r >= 0)
                r = gbx_authorise_by_log(session->site, session->caller, "audit replay", err);
        if (r < 0)
                return r;
        if (run)
                return replay_run(session, run, ret_answer, err);
        r = gbx_replay_log(session->site, gbx_operation_action_of, &replay, err);
        if (r < 0)
                return r;
        divergences = json_array_size(replay.divergences) + json_array_size(replay.differences);
        r = record_replay(session, NULL, replay.entries, divergences, err);
        if (r < 0 && r != -EBADMSG) /* a view that is not the log's takes no entry; what was found is told all the same */
                return r;
        *ret_answer = replay_json(&replay);
        return divergences || r < 0 ? GBX_EXIT_INTEGRITY : GBX_EXIT_DONE;
}

static int perform_rebuild(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        gbx_auto(gbx_rebuild_free) struct gbx_rebuild rebuild = {};
        int r = gbx_rebuild(session->site_path, session->caller, &rebuild, err);

        (void)request, (void)sink;
        if (r < 0)
                return r;
        *ret_answer = json_pack("{s:I, s:b, s:O}", "size", (json_int_t)rebuild.entries, "equal", rebuild.equal, "differences",
                                rebuild.differences);
        return 0;
}

/* --- witnesses ------------------------------------------------------------ */

static json_t *status_rows(const struct gbx_witness_status *statuses, size_t count) {
        json_t *rows = json_array();

        for (size_t i = 0; i < count; i++) {
                const struct gbx_witness_status *status = &statuses[i];
                char time[GBX_TIME_TEXT_SIZE] = "";

                if (status->time > 0)
                        gbx_time_text((int64_t)status->time, time);
                (void)json_array_append_new(rows, json_pack("{s:s, s:b, s:I, s:I, s:s, s:s}", "witness", status->name, "cosigned",
                                                            status->cosigned, "size", (json_int_t)status->size, "behind",
                                                            (json_int_t)status->behind, "time", time, "problem", status->problem));
        }
        return rows;
}

/* Whether the published checkpoint meets the policy. */
static int check_quorum(struct gbx_log *log, const struct gbx_witness_policy *policy, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = gbx_log_message(log, &message, err);

        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&message), message.size, &note, err);
        return r < 0 ? r : gbx_witness_policy_check(policy, &note, NULL, err);
}

/* Whether the site's witnesses or those of the request; 1: there are none. */
static int find_policy(struct gbx_session *session, const json_t *request, struct gbx_witness_policy *ret, struct gbx_error *err) {
        const json_t *text = json_object_get(request, "witness-policy");

        return text ? gbx_witness_policy_parse(json_string_value(text), json_string_length(text), ret, err)
                    : gbx_site_witness_policy(session->site, NULL, ret, err);
}

static int perform_witness(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                           struct gbx_error *err) {
        struct gbx_witness_status statuses[GBX_POLICY_WITNESSES_MAX];
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = calloc(1, sizeof *policy);
        struct gbx_log *log = session->site->log;
        size_t count = 0;
        int r;

        (void)sink;
        if (!policy)
                return gbx_fail_memory(err);
        r = find_policy(session, request, policy, err);
        if (r == 1)
                return gbx_fail(err, -ENOENT, "the site has no witnesses; name them in %s/witness-policy (tlog-policy)",
                                session->site_path);
        if (r >= 0)
                r = gbx_log_checkpoint(log, NULL, err);
        if (r >= 0)
                r = gbx_request_is(request, "known") ? gbx_witness_known(log, policy, statuses, &count, err)
                                                     : gbx_witness_submit(log, policy, CHECK_TIMEOUT_MS, statuses, &count, err);
        if (r < 0)
                return r;
        r = check_quorum(log, policy, err);
        if (r < 0)
                return r;
        *ret_answer = status_rows(statuses, count);
        return r == GBX_WITNESS_SHORT ? GBX_EXIT_FAILED : GBX_EXIT_DONE;
}

/* --- anchors -------------------------------------------------------------- */

static int newest_checkpoint(struct gbx_log *log, struct gbx_checkpoint *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = gbx_log_message(log, &message, err);

        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&message), message.size, &note, err);
        return r < 0 ? r : gbx_checkpoint_parse(note.text, note.text_size, ret, err);
}

/* Whether the log's last entry is the receipt of an anchor over all entries before it: nothing new to anchor. */
static bool is_anchored(struct gbx_log *log) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        uint64_t size = gbx_log_size(log);
        const char *action;

        if (size == 0 || gbx_log_read(log, size - 1, &text, NULL) < 0 || gbx_entry_parse(text.data, text.size, &entry, NULL) < 0)
                return false;
        action = json_string_value(json_object_get(entry, "action"));
        return action && strcmp(action, "anchor.receipt") == 0 &&
               json_integer_value(json_object_get(json_object_get(entry, "details"), "size")) == (json_int_t)size - 1;
}

/* Anchors the newest checkpoint and records the receipt. */
static int anchor_once(struct gbx_session *session, const json_t *request, json_t **ret_answer, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        struct gbx_site *site = session->site;
        struct gbx_checkpoint checkpoint = {};
        struct gbx_anchor anchor = {};
        int r = gbx_site_checkpoint(site, err);

        if (r == 0 && is_anchored(site->log)) {
                *ret_answer = json_pack("{s:b}", "nothing", true);
                return 0;
        }
        if (r == 0)
                r = newest_checkpoint(site->log, &checkpoint, err);
        if (r == 0)
                r = gbx_anchor_submit(gbx_json_text(request, "url"), gbx_json_text(request, "from"), &checkpoint, ANCHOR_TIMEOUT_MS,
                                      &anchor,
                                      err);
        if (r == 0)
                r = gbx_anchor_to_details(&anchor, &details, err);
        if (r == 0)
                r = gbx_record(site, session->caller, "audit anchor",
                               &(struct gbx_action){ "anchor.receipt", site->origin, "done", NULL, details }, err);
        if (r == 0)
                *ret_answer = gbx_take_ptr(details);
        return r;
}

/* Waits; true: the caller wants no more. */
static bool pause_for(const struct gbx_session *session, uint64_t milliseconds) {
        struct pollfd poll_fd = { .fd = session->cancel > 0 ? session->cancel : -1, .events = POLLIN };

        return poll(&poll_fd, 1, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds) > 0;
}

/* Again and again: a chain that is away is met again at the next turn. The site is open only meanwhile. */
static int anchor_every(struct gbx_session *session, const json_t *request, uint64_t interval_ms, struct gbx_sink *sink,
                        json_t **ret_answer,
                        struct gbx_error *err) {
        for (;;) {
                gbx_auto(gbx_json_freep) json_t *turn = NULL;
                int r = gbx_session_open(session, "audit anchor", err);

                if (r == 0)
                        r = anchor_once(session, request, &turn, err);
                if (r == -EBADMSG || r == -EINVAL || r == -ENOMEM || r == -EKEYREJECTED)
                        return r;
                if (r < 0)
                        turn = json_pack("{s:s}", "problem", err ? err->message : "it failed");
                if (sink->event)
                        sink->event(sink->context, turn);
                session->site = gbx_site_close(session->site);
                if (pause_for(session, interval_ms)) {
                        *ret_answer = json_pack("{s:b}", "ended", true);
                        return GBX_EXIT_DONE;
                }
        }
}

static int perform_anchor(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const char *every = gbx_json_text(request, "every");
        uint64_t interval;
        int r;

        if (!every)
                return anchor_once(session, request, ret_answer, err);
        r = gbx_parse_duration(every, &interval, err);
        if (r == 0 && interval < 1000)
                r = gbx_fail(err, -EINVAL, "--every wants at least 1s");
        if (r < 0)
                return r;
        session->site = gbx_site_close(session->site);
        return anchor_every(session, request, interval, sink, ret_answer, err);
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct gbx_column replay_columns[] = {
        { "entries", NULL, GBX_COLUMN_NUMBER, 0 },   { "decisions", NULL, GBX_COLUMN_NUMBER, 0 },
        { "signatures", NULL, GBX_COLUMN_NUMBER, 0 }, { "view_equal", NULL, GBX_COLUMN_BOOLEAN, 0 },
        { "run", NULL, GBX_COLUMN_TEXT, 0 },         { "equal", NULL, GBX_COLUMN_BOOLEAN, 0 },
        { "unequal", NULL, GBX_COLUMN_BOOLEAN, 0 },  { "recorded", NULL, GBX_COLUMN_DIGEST, 0 },
        { "found", NULL, GBX_COLUMN_DIGEST, 0 },     { "count", NULL, GBX_COLUMN_NUMBER, 0 },
        { "view", NULL, GBX_COLUMN_TEXT, 0 },        {},
};

static const struct gbx_column rebuild_columns[] = { { "size", NULL, GBX_COLUMN_NUMBER, 0 }, { "equal", NULL, GBX_COLUMN_BOOLEAN, 0 }, {} };

static const struct gbx_column witness_columns[] = {
        { "witness", "WITNESS", GBX_COLUMN_TEXT, 0 },  { "size", "ENTRIES", GBX_COLUMN_NUMBER, 0 },
        { "behind", "BEHIND", GBX_COLUMN_NUMBER, 0 },  { "time", "COSIGNED", GBX_COLUMN_TIME, 0 },
        { "problem", "PROBLEM", GBX_COLUMN_TEXT, 0 },  { "cosigned", NULL, GBX_COLUMN_BOOLEAN, 0 },
        {},
};

static const struct gbx_column anchor_columns[] = {
        { "size", NULL, GBX_COLUMN_NUMBER, 0 },        { "root", NULL, GBX_COLUMN_TEXT, 0 },
        { "chain", NULL, GBX_COLUMN_NUMBER, 0 },       { "block", NULL, GBX_COLUMN_NUMBER, 0 },
        { "block_hash", NULL, GBX_COLUMN_TEXT, 0 },    { "transaction", NULL, GBX_COLUMN_TEXT, 0 },
        { "url", NULL, GBX_COLUMN_TEXT, 0 },           { "problem", NULL, GBX_COLUMN_TEXT, 0 },
        { "nothing", NULL, GBX_COLUMN_BOOLEAN, 0 },    { "ended", NULL, GBX_COLUMN_BOOLEAN, 0 },
        {},
};

const struct gbx_operation gbx_operations_evidence[] = {
        { GBX_OPERATION("audit", "replay", "audit replay", GBX_LOCAL, perform_replay),
          .summary = "decide everything again from the log, or run a job again",
          .details = "Without --run: re-makes every decision, re-checks every signature and transition, and compares the view.\n"
                     "With --run: runs the job in a fresh sandbox and compares the outputs byte for byte. Exit code 5 if anything\n"
                     "differs.",
          .fields = (const struct gbx_field[]){ { .name = "run", .value = "RUN", .help = "run this job again" }, {} },
          .records = "audit.replay",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .when = "equal", .text = "{run} ran again: the same outputs, byte for byte ({found})" },
                  { .kind = GBX_PART_LINE, .when = "unequal",
                    .text = "{run} ran again: other outputs than recorded\n  recorded {recorded}\n  found    {found}" },
                  { .kind = GBX_PART_LINES, .member = "divergences", .text = "entry {entry} ({action}): {what}" },
                  { .kind = GBX_PART_LINES, .member = "notes", .text = "note: entry {entry} ({action}): {what}" },
                  { .kind = GBX_PART_LINES, .member = "differences", .text = "the view: {}" },
                  { .kind = GBX_PART_LINE, .when = "view",
                    .text = "{entries} entries replayed: {decisions} decisions made again, {signatures} signatures checked,"
                            " {count} divergences; the view {view}" },
                  { .kind = GBX_PART_FIELDS, .columns = replay_columns },
                  {} } },
        { GBX_OPERATION("audit", "rebuild", "audit rebuild", GBX_LOCAL, perform_rebuild),
          .summary = "make the view anew from the log", .records = "audit.rebuild",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINES, .member = "differences", .text = "differed: {}" },
                  { .kind = GBX_PART_LINE, .when = "equal", .text = "Rebuilt the view from {size} entries; it equals the old one." },
                  { .kind = GBX_PART_LINE, .when = "!equal",
                    .text = "Rebuilt the view from {size} entries; it replaces, and differs from, the old one." },
                  { .kind = GBX_PART_FIELDS, .columns = rebuild_columns },
                  {} } },
        { GBX_OPERATION("audit", "witness", "audit witness", GBX_WRITE, perform_witness),
          .summary = "submit the newest checkpoint to witnesses, show how far each one is",
          .details = "Each checkpoint is submitted by itself where SITE/witness-policy (tlog-policy) names witnesses with their\n"
                     "URLs; this asks all of them again and shows the answers. Exit code 1 if the quorum is not met.",
          .fields = (const struct gbx_field[]){
                  { .name = "witness-policy", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "another policy than the site's" },
                  { .name = "known", .type = GBX_FIELD_BOOLEAN, .help = "ask nobody: show what is known" }, {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .columns = witness_columns, .text = "the policy names no witness" }, {} } },
        { GBX_OPERATION("audit", "anchor", "audit anchor", GBX_JOB, perform_anchor),
          .summary = "put the newest checkpoint into a chain (EVM, JSON-RPC) and log the receipt",
          .details = "The node must have an account that it signs for. gbx audit verify --anchor URL reads the evidence back.",
          .fields = (const struct gbx_field[]){
                  { .name = "url", .value = "URL", .help = "the chain node's JSON-RPC, http:// or https://", .required = true },
                  { .name = "from", .value = "ADDRESS", .help = "the account (default: the node's first one)" },
                  { .name = "every", .value = "TIME", .help = "go on for ever, at this interval (10m, say)" }, {} },
          .records = "anchor.receipt",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE, .when = "nothing", .text = "Nothing is new since the last anchor." },
                  { .kind = GBX_PART_NOTE, .when = "problem", .text = "gbx: {problem}" },
                  { .kind = GBX_PART_LINE, .when = "transaction",
                    .text = "anchored {size} entries in block {block} of chain {chain}\n  transaction {transaction}" },
                  { .kind = GBX_PART_FIELDS, .columns = anchor_columns },
                  {} } },
        {},
};
