/* gbx algo submit | ls | show */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/approve.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/store/objects.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

static const struct gbx_cli_column columns[] = {
        { "digest", "DIGEST", GBX_COLUMN_DIGEST },     { "name", "NAME", GBX_COLUMN_TEXT },
        { "engine", "ENGINE", GBX_COLUMN_TEXT },       { "submitter", "SUBMITTER", GBX_COLUMN_TEXT },
        { "approvals", "APPROVALS", GBX_COLUMN_NUMBER }, { "bytes", "BYTES", GBX_COLUMN_NUMBER },
        {},
};

/* The engine by what the file is, unless the user says it; an ELF image never goes to the Lua engine. */
static int find_engine(const char *given, const struct gbx_buffer *bytes, const char **ret, struct gbx_error *err) {
        bool elf = bytes->size >= 4 && memcmp(bytes->data, "\177ELF", 4) == 0;
        const char *engine = given ? given : elf ? "native" : "lua";

        if (gbx_engine_parse(engine) < 0)
                return gbx_fail(err, -EINVAL, "there is no engine '%s'; one of: lua, native", engine);
        if (elf != (strcmp(engine, "native") == 0))
                return gbx_fail(err, -EINVAL, elf ? "an ELF binary is run with --engine native" : "--engine native wants an ELF binary");
        if (!elf && !gbx_utf8_valid((const char *)bytes->data, bytes->size))
                return gbx_fail(err, -EINVAL, "a Lua script must be UTF-8 text (bytecode is not accepted)");
        *ret = engine;
        return 0;
}

static int run_submit(struct gbx_cli *cli, struct gbx_error *err) {
        const char *path = cli->arguments[0], *slash = strrchr(path, '/'), *name = gbx_cli_option(cli, "name"), *submitter, *engine = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        gbx_auto(gbx_json_freep) json_t *details = NULL, *known = NULL;
        char digest[GBX_SHA256_TEXT_SIZE];
        int r = gbx_cli_principal(cli, &submitter, err);

        if (!name)
                name = slash ? slash + 1 : path;
        if (r >= 0 && !gbx_name_valid(name))
                r = gbx_fail(err, -EINVAL, "'%s' cannot be an algorithm's name; give one with --name (a-z, 0-9, '.', '_', '-')", name);
        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, path, GBX_OBJECT_LIMIT, &bytes, err);
        if (r >= 0 && bytes.size == 0)
                r = gbx_fail(err, -EINVAL, "'%s' is empty", path);
        if (r >= 0)
                r = find_engine(gbx_cli_option(cli, "engine"), &bytes, &engine, err);
        if (r >= 0)
                r = gbx_object_put(cli->site->directory, bytes.data, bytes.size, digest, err);
        if (r >= 0)
                r = gbx_view_query_one(cli->site->view, &known, err, "SELECT submitter FROM algorithm WHERE digest=?1", digest, NULL);
        if (r < 0)
                return r;
        if (r == 0)
                return gbx_fail(err, -EEXIST, "these bytes were submitted before, by '%s': %s",
                                json_string_value(json_object_get(known, "submitter")), digest);
        details = json_pack("{s:s, s:s, s:I}", "name", name, "engine", engine, "bytes", (json_int_t)bytes.size);
        r = gbx_site_record(cli->site, &(struct gbx_action){ submitter, "algo.submit", digest, "done", NULL, details }, NULL, err);
        if (r >= 0)
                r = gbx_site_checkpoint(cli->site, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:s, s:s}", "digest", digest, "name", name, "engine", engine));
        else
                puts(digest);
        gbx_cli_say(cli, "Submitted '%s' for the %s engine. It runs once reviewers have approved exactly these bytes.\n", name, engine);
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
          .summary = "submit a Lua script or an ELF binary for review",
          .details = "The algorithm's name is the SHA-256 of the file's bytes: what was approved is what runs.",
          .options = (const struct gbx_option[]){
                  { "engine", "NAME", "lua or native (default: by what the file is)", false, false },
                  { "name", "NAME", "how people call it (default: the file's name)", false, false },
                  {} },
          .arguments_min = 1, .arguments_max = 1, .action = "algo submit", .run = run_submit },
        { .noun = "algo", .verb = "ls", .summary = "list submitted algorithms", .run = run_ls },
        { .noun = "algo", .verb = "show", .arguments = "DIGEST",
          .summary = "show an algorithm and its approvals",
          .options = (const struct gbx_option[]){ { "source", NULL, "print the bytes as they were submitted", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .run = run_show },
        {},
};
