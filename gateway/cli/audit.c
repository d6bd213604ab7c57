/* gbx audit ls | export | verify | prove | check-proof (replay and rebuild: replay.c) */
#include "gateway/cli/audit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/verify/export.h"
#include "gateway/log/writer/log.h"
#include "gateway/log/format/tree.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

enum { LIST_LIMIT = 1000 };

/* --- where entries come from ---------------------------------------------- */

/* Walks the log of --log DIR (what its checkpoint covers), else the site's. */
static int each_entry(struct gbx_cli *cli, const char *action, gbx_log_visit *visit, void *context, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        const char *path = gbx_cli_option(cli, "log");
        int r;

        if (!path) {
                r = gbx_site_open(&site, cli->site_path, err);
                if (r == 0)
                        r = gbx_authorise_read(site, cli->caller, action, err);
                return r < 0 ? r : gbx_log_each(site->log, 0, visit, context, err);
        }
        r = gbx_audit_open_tree(path, &tree, NULL, NULL, err);
        for (uint64_t i = 0; r == 0 && i < gbx_tree_size(tree); i++) {
                struct gbx_bytes entry;

                r = gbx_tree_entry(tree, i, &entry, err);
                if (r == 0)
                        r = visit(context, i, entry.data, entry.size, err);
        }
        return r;
}

static int read_time(const struct gbx_cli *cli, const char *option, int64_t *ret, struct gbx_error *err) {
        const char *text = gbx_cli_option(cli, option);
        char whole[GBX_TIME_TEXT_SIZE];
        int r;

        if (!text)
                return 0;
        (void)snprintf(whole, sizeof whole, "%.10sT00:00:00Z", text);
        r = gbx_time_parse(strlen(text) == 10 ? whole : text, ret, err);
        return r < 0 ? gbx_fail(err, -EINVAL, "--%s wants 2026-11-25 or 2026-11-25T08:00:00Z (UTC)", option) : 0;
}

static int read_filter(const struct gbx_cli *cli, struct gbx_log_filter *ret, struct gbx_error *err) {
        int r;

        *ret = (struct gbx_log_filter){
                .actor = gbx_cli_option(cli, "actor"),
                .action = gbx_cli_option(cli, "action"),
                .object = gbx_cli_option(cli, "object"),
                .outcome = gbx_cli_option(cli, "outcome"),
        };
        r = read_time(cli, "since", &ret->since, err);
        return r < 0 ? r : read_time(cli, "until", &ret->until, err);
}

/* --- ls ------------------------------------------------------------------- */

struct listing {
        struct gbx_log_filter filter;
        uint64_t limit;
        json_t *rows;
};

/* For people: each further reason of an entry is a row of its own. */
static int add_rows(json_t *rows, json_t *entry, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *reasons = json_incref(json_object_get(entry, "reasons"));

        if (reasons && json_object_set(entry, "reasons", json_array_get(reasons, 0)) < 0)
                return gbx_fail_memory(err);
        if (json_array_append(rows, entry) < 0)
                return gbx_fail_memory(err);
        for (size_t i = 1; i < json_array_size(reasons); i++)
                if (json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "index", "", "time", "", "actor", "",
                                                          "action", "", "object", "", "outcome", "", "reasons",
                                                          json_array_get(reasons, i))) < 0)
                        return gbx_fail_memory(err);
        return 0;
}

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

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "index", "ENTRY", GBX_COLUMN_NUMBER }, { "time", "TIME", GBX_COLUMN_TIME },
                { "actor", "ACTOR", GBX_COLUMN_TEXT },   { "action", "ACTION", GBX_COLUMN_TEXT },
                { "object", "OBJECT", GBX_COLUMN_DIGEST }, { "outcome", "OUTCOME", GBX_COLUMN_TEXT },
                { "reasons", "REASONS", GBX_COLUMN_TEXT }, {},
        };
        gbx_auto(gbx_json_freep) json_t *entries = json_array(), *rows = json_array();
        struct listing listing = { .limit = LIST_LIMIT, .rows = entries };
        const char *limit = gbx_cli_option(cli, "limit");
        size_t i;
        json_t *entry;
        int r = read_filter(cli, &listing.filter, err);

        if (r == 0 && limit)
                r = gbx_parse_u64(limit, &listing.limit, err);
        if (r == 0 && listing.limit == 0)
                r = gbx_fail(err, -EINVAL, "--limit wants a number above 0");
        if (r < 0)
                return r;
        if (!entries || !rows)
                return gbx_fail_memory(err);
        r = each_entry(cli, "audit ls", list_entry, &listing, err);
        if (r < 0 || cli->json)
                return r < 0 ? r : gbx_cli_print_rows(cli, json_incref(entries), columns, "", err);
        json_array_foreach(entries, i, entry) {
                r = add_rows(rows, entry, err);
                if (r < 0)
                        return r;
        }
        return gbx_cli_print_rows(cli, json_incref(rows), columns, "no entry matches", err);
}

/* --- export --------------------------------------------------------------- */

struct exporting {
        struct gbx_log_filter filter;
        struct gbx_log_export *export;
        FILE *out;
};

static int write_text(FILE *out, const struct gbx_buffer *text, struct gbx_error *err) {
        if (text->size > 0 && fwrite(text->data, 1, text->size, out) != text->size)
                return gbx_fail_errno(err, "cannot write the export");
        return 0;
}

static int export_entry(void *context, uint64_t index, const void *data, size_t size, struct gbx_error *err) {
        struct exporting *exporting = context;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        int r = gbx_entry_parse(data, size, &entry, err);

        if (r < 0)
                return gbx_context(err, r, "entry %llu", (unsigned long long)index);
        r = gbx_log_export_entry(exporting->export, index, entry, gbx_log_filter_matches(&exporting->filter, entry), &text, err);
        return r < 0 ? r : write_text(exporting->out, &text, err);
}

static int run_export(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_log_export_freep) struct gbx_log_export *export = NULL;
        gbx_auto(gbx_close_file) FILE *file = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer head = {};
        const char *name = gbx_cli_option(cli, "format"), *path = gbx_cli_option(cli, "out");
        struct exporting exporting = { .out = stdout };
        struct gbx_note_verifier verifier = {};
        enum gbx_log_format format = GBX_LOG_JSON_LINES;
        int r = read_filter(cli, &exporting.filter, err);

        if (r == 0 && name)
                r = gbx_log_format_parse(name, &format, err);
        if (r == 0)
                r = gbx_audit_origin(cli, &verifier, err);
        if (r == 0)
                r = gbx_log_export_new(&export, format, verifier.name, err);
        if (r == 0)
                r = gbx_log_export_begin(export, &head, err);
        if (r < 0)
                return r;
        if (path) {
                file = fopen(path, "wxe");
                if (!file)
                        return gbx_fail_errno(err, "cannot create '%s'", path);
                exporting.out = file;
        }
        exporting.export = export;
        r = write_text(exporting.out, &head, err);
        if (r == 0)
                r = each_entry(cli, "audit export", export_entry, &exporting, err);
        if (r == 0 && fflush(exporting.out) != 0)
                r = gbx_fail_errno(err, "cannot write the export");
        return r;
}

/* --- the table ------------------------------------------------------------ */

#define LOG_OPTION { "log", "DIR", "a log's directory (default: the site's)", false, false }
#define FILTER_OPTIONS                                                                                       \
        LOG_OPTION, { "actor", "NAME", "entries of this principal", false, false },                          \
                { "action", "ACTION", "entries of this action, say run.start, or run for all of them", false, false }, \
                { "object", "TEXT", "entries about this object", false, false },                             \
                { "outcome", "WORD", "entries with this outcome", false, false },                            \
                { "since", "TIME", "from this day or second on (UTC)", false, false },                       \
                { "until", "TIME", "before this day or second (UTC)", false, false }

const struct gbx_command gbx_commands_audit[] = {
        { .noun = "audit", .verb = "ls", .summary = "list entries of the action log",
          .options = (const struct gbx_option[]){ FILTER_OPTIONS,
                  { "limit", "N", "the newest N that match (default: 1000)", false, false }, {} },
          .without_site = true, .run = run_ls },
        { .noun = "audit", .verb = "export", .summary = "write entries as JSON lines, CSV or OpenLineage run events",
          .options = (const struct gbx_option[]){ FILTER_OPTIONS,
                  { "format", "NAME", "jsonl (default), csv or openlineage", false, false },
                  { "out", "FILE", "a new file (default: standard output)", false, false }, {} },
          .without_site = true, .run = run_export },
        { .noun = "audit", .verb = "verify", .summary = "check signatures, every entry, every tile and the root",
          .details = "Needs no site: --log and --vkey verify any log in the tlog-tiles format. The first bad entry is named.\n"
                     "Keep the checkpoint that a verification printed (or DIR/checkpoint): with --against the next one shows\n"
                     "that nothing was removed or rewritten since. Exit code 5 if integrity is broken.",
          .options = (const struct gbx_option[]){ LOG_OPTION,
                  { "vkey", "KEY", "the log's verifier key, NAME+HEX+BASE64 (default: the site's)", false, false },
                  { "origin", "TEXT", "the log's origin (default: the name of the key)", false, false },
                  { "against", "FILE", "a checkpoint that was kept", false, false },
                  { "witness-policy", "FILE", "require the cosignatures of this policy (tlog-policy)", false, false },
                  { "anchor", "URL", "check the log's anchor receipts at this chain node (JSON-RPC)", false, false }, {} },
          .without_site = true, .run = gbx_audit_verify },
        { .noun = "audit", .verb = "prove", .arguments = "ENTRY",
          .summary = "write an offline proof that an entry is in the log",
          .details = "The proof (tlog-proof) holds the entry, its path and the signed checkpoint: a receipt to hand over.",
          .options = (const struct gbx_option[]){ LOG_OPTION,
                  { "out", "FILE", "where to (default: entry-N.tlog-proof; - for standard output)", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .without_site = true, .run = gbx_audit_prove },
        { .noun = "audit", .verb = "check-proof", .arguments = "FILE", .summary = "check an offline proof, without the log",
          .options = (const struct gbx_option[]){
                  { "vkey", "KEY", "the log's verifier key (default: the site's)", false, false },
                  { "origin", "TEXT", "the log's origin (default: the name of the key)", false, false },
                  { "entry", "FILE", "the entry (default: the one that the proof carries)", false, false },
                  { "witness-policy", "FILE", "require the cosignatures of this policy (tlog-policy)", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .without_site = true, .run = gbx_audit_check_proof },
        {},
};
