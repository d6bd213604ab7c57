/* gbx audit verify | prove | check-proof */
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/cli/audit.h"
#include "gateway/cli/table.h"
#include "gateway/log/format/entry_time.h"
#include "gateway/log/format/proof.h"
#include "gateway/log/format/tile.h"
#include "gateway/log/verify/verify.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "gateway/store/keys.h"
#include "base/json.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

enum { POLICY_LIMIT = 64 * 1024, PROOF_LIMIT = 256 * 1024 };

int gbx_audit_verifier(const struct gbx_cli *cli, struct gbx_note_verifier *ret, struct gbx_error *err) {
        const char *text = gbx_cli_option(cli, "vkey");
        int r;

        if (text) {
                r = gbx_note_verifier_parse(text, strlen(text), ret, err);
                return r < 0 ? gbx_context(err, r, "--vkey") : 0;
        }
        if (gbx_cli_option(cli, "log"))
                return gbx_fail(err, -EINVAL, "--log needs --vkey: the key of a log is not taken from the log itself");
        r = gbx_site_log_verifier(cli->site_path, ret, err);
        return r < 0 ? gbx_context(err, r, "no --vkey, and no site to take it from") : 0;
}

/* The directory of the log; `ret_path` is freed by the caller. */
static int log_path(const struct gbx_cli *cli, char **ret_path, struct gbx_error *err) {
        const char *given = gbx_cli_option(cli, "log");
        char *path = NULL;

        if (given)
                path = strdup(given);
        else if (asprintf(&path, "%s/log", cli->site_path) < 0)
                path = NULL;
        if (!path)
                return gbx_fail_memory(err);
        *ret_path = path;
        return 0;
}

int gbx_audit_open_tree(const char *path, struct gbx_tree **ret, struct gbx_buffer *message,
                        struct gbx_checkpoint *checkpoint, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer own = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        struct gbx_checkpoint found = {};
        int r = gbx_tree_open(&tree, AT_FDCWD, path, err);

        if (!message)
                message = &own;
        if (r == 0)
                r = gbx_tree_message(tree, message, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(message), message->size, &note, err);
        if (r == 0)
                r = gbx_checkpoint_parse(note.text, note.text_size, &found, err);
        if (r < 0)
                return gbx_context(err, r, "log '%s'", path);
        gbx_tree_set_size(tree, found.size);
        if (checkpoint)
                *checkpoint = found;
        *ret = gbx_take_ptr(tree);
        return 0;
}

int gbx_audit_origin(const struct gbx_cli *cli, struct gbx_note_verifier *ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *path = NULL;
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        struct gbx_checkpoint checkpoint;
        int r = log_path(cli, &path, err);

        if (r == 0)
                r = gbx_audit_open_tree(path, &tree, NULL, &checkpoint, err);
        if (r == 0)
                memcpy(ret->name, checkpoint.origin, sizeof ret->name);
        return r;
}

static int read_option_file(const struct gbx_cli *cli, const char *option, size_t limit, struct gbx_buffer *ret,
                            struct gbx_error *err) {
        int r = gbx_read_file(AT_FDCWD, gbx_cli_option(cli, option), limit, ret, err);

        return r < 0 ? gbx_context(err, r, "--%s", option) : 0;
}

/* `*ret` stays NULL without --witness-policy. */
static int read_policy(const struct gbx_cli *cli, struct gbx_witness_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        int r;

        if (!gbx_cli_option(cli, "witness-policy"))
                return 0;
        policy = calloc(1, sizeof *policy);
        if (!policy)
                return gbx_fail_memory(err);
        r = read_option_file(cli, "witness-policy", POLICY_LIMIT, &text, err);
        if (r == 0)
                r = gbx_witness_policy_parse(gbx_buffer_text(&text), text.size, policy, err);
        if (r == 0)
                *ret = gbx_take_ptr(policy);
        return r;
}

/* --- verify --------------------------------------------------------------- */

static void show_progress(void *context, uint64_t done, uint64_t total) {
        gbx_cli_progress(context, "verifying", total ? (double)done / (double)total : 1);
}

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

static json_t *report_json(const struct gbx_verify_report *report, int result, const struct gbx_error *err) {
        char root[GBX_SHA256_TEXT_SIZE];
        json_t *json;

        gbx_sha256_text(report->checkpoint.root.bytes, root);
        json = json_pack("{s:b, s:s, s:I, s:I, s:s}", "verified", result == 0, "origin", report->checkpoint.origin, "size",
                         (json_int_t)report->checkpoint.size, "entries", (json_int_t)report->entries, "root", root);
        if (report->against.size > 0)
                (void)json_object_set_new(json, "against", json_integer((json_int_t)report->against.size));
        if (report->witnesses.witnesses > 0)
                (void)json_object_set_new(json, "cosigned", json_integer((json_int_t)report->witnesses.cosigned));
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

static void print_report(struct gbx_cli *cli, const struct gbx_verify_report *report, size_t anchors, const json_t *notes) {
        const json_t *note;
        size_t place;
        char root[2 * GBX_SHA256_SIZE + 1];

        gbx_hex_encode(report->checkpoint.root.bytes, GBX_SHA256_SIZE, root);
        printf("verified: %llu entries of %s\n  root %s, signed\n", (unsigned long long)report->entries,
               report->checkpoint.origin, root);
        if (gbx_cli_option(cli, "against"))
                printf("  extends the kept checkpoint over %llu entries\n", (unsigned long long)report->against.size);
        if (gbx_cli_option(cli, "witness-policy"))
                printf("  cosigned by %zu of %zu witnesses; the quorum is met\n", report->witnesses.cosigned,
                       report->witnesses.witnesses);
        if (gbx_cli_option(cli, "anchor"))
                printf("  %zu anchor receipt%s, found again in the chain\n", anchors, anchors == 1 ? "" : "s");
        json_array_foreach(notes, place, note)
                printf("  note: entry %lld: %s\n", (long long)json_integer_value(json_object_get(note, "entry")),
                       json_string_value(json_object_get(note, "what")));
}

/* The audit itself is an action: recorded where the log is the site's own. */
static int record(struct gbx_cli *cli, const struct gbx_verify_report *report, int result, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char root[GBX_SHA256_TEXT_SIZE];
        int r = gbx_site_open(&site, cli->site_path, err);

        if (r < 0)
                return r;
        gbx_sha256_text(report->checkpoint.root.bytes, root);
        details = json_pack("{s:I, s:s}", "size", (json_int_t)report->checkpoint.size, "root", root);
        if (report->against.size > 0)
                (void)json_object_set_new(details, "against", json_integer((json_int_t)report->against.size));
        r = gbx_record(site, cli->caller, "audit verify", &(struct gbx_action){ "audit.verify", site->origin,
                                                        result == 0 ? "done" : "failed", NULL, details }, err);
        return r < 0 ? r : gbx_site_checkpoint(site, err);
}

int gbx_audit_verify(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *path = NULL;
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer against = {};
        gbx_auto(gbx_json_freep) json_t *notes = json_array();
        struct times times = { .notes = notes };
        struct gbx_verify_options options = {
                .origin = gbx_cli_option(cli, "origin"),
                .progress = show_progress,
                .progress_context = cli,
                .entry = see_time,
                .entry_context = &times,
        };
        struct gbx_verify_report report = {};
        struct gbx_error ignored = {};
        bool own = !gbx_cli_option(cli, "log");
        size_t anchors = 0;
        int r = gbx_audit_verifier(cli, &options.verifier, err);

        if (r == 0)
                r = log_path(cli, &path, err);
        if (r == 0)
                r = read_policy(cli, &policy, err);
        if (r == 0 && gbx_cli_option(cli, "against"))
                r = read_option_file(cli, "against", GBX_NOTE_SIZE_MAX, &against, err);
        if (r < 0)
                return r;
        options.policy = policy;
        if (gbx_cli_option(cli, "against")) {
                options.against = gbx_buffer_text(&against);
                options.against_size = against.size;
        }
        r = gbx_log_verify(AT_FDCWD, path, &options, &report, err);
        gbx_cli_progress(cli, "verifying", -1);
        if (r == 0 && gbx_cli_option(cli, "anchor"))
                r = gbx_audit_check_anchors(path, gbx_cli_option(cli, "anchor"), &anchors, err);
        if (own && (r == 0 || r == -EBADMSG)) {
                int recorded = record(cli, &report, r, r == 0 ? err : &ignored); /* a damaged log may refuse the record */

                if (r == 0 && recorded < 0)
                        return recorded;
        }
        if (cli->json && (r == 0 || r == -EBADMSG)) {
                json_t *json = report_json(&report, r, err);

                (void)json_object_set(json, "notes", notes);
                gbx_cli_print_json(json);
                return r == 0 ? GBX_EXIT_DONE : GBX_EXIT_INTEGRITY;
        }
        if (r == 0)
                print_report(cli, &report, anchors, notes);
        return r;
}

/* --- proofs --------------------------------------------------------------- */

int gbx_audit_prove(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *path = NULL;
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {}, proof = {};
        const char *out = gbx_cli_option(cli, "out");
        char name[64];
        uint64_t index = 0;
        int r = gbx_parse_u64(cli->arguments[0], &index, err);

        if (r == 0)
                r = log_path(cli, &path, err);
        if (r == 0)
                r = gbx_audit_open_tree(path, &tree, &message, NULL, err);
        if (r == 0)
                r = gbx_tree_prove(tree, index, &message, &proof, err);
        if (r < 0)
                return r;
        if (out && strcmp(out, "-") == 0) {
                if (fwrite(proof.data, 1, proof.size, stdout) != proof.size)
                        return gbx_fail_errno(err, "cannot write the proof");
                return 0;
        }
        (void)snprintf(name, sizeof name, "entry-%llu.tlog-proof", (unsigned long long)index);
        r = gbx_write_file_durably(AT_FDCWD, out ? out : name, proof.data, proof.size, 0644, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:I, s:s}", "entry", (json_int_t)index, "proof", out ? out : name));
        else
                printf("%s\n", out ? out : name);
        gbx_cli_say(cli, "Check it anywhere with: gbx audit check-proof %s --vkey KEY\n", out ? out : name);
        return 0;
}

static int check_cosignatures(const struct gbx_cli *cli, const struct gbx_proof *proof, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = read_policy(cli, &policy, err);

        if (r < 0 || !policy)
                return r;
        r = gbx_note_parse(proof->message, proof->message_size, &note, err);
        if (r == 0)
                r = gbx_witness_policy_check(policy, &note, NULL, err);
        return r == GBX_WITNESS_SHORT ? -EBADMSG : r;
}

/* The entry, such that a terminal shows it and does not obey it. */
static int print_entry(const struct gbx_buffer *entry, struct gbx_error *err) {
        size_t size = 4 * entry->size + 1;
        gbx_auto(gbx_free_pointer) char *text = malloc(size);

        if (!text)
                return gbx_fail_memory(err);
        gbx_text_printable(gbx_buffer_text(entry), entry->size, text, size);
        printf("%s\n", text);
        return 0;
}

int gbx_audit_check_proof(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, entry = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        struct gbx_note_verifier verifier;
        struct gbx_checkpoint checkpoint = {};
        struct gbx_proof proof = {};
        int r = gbx_audit_verifier(cli, &verifier, err);

        if (r == 0)
                r = gbx_read_file(AT_FDCWD, cli->arguments[0], PROOF_LIMIT, &text, err);
        if (r == 0)
                r = gbx_proof_parse(gbx_buffer_text(&text), text.size, &proof, err);
        if (r < 0)
                return r;
        if (gbx_cli_option(cli, "entry"))
                r = read_option_file(cli, "entry", GBX_ENTRY_MAX, &entry, err);
        else if (proof.extra)
                r = gbx_base64_decode(GBX_BASE64_PADDED, proof.extra, proof.extra_size, &entry, err);
        else
                r = gbx_fail(err, -EINVAL, "the proof does not carry the entry; give it with --entry FILE");
        if (r == 0)
                r = gbx_proof_verify(&proof, entry.data, entry.size, &verifier, gbx_cli_option(cli, "origin"), &checkpoint, err);
        if (r == 0)
                r = check_cosignatures(cli, &proof, err);
        if (r < 0)
                return r;
        json = json_loadb(gbx_buffer_text(&entry), entry.size, 0, NULL);
        if (cli->json) {
                gbx_cli_print_json(json_pack("{s:s, s:I, s:I, s:O*}", "origin", checkpoint.origin, "index",
                                             (json_int_t)proof.index, "size", (json_int_t)checkpoint.size, "entry", json));
                return 0;
        }
        printf("verified: entry %llu of %s, under the signed checkpoint over %llu entries\n", (unsigned long long)proof.index,
               checkpoint.origin, (unsigned long long)checkpoint.size);
        return print_entry(&entry, err);
}
