/* gbx user add | ls | remove */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/people/users.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "policy/decision.h"
#include "policy/sshsig.h"
#include "runtime/vault/age.h"

#include <stdio.h>
#include <string.h>

enum { KEY_FILE_LIMIT = 16 * 1024 };

static int read_roles(const struct gbx_cli *cli, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *roles = json_array();
        const char *role;
        unsigned bits;
        int r;

        for (size_t i = 0; (role = gbx_cli_option_at(cli, "role", i)); i++)
                if (json_array_append_new(roles, json_string(role)) < 0)
                        return gbx_fail_memory(err);
        r = gbx_roles_from_list(roles, &bits, err);
        if (r >= 0)
                *ret = gbx_take_ptr(roles);
        return r;
}

/* The key line of an OpenSSH .pub file, without its newline. */
static int read_ssh_key(const char *path, struct gbx_buffer *line, struct gbx_error *err) {
        struct gbx_ssh_key key;
        int r = gbx_read_file(AT_FDCWD, path, KEY_FILE_LIMIT, line, err);

        if (r < 0)
                return r;
        while (line->size && (line->data[line->size - 1] == '\n' || line->data[line->size - 1] == '\r'))
                line->data[--line->size] = '\0';
        r = gbx_ssh_key_parse(gbx_buffer_text(line), &key, err);
        return r < 0 ? gbx_context(err, r, "%s", path) : 0;
}

static int run_add(struct gbx_cli *cli, struct gbx_error *err) {
        const char *name = cli->arguments[0];
        gbx_auto(gbx_buffer_free) struct gbx_buffer ssh = {};
        gbx_auto(gbx_json_freep) json_t *roles = NULL;
        struct gbx_user_change user = { .age = gbx_cli_option(cli, "age") };
        int r = gbx_cli_option(cli, "role") ? read_roles(cli, &roles, err) : 0;

        if (r >= 0 && gbx_cli_option(cli, "ssh-key"))
                r = read_ssh_key(gbx_cli_option(cli, "ssh-key"), &ssh, err);
        if (r < 0)
                return r;
        user.roles = roles;
        user.ssh_key = ssh.size ? gbx_buffer_text(&ssh) : NULL;
        r = gbx_user_add(cli->site, cli->caller, name, &user, err);
        if (r >= 0)
                gbx_cli_say(cli, "%s user '%s'.\n", r == GBX_USER_CHANGED ? "Changed" : "Added", name);
        return r < 0 ? r : 0;
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "name", "NAME", GBX_COLUMN_TEXT },  { "roles", "ROLES", GBX_COLUMN_TEXT }, { "state", "STATE", GBX_COLUMN_TEXT },
                { "age", "RECIPIENT", GBX_COLUMN_TEXT }, {},
        };
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err, "SELECT * FROM user ORDER BY seq", NULL);

        return r < 0 ? r : gbx_cli_print_rows(cli, rows, columns, "no users yet; add one with: gbx user add", err);
}

static int run_remove(struct gbx_cli *cli, struct gbx_error *err) {
        const char *name = cli->arguments[0];
        int r = gbx_user_remove(cli->site, cli->caller, name, err);

        if (r < 0)
                return r;
        gbx_cli_say(cli, "Removed user '%s'. Approvals made with this user's key no longer count.\n", name);
        return 0;
}

const struct gbx_command gbx_commands_user[] = {
        { .noun = "user", .verb = "add",
          .arguments = "NAME",
          .summary = "add a principal, or change its roles and keys",
          .details = "The SSH key signs approvals and dataset manifests; only the public half is needed. The age\n"
                     "recipient is where releases are encrypted to; analysts need one.",
          .options = (const struct gbx_option[]){
                  { "role", "ROLE", "analyst, reviewer, admin, auditor or owner", false, true },
                  { "ssh-key", "FILE", "OpenSSH public key (Ed25519)", false, false },
                  { "age", "RECIPIENT", "age1… (see age-keygen)", false, false },
                  {} },
          .arguments_min = 1, .arguments_max = 1,
          .action = "user add",
          .run = run_add },
        { .noun = "user", .verb = "ls", .summary = "list the users", .run = run_ls },
        { .noun = "user", .verb = "remove",
          .arguments = "NAME",
          .summary = "remove a principal; its approvals no longer count",
          .arguments_min = 1, .arguments_max = 1,
          .action = "user remove",
          .run = run_remove },
        {},
};
