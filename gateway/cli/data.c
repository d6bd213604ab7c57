/* gbx data add | ls | show | revoke | destroy */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/ssh_keygen.h"
#include "gateway/cli/table.h"
#include "gateway/data/fate.h"
#include "gateway/data/owner.h"
#include "gateway/data/register.h"
#include "gateway/data/usage.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <stdio.h>
#include <string.h>

static const struct gbx_cli_column columns[] = {
        { "name", "NAME", GBX_COLUMN_TEXT },          { "version", "VERSION", GBX_COLUMN_NUMBER },
        { "owner", "OWNER", GBX_COLUMN_TEXT },        { "state", "STATE", GBX_COLUMN_TEXT },
        { "bytes", "BYTES", GBX_COLUMN_NUMBER },      { "manifest", "MANIFEST", GBX_COLUMN_DIGEST },
        { "signature", "SIGNED", GBX_COLUMN_DIGEST }, {},
};

static int sign(void *userdata, const void *message, size_t size, struct gbx_buffer *ret_signature, struct gbx_error *err) {
        return gbx_ssh_sign(gbx_cli_option(userdata, "key"), message, size, ret_signature, err);
}

static int run_add(struct gbx_cli *cli, struct gbx_error *err) {
        const struct gbx_registration registration = {
                .name = cli->arguments[0],
                .owner = gbx_cli_option(cli, "owner"),
                .schema_file = gbx_cli_option(cli, "schema"),
                .data_file = cli->arguments[1],
                .sign = gbx_cli_option(cli, "key") ? sign : NULL,
                .userdata = cli,
        };
        json_t *row;
        int r = gbx_register_dataset(cli->site, cli->caller, &registration, &row, err);

        if (r < 0)
                return r;
        if (!registration.sign)
                gbx_cli_say(cli, "The manifest is not signed by the owner; --key FILE signs it.\n");
        return gbx_cli_print_object(cli, row, columns, err);
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err, "SELECT * FROM dataset ORDER BY name, version", NULL);

        return r < 0 ? r : gbx_cli_print_rows(cli, rows, columns, "no datasets yet; owners add them with: gbx data add", err);
}

static int run_show(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err, "SELECT * FROM dataset WHERE name=?1 ORDER BY version",
                               cli->arguments[0], NULL);

        if (r < 0)
                return r;
        if (json_array_size(rows) == 0) {
                json_decref(rows);
                return gbx_fail(err, -ENOENT, "there is no dataset '%s'", cli->arguments[0]);
        }
        return gbx_cli_print_rows(cli, rows, columns, "", err);
}

static int run_revoke(struct gbx_cli *cli, struct gbx_error *err) {
        const char *name = cli->arguments[0];
        int r = gbx_revoke_dataset(cli->site, cli->caller, name, err);

        if (r < 0)
                return r;
        gbx_cli_say(cli, "Revoked '%s': no run may use it any more.\n", name);
        return 0;
}

static int run_destroy(struct gbx_cli *cli, struct gbx_error *err) {
        const char *name = cli->arguments[0], *confirmed = gbx_cli_option(cli, "confirm");
        int r;

        if (!confirmed || strcmp(confirmed, name) != 0)
                return gbx_fail(err, -EINVAL, "destroying '%s' cannot be undone; say --confirm %s if you mean it", name, name);
        r = gbx_destroy_dataset(cli->site, cli->caller, name, err);
        if (r < 0)
                return r;
        gbx_cli_say(cli, "Destroyed the key of every version of '%s'. The log entry is the receipt.\n", name);
        return 0;
}

static int run_usage(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column runs[] = {
                { "run", "RUN", GBX_COLUMN_TEXT },         { "time", "TIME", GBX_COLUMN_TIME },   { "requester", "BY", GBX_COLUMN_TEXT },
                { "purpose", "PURPOSE", GBX_COLUMN_TEXT }, { "state", "STATE", GBX_COLUMN_TEXT }, {},
        };
        gbx_auto(gbx_json_freep) json_t *usage = NULL;
        int r = gbx_data_usage(cli->site, cli->caller, cli->arguments[0], &usage, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(json_incref(usage));
                return 0;
        }
        printf("%s of %s: %zu releases, %zu policies\n", cli->arguments[0], gbx_json_text(usage, "owner"),
               json_array_size(json_object_get(usage, "releases")), json_array_size(json_object_get(usage, "policies")));
        return gbx_cli_print_rows(cli, json_incref(json_object_get(usage, "runs")), runs, "no run asked for it yet", err);
}

static int run_transfer_statement(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_transfer_statement(cli->site, cli->caller, cli->arguments[0], gbx_cli_option(cli, "to"), &text, err);

        if (r >= 0)
                fputs(gbx_buffer_text(&text), stdout);
        return r;
}

static int run_transfer(struct gbx_cli *cli, struct gbx_error *err) {
        enum { LIMIT = 64 * 1024 };
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, from = {}, to = {};
        int r = gbx_read_file(AT_FDCWD, gbx_cli_option(cli, "statement"), LIMIT, &statement, err);

        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, gbx_cli_option(cli, "from"), LIMIT, &from, err);
        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, gbx_cli_option(cli, "to"), LIMIT, &to, err);
        if (r >= 0)
                r = gbx_transfer_dataset(cli->site, cli->caller,
                                         &(struct gbx_transfer_signatures){ gbx_buffer_text(&statement), gbx_buffer_text(&from),
                                                                            gbx_buffer_text(&to), statement.size, from.size, to.size }, err);
        if (r >= 0)
                gbx_cli_say(cli, "The dataset has another owner now.\n");
        return r;
}

const struct gbx_command gbx_commands_data[] = {
        { .noun = "data", .verb = "usage", .arguments = "NAME", .summary = "who used a dataset: runs, releases, policies (its owner; auditors)",
          .arguments_min = 1, .arguments_max = 1, .run = run_usage },
        { .noun = "data", .verb = "transfer-statement", .arguments = "NAME", .summary = "print what both owners sign to transfer a dataset",
          .options = (const struct gbx_option[]){ { "to", "NAME", "the new owner", true, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .run = run_transfer_statement },
        { .noun = "data", .verb = "transfer", .summary = "give a dataset to another owner; both have signed",
          .options = (const struct gbx_option[]){ { "statement", "FILE", "what both signed", true, false },
                  { "from", "FILE", "the old owner's signature", true, false }, { "to", "FILE", "the new owner's signature", true, false }, {} },
          .run = run_transfer },
        { .noun = "data", .verb = "add",
          .arguments = "NAME FILE",
          .summary = "register an encrypted dataset",
          .details = "FILE is an age file encrypted to the site: age -r \"$(gbx keys recipient)\" -o FILE.age FILE.\n"
                     "Every chunk is verified; the site keeps it under a key of this version alone. A second add under\n"
                     "the same name makes a new version; versions never change.",
          .options = (const struct gbx_option[]){
                  { "owner", "NAME", "whose data it is", true, false },
                  { "schema", "FILE", "columns, types and classes (docs/policy-reference.md)", true, false },
                  { "key", "FILE", "the owner's SSH private key; signs the dataset's manifest", false, false },
                  {} },
          .arguments_min = 2, .arguments_max = 2,
          .action = "data add",
          .run = run_add },
        { .noun = "data", .verb = "ls", .summary = "list datasets and their versions", .run = run_ls },
        { .noun = "data", .verb = "show", .arguments = "NAME", .summary = "show the versions of a dataset",
          .arguments_min = 1, .arguments_max = 1, .run = run_show },
        { .noun = "data", .verb = "revoke", .arguments = "NAME", .summary = "let no further run use a dataset",
          .arguments_min = 1, .arguments_max = 1, .action = "data revoke", .run = run_revoke },
        { .noun = "data", .verb = "destroy", .arguments = "NAME",
          .summary = "destroy a dataset's keys, which makes every copy unreadable",
          .options = (const struct gbx_option[]){ { "confirm", "NAME", "the name again", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .action = "data destroy", .run = run_destroy },
        {},
};
