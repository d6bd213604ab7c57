/* gbx init | keys | status */
#include "base/cleanup.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <stdio.h>
#include <string.h>

static const struct gbx_cli_column key_columns[] = {
        { "origin", "origin", GBX_COLUMN_TEXT },
        { "recipient", "recipient", GBX_COLUMN_TEXT },
        { "log", "log", GBX_COLUMN_TEXT },
        { "provenance", "provenance", GBX_COLUMN_TEXT },
        {},
};

static int run_init(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        gbx_auto(gbx_json_freep) json_t *keys = NULL;
        int r = gbx_site_create(cli->site_path, gbx_cli_option(cli, "origin"), gbx_cli_option(cli, "token"), err);

        if (r >= 0)
                r = gbx_site_open(&site, cli->site_path, err);
        if (r >= 0)
                r = gbx_site_public_keys(site, &keys, err);
        if (r < 0)
                return r;
        gbx_cli_say(cli, "Made the site '%s'. Public keys (owners encrypt to the recipient, auditors keep the log key):\n",
                    cli->site_path);
        return gbx_cli_print_object(cli, gbx_take_ptr(keys), key_columns, err);
}

static int run_keys(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *keys = NULL;
        const char *which = cli->argument_count ? cli->arguments[0] : NULL, *value;
        int r = gbx_site_public_keys(cli->site, &keys, err);

        if (r < 0)
                return r;
        if (!which)
                return gbx_cli_print_object(cli, gbx_take_ptr(keys), key_columns, err);
        value = json_string_value(json_object_get(keys, which));
        if (!value)
                return gbx_fail(err, -EINVAL, "there is no key '%s'; one of: origin, recipient, log, provenance", which);
        puts(value);
        return 0;
}

static int run_status(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "origin", "origin", GBX_COLUMN_TEXT },         { "entries", "log entries", GBX_COLUMN_NUMBER },
                { "covered", "covered", GBX_COLUMN_NUMBER },     { "users", "users", GBX_COLUMN_NUMBER },
                { "datasets", "datasets", GBX_COLUMN_NUMBER },   { "algorithms", "algorithms", GBX_COLUMN_NUMBER },
                { "runs", "runs", GBX_COLUMN_NUMBER },           { "held", "held", GBX_COLUMN_NUMBER },
                { "releases", "releases", GBX_COLUMN_NUMBER },   {},
        };
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        unsigned roles = 0;
        int r = gbx_caller_roles(cli->site, cli->caller, &roles, err);
        bool reads_log = roles & (GBX_ROLE_AUDITOR | GBX_ROLE_ADMIN), own = !reads_log && roles & GBX_ROLE_ANALYST;

        /* An analyst's jobs must not be able to tell it anything by what they add to the log, nor others' by theirs. */
        if (r >= 0)
                r = gbx_view_query_one(cli->site->view, &row, err,
                                       "SELECT (SELECT count(*) FROM user WHERE state='active') AS users,"
                                       " (SELECT count(*) FROM dataset WHERE state='active') AS datasets,"
                                       " (SELECT count(*) FROM algorithm) AS algorithms,"
                                       " (SELECT count(*) FROM run WHERE ?1='' OR requester=?1) AS runs,"
                                       " (SELECT count(*) FROM run WHERE state='held' AND (?1='' OR requester=?1)) AS held,"
                                       " (SELECT count(*) FROM release WHERE ?1='' OR recipient=?1) AS releases",
                                       own ? gbx_caller_name(cli->caller) : "", NULL);
        if (r < 0)
                return r;
        (void)json_object_set_new(row, "origin", json_string(cli->site->origin));
        if (reads_log) {
                (void)json_object_set_new(row, "entries", json_integer((json_int_t)gbx_log_size(cli->site->log)));
                (void)json_object_set_new(row, "covered", json_integer((json_int_t)gbx_log_covered(cli->site->log)));
        }
        return gbx_cli_print_object(cli, gbx_take_ptr(row), columns, err);
}

/* A gap in the numbers or in the times says that nobody watched the log in between. */
static int run_heartbeat(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *details = NULL;
        uint64_t number;
        int r = gbx_fact_count(cli->site, "heartbeat", &number, err);

        if (r >= 0)
                r = gbx_view_query_one(cli->site->view, &row, err, "SELECT count(*) AS runs FROM run WHERE state='running'", NULL);
        if (r < 0)
                return r;
        details = json_pack("{s:I, s:O}", "number", (json_int_t)number + 1, "runs", json_object_get(row, "runs"));
        return gbx_record(cli->site, cli->caller, "heartbeat", &(struct gbx_action){ "heartbeat", cli->site->origin, "done", NULL, details }, err);
}

const struct gbx_command gbx_commands_site[] = {
        { .noun = "init",
          .summary = "make a site: keys, an empty log with its first checkpoint, the view",
          .details = "The folder named by --site must be missing or empty. Keys stay in its folder keys, readable by its\n"
                     "owner alone; nothing secret is printed.",
          .options = (const struct gbx_option[]){
                  { "origin", "NAME", "name of the log, a URL without scheme (default: host name and a random part)", false, false },
                  { "token", "URI", "keep the site's age key in a PKCS#11 token: pkcs11:token=…;object=…?module-path=…&pin-source=FILE", false, false },
                  {} },
          .without_site = true,
          .run = run_init },
        { .noun = "keys",
          .arguments = "[origin | recipient | log | provenance]",
          .summary = "show the site's public keys",
          .details = "recipient: owners encrypt datasets to it (age -r). log: verifies checkpoints (signed-note vkey).\n"
                     "provenance: verifies the manifests of releases (Ed25519, hexadecimal).",
          .arguments_max = 1,
          .run = run_keys },
        { .noun = "status", .summary = "count what the site holds", .action = "status", .run = run_status },
        { .noun = "heartbeat",
          .summary = "add a numbered sign of life to the log, and a checkpoint; for cron",
          .details = "An auditor who sees a heartbeat every five minutes knows that no longer stretch of the log was held back.",
          .action = "heartbeat",
          .run = run_heartbeat },
        {},
};
