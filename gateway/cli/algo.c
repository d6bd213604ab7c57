/* gbx algo submit | ls | show */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/algorithm/find.h"
#include "gateway/review/approvals.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/rehearsal.h"
#include "gateway/cli/table.h"
#include "gateway/algorithm/algorithm.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

static const struct gbx_cli_column columns[] = {
        { "digest", "DIGEST", GBX_COLUMN_DIGEST },     { "name", "NAME", GBX_COLUMN_TEXT },
        { "engine", "ENGINE", GBX_COLUMN_TEXT },       { "submitter", "SUBMITTER", GBX_COLUMN_TEXT },
        { "approvals", "APPROVALS", GBX_COLUMN_NUMBER }, { "bytes", "BYTES", GBX_COLUMN_NUMBER },
        {},
};

/* What the bytes are (archives are read in a confined process); its engine must be the one the user names, if any. */
static int inspect(const char *path, const char *engine, const struct gbx_buffer *bytes, struct gbx_algorithm **ret, struct gbx_error *err) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_bundle_read(&bundle, bytes->data, bytes->size, NULL, err);

        if (r >= 0)
                r = gbx_algorithm_read(&algorithm, bundle, &problems, err);
        if (r < 0) {
                if (problems.count > 0 && gbx_problems_text(&problems, &text, NULL) >= 0)
                        fputs(gbx_buffer_text(&text), stderr);
                return gbx_context(err, r, "%s", path);
        }
        r = engine ? gbx_algorithm_choose(algorithm, engine, err) : 0;
        if (r < 0)
                return gbx_context(err, r, "'%s'", path);
        *ret = gbx_take_ptr(algorithm);
        return 0;
}

static int run_submit(struct gbx_cli *cli, struct gbx_error *err) {
        const char *path = cli->arguments[0], *slash = strrchr(path, '/'), *name = gbx_cli_option(cli, "name"), *submitter, *engine = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        gbx_auto(gbx_json_freep) json_t *details = NULL, *known = NULL;
        char digest[GBX_SHA256_TEXT_SIZE];
        const char *why = "";
        bool deterministic = false;
        int told, r = gbx_cli_principal(cli, &submitter, err);

        if (!name)
                name = slash ? slash + 1 : path;
        if (r >= 0 && !gbx_name_valid(name))
                r = gbx_fail(err, -EINVAL, "'%s' cannot be an algorithm's name; give one with --name (a-z, 0-9, '.', '_', '-')", name);
        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, path, GBX_OBJECT_LIMIT, &bytes, err);
        if (r >= 0)
                r = inspect(path, gbx_cli_option(cli, "engine"), &bytes, &algorithm, err);
        if (r >= 0)
                engine = gbx_engine_name((enum gbx_engine)algorithm->engine);
        if (r >= 0)
                r = gbx_object_put(cli->site->directory, bytes.data, bytes.size, digest, err);
        if (r >= 0)
                r = gbx_view_query_one(cli->site->view, &known, err, "SELECT submitter FROM algorithm WHERE digest=?1", digest, NULL);
        if (r < 0)
                return r;
        if (r == 0)
                return gbx_fail(err, -EEXIST, "these bytes were submitted before, by '%s': %s",
                                json_string_value(json_object_get(known, "submitter")), digest);
        told = gbx_cli_double_run(cli, &bytes, engine, &deterministic, &why, err);
        if (told < 0)
                return told;
        details = json_pack("{s:s, s:s, s:I}", "name", name, "engine", engine, "bytes", (json_int_t)bytes.size);
        if (told == 0)
                (void)json_object_set_new(details, "deterministic", json_boolean(deterministic));
        r = gbx_record(cli->site, cli->caller, "algo submit", &(struct gbx_action){ "algo.submit", digest, "done", NULL, details }, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:s, s:s}", "digest", digest, "name", name, "engine", engine));
        else
                puts(digest);
        gbx_cli_say(cli, "Submitted '%s' for the %s engine. It runs once reviewers have approved exactly these bytes.\n", name, engine);
        if (told > 0)
                gbx_cli_say(cli, "Whether it gives the same outputs each time was not told: %s.\n", why);
        else
                gbx_cli_say(cli, deterministic ? "Two runs on dummy data gave the same outputs: it can be replayed.\n"
                                               : "WARNING: two runs on dummy data gave different outputs: it cannot be replayed.\n");
        return 0;
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err,
                               "SELECT a.*, (SELECT count(DISTINCT reviewer) FROM approval p WHERE p.algorithm=a.digest AND"
                               " p.decision='approve' AND p.state='active') AS approvals FROM algorithm a ORDER BY a.seq",
                               NULL);

        return r < 0 ? r : gbx_cli_print_rows(cli, rows, columns, "no algorithms yet; analysts submit them with: gbx algo submit", err);
}

static int run_show(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column approval_columns[] = {
                { "reviewer", "REVIEWER", GBX_COLUMN_TEXT }, { "decision", "DECISION", GBX_COLUMN_TEXT },
                { "purpose", "PURPOSE", GBX_COLUMN_TEXT },   { "expires", "EXPIRES", GBX_COLUMN_TEXT },
                { "state", "STATE", GBX_COLUMN_TEXT },       {},
        };
        gbx_auto(gbx_json_freep) json_t *row = NULL, *approvals = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r = gbx_find_algorithm(cli->site, cli->arguments[0], &row, err);

        if (r >= 0)
                r = gbx_view_query(cli->site->view, &approvals, err, "SELECT * FROM approval WHERE algorithm=?1 ORDER BY seq",
                                   json_string_value(json_object_get(row, "digest")), NULL);
        if (r >= 0)
                r = gbx_object_get(cli->site->directory, json_string_value(json_object_get(row, "digest")), &bytes, err);
        if (r < 0)
                return r;
        if (gbx_cli_option(cli, "source")) {
                (void)fwrite(bytes.data, 1, bytes.size, stdout);
                return 0;
        }
        (void)json_object_set(row, "given", approvals);
        if (cli->json) {
                gbx_cli_print_json(json_incref(row));
                return 0;
        }
        r = gbx_cli_print_object(cli, json_incref(row), columns, err);
        if (r < 0)
                return r;
        putchar('\n');
        return gbx_cli_print_rows(cli, json_incref(approvals), approval_columns, "no approvals yet", err);
}

const struct gbx_command gbx_commands_algo[] = {
        { .noun = "algo", .verb = "submit", .arguments = "FILE",
          .summary = "submit a Lua script, an ELF binary or a bundle for review",
          .details = "The algorithm's digest is the SHA-256 of the file's bytes: what was approved is what runs. A bundle is a\n"
                     "tar, tar.gz or zip with algorithm.yaml at its root (docs/lua.md); anything but plain files in it is refused.",
          .options = (const struct gbx_option[]){
                  { "engine", "NAME", "lua, native, or lua-sql: Lua with data.query (default: by what the file is)", false, false },
                  { "name", "NAME", "how people call it (default: the file's name)", false, false },
                  { "purpose", "PURPOSE", "whose policy the double run on dummy data is made under", false, false },
                  {} },
          .arguments_min = 1, .arguments_max = 1, .action = "algo submit", .run = run_submit },
        { .noun = "algo", .verb = "ls", .summary = "list submitted algorithms", .run = run_ls },
        { .noun = "algo", .verb = "show", .arguments = "DIGEST",
          .summary = "show an algorithm and its approvals",
          .options = (const struct gbx_option[]){ { "source", NULL, "print the bytes as they were submitted", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .run = run_show },
        {},
};
