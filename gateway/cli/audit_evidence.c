/* gbx audit witness | anchor: evidence that lies with others; and the check of anchors for gbx audit verify */
#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/cli/audit.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/log/witness/anchor.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/log/witness/witness_client.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "gateway/store/witnesses.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ANCHOR_TIMEOUT_MS = 60 * 1000, CHECK_TIMEOUT_MS = 10 * 1000 };

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

static int run_witness(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "witness", "WITNESS", GBX_COLUMN_TEXT },  { "size", "ENTRIES", GBX_COLUMN_NUMBER },
                { "behind", "BEHIND", GBX_COLUMN_NUMBER },  { "time", "COSIGNED", GBX_COLUMN_TIME },
                { "problem", "PROBLEM", GBX_COLUMN_TEXT },  {},
        };
        struct gbx_witness_status statuses[GBX_POLICY_WITNESSES_MAX];
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = calloc(1, sizeof *policy);
        size_t count = 0;
        int r;

        if (!policy)
                return gbx_fail_memory(err);
        r = gbx_site_witness_policy(cli->site, gbx_cli_option(cli, "witness-policy"), policy, err);
        if (r == 1)
                return gbx_fail(err, -ENOENT, "the site has no witnesses; name them in %s/witness-policy (tlog-policy)", cli->site_path);
        if (r == 0)
                r = gbx_log_checkpoint(cli->site->log, NULL, err);
        if (r == 0)
                r = gbx_cli_option(cli, "known") ? gbx_witness_known(cli->site->log, policy, statuses, &count, err)
                                                 : gbx_witness_submit(cli->site->log, policy, CHECK_TIMEOUT_MS, statuses, &count, err);
        if (r == 0)
                r = gbx_cli_print_rows(cli, status_rows(statuses, count), columns, "the policy names no witness", err);
        if (r == 0)
                r = check_quorum(cli->site->log, policy, err);
        if (r != GBX_WITNESS_SHORT)
                return r;
        gbx_cli_say(cli, "%s\n", err->message);
        return GBX_EXIT_FAILED;
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
static int anchor_once(struct gbx_cli *cli, struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        struct gbx_checkpoint checkpoint = {};
        struct gbx_anchor anchor = {};
        int r = gbx_site_checkpoint(site, err);

        if (r == 0 && is_anchored(site->log)) {
                gbx_cli_say(cli, "Nothing is new since the last anchor.\n");
                return 0;
        }
        if (r == 0)
                r = newest_checkpoint(site->log, &checkpoint, err);
        if (r == 0)
                r = gbx_anchor_submit(gbx_cli_option(cli, "url"), gbx_cli_option(cli, "from"), &checkpoint, ANCHOR_TIMEOUT_MS, &anchor,
                                      err);
        if (r == 0)
                r = gbx_anchor_to_details(&anchor, &details, err);
        if (r == 0)
                r = gbx_record(site, cli->caller, "audit anchor", &(struct gbx_action){ "anchor.receipt", site->origin, "done", NULL, details }, err);
        if (r == 0)
                r = gbx_site_checkpoint(site, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_incref(details));
        else
                printf("anchored %llu entries in block %llu of chain %llu\n  transaction %s\n", (unsigned long long)anchor.size,
                       (unsigned long long)anchor.block, (unsigned long long)anchor.chain, anchor.transaction);
        (void)fflush(stdout);
        return 0;
}

/* Again and again: a chain that is away is met again at the next turn. The site is open only meanwhile. */
static int anchor_every(struct gbx_cli *cli, uint64_t interval_ms, struct gbx_error *err) {
        for (;;) {
                gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
                struct timespec pause = { .tv_sec = (time_t)(interval_ms / 1000), .tv_nsec = (long)(interval_ms % 1000) * 1000000 };
                int r = gbx_site_open(&site, cli->site_path, err);

                if (r == 0)
                        r = anchor_once(cli, site, err);
                if (r == -EBADMSG || r == -EINVAL || r == -ENOMEM)
                        return r;
                if (r < 0)
                        (void)fprintf(stderr, "gbx: %s\n", err->message);
                site = gbx_site_close(site);
                (void)nanosleep(&pause, NULL);
        }
}

static int run_anchor(struct gbx_cli *cli, struct gbx_error *err) {
        const char *every = gbx_cli_option(cli, "every");
        uint64_t interval;
        int r;

        if (!every)
                return anchor_once(cli, cli->site, err);
        r = gbx_parse_duration(every, &interval, err);
        if (r == 0 && interval < 1000)
                r = gbx_fail(err, -EINVAL, "--every wants at least 1s");
        if (r < 0)
                return r;
        cli->site = gbx_site_close(cli->site);
        return anchor_every(cli, interval, err);
}

/* --- checking anchors ----------------------------------------------------- */

/* The checkpoint that the log must have had at `size`, from its tiles, which the caller has verified. */
static int checkpoint_at(struct gbx_tree *tree, const char *origin, uint64_t size, struct gbx_checkpoint *ret, struct gbx_error *err) {
        struct gbx_merkle_edge edge;
        int r = size > gbx_tree_size(tree) ? gbx_fail(err, -EBADMSG, "the receipt is of more entries than the log has")
                                           : gbx_merkle_edge_load(gbx_tree_hash, tree, size, &edge, err);

        if (r < 0)
                return r;
        *ret = (struct gbx_checkpoint){ .size = size };
        (void)snprintf(ret->origin, sizeof ret->origin, "%s", origin);
        gbx_merkle_edge_root(&edge, &ret->root);
        return 0;
}

static int check_receipt(struct gbx_tree *tree, const char *origin, const char *url, const json_t *entry, struct gbx_error *err) {
        struct gbx_checkpoint checkpoint = {};
        struct gbx_anchor anchor;
        int r = gbx_anchor_from_details(json_object_get(entry, "details"), &anchor, err);

        if (r == 0)
                r = checkpoint_at(tree, origin, anchor.size, &checkpoint, err);
        return r < 0 ? r : gbx_anchor_check(url, &anchor, &checkpoint, CHECK_TIMEOUT_MS, err);
}

int gbx_audit_check_anchors(const char *path, const char *url, size_t *ret_count, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        struct gbx_checkpoint checkpoint;
        size_t count = 0;
        int r = gbx_audit_open_tree(path, &tree, NULL, &checkpoint, err);

        for (uint64_t i = 0; r == 0 && i < gbx_tree_size(tree); i++) {
                gbx_auto(gbx_json_freep) json_t *entry = NULL;
                struct gbx_bytes bytes;
                const char *action;

                r = gbx_tree_entry(tree, i, &bytes, err);
                if (r < 0)
                        break;
                if (!memmem(bytes.data, bytes.size, "anchor.receipt", 14) || gbx_entry_parse(bytes.data, bytes.size, &entry, NULL) < 0)
                        continue;
                action = json_string_value(json_object_get(entry, "action"));
                if (!action || strcmp(action, "anchor.receipt") != 0)
                        continue;
                r = check_receipt(tree, checkpoint.origin, url, entry, err);
                if (r < 0)
                        return gbx_context(err, r, "entry %llu", (unsigned long long)i);
                count++;
        }
        if (r == 0)
                *ret_count = count;
        return r;
}

const struct gbx_command gbx_commands_evidence[] = {
        { .noun = "audit", .verb = "witness", .summary = "submit the newest checkpoint to witnesses, show how far each one is",
          .details = "Each checkpoint is submitted by itself where SITE/witness-policy (tlog-policy) names witnesses with their\n"
                     "URLs; this asks all of them again and shows the answers. Exit code 1 if the quorum is not met.",
          .options = (const struct gbx_option[]){
                  { "witness-policy", "FILE", "another policy than the site's", false, false },
                  { "known", NULL, "ask nobody: show what is known", false, false }, {} },
          .action = "audit witness", .run = run_witness },
        { .noun = "audit", .verb = "anchor", .summary = "put the newest checkpoint into a chain (EVM, JSON-RPC) and log the receipt",
          .details = "The node must have an account that it signs for. gbx audit verify --anchor URL reads the evidence back.",
          .options = (const struct gbx_option[]){
                  { "url", "URL", "the chain node's JSON-RPC, http:// or https://", true, false },
                  { "from", "ADDRESS", "the account (default: the node's first one)", false, false },
                  { "every", "TIME", "go on for ever, at this interval (10m, say)", false, false }, {} },
          .action = "audit anchor", .run = run_anchor },
        {},
};
