/* gbx policy check | apply | ls | show */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/parameters.h"
#include "gateway/cli/table.h"
#include "gateway/run/decide.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "gateway/store/objects.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "policy/policy.h"
#include "gateway/store/policies.h"

#include <stdio.h>
#include <string.h>

/* Loads a policy; its problems go to standard error, each with file, line and column (or as JSON). */
static int load(const struct gbx_cli *cli, const char *path, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        json_t *json;
        int r = gbx_policy_load(ret, path, &problems, err);

        if (r != -EINVAL || problems.count == 0)
                return r;
        if (cli->json && gbx_problems_json(&problems, &json, NULL) >= 0)
                gbx_cli_print_json(json);
        else if (gbx_problems_text(&problems, &text, NULL) >= 0)
                fputs(gbx_buffer_text(&text), stderr);
        return r;
}

static int run_check(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        int r = load(cli, cli->arguments[0], &policy, err);

        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:s, s:s}", "policy", policy->name, "purpose", policy->purpose, "digest",
                                             policy->digest));
        else
                printf("%s: well-formed, %s\n", cli->arguments[0], policy->digest);
        return 0;
}

static int run_apply(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *report = NULL;
        struct gbx_policy_change change = { cli->arguments[0], gbx_cli_option(cli, "dry-run"), gbx_cli_option(cli, "unknown-names") };
        int r = load(cli, cli->arguments[0], &policy, err);

        if (r >= 0)
                r = gbx_policy_apply(cli->site, cli->caller, policy, &change, &report, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_incref(report));
        else
                printf("Policy '%s' %s in force for the purpose '%s': %s\n%zu approvals %s.\n", policy->name,
                       change.dry_run ? "would be" : "is", policy->purpose, gbx_json_text(report, "digest"),
                       json_array_size(json_object_get(report, "approvals_lost")), change.dry_run ? "would be lost" : "were lost");
        return 0;
}

static int run_withdraw(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *report = NULL;
        bool dry_run = gbx_cli_option(cli, "dry-run");
        int r = gbx_policy_withdraw(cli->site, cli->caller, cli->arguments[0], dry_run, &report, err);

        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_incref(report));
        else
                printf("The policy of the purpose '%s' %s in force; %zu approvals %s.\n", cli->arguments[0],
                       dry_run ? "would no longer be" : "is no longer", json_array_size(json_object_get(report, "approvals_lost")),
                       dry_run ? "would be lost" : "were lost");
        return 0;
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "name", "NAME", GBX_COLUMN_TEXT },   { "purpose", "PURPOSE", GBX_COLUMN_TEXT },
                { "state", "STATE", GBX_COLUMN_TEXT }, { "digest", "DIGEST", GBX_COLUMN_DIGEST },
                {},
        };
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err, "SELECT * FROM policy ORDER BY seq", NULL);

        return r < 0 ? r : gbx_cli_print_rows(cli, rows, columns, "no policy yet; an admin applies one: gbx policy apply", err);
}

static int run_show(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {}, text = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        int r = gbx_view_query_one(cli->site->view, &row, err,
                                   "SELECT digest FROM policy WHERE (name=?1 OR purpose=?1) AND state='in-force'",
                                   cli->arguments[0], NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "no policy of that name or purpose is in force: '%s'", cli->arguments[0]);
        r = gbx_object_get(cli->site->directory, json_string_value(json_object_get(row, "digest")), &source, err);
        if (r >= 0)
                r = gbx_policy_parse(&policy, cli->arguments[0], source.data, source.size, NULL, err);
        if (r >= 0)
                r = gbx_policy_describe(policy, &text, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:s}", "digest", policy->digest, "source", gbx_buffer_text(&source)));
        else
                fputs(gbx_buffer_text(&text), stdout);
        return 0;
}

static int print_verdict(const struct gbx_cli *cli, const struct gbx_verdict *verdict, struct gbx_error *err) {
        json_t *json;
        int r;

        if (!cli->json) {
                printf("%s\n", verdict->outcome == GBX_OUTCOME_ALLOWED ? "The run would be allowed." : "The run would be denied.");
                for (size_t i = 0; i < verdict->count; i++)
                        printf("  %s: %s\n", verdict->reasons[i].code, verdict->reasons[i].text);
                return 0;
        }
        r = gbx_verdict_json(verdict, &json, err);
        if (r >= 0)
                gbx_cli_print_json(json);
        return r;
}

static int run_explain(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_cli_order_free) struct gbx_cli_order asked = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        int r = gbx_cli_order(cli, &asked, err);

        if (r < 0)
                return r;
        r = gbx_decide_explain(cli->site, &asked.order, &verdict, err);
        if (r >= 0)
                r = print_verdict(cli, &verdict, err);
        return r < 0 ? r : verdict.outcome == GBX_OUTCOME_ALLOWED ? GBX_EXIT_DONE : GBX_EXIT_DENIED;
}

static const struct gbx_option explain_options[] = {
        { "algo", "DIGEST", "the algorithm: its digest, the first digits of it, or its name", true, false },
        { "data", "NAME", "a dataset", true, true },
        { "purpose", "PURPOSE", "what the run is for", true, false },
        { "param", "NAME=VALUE", "a parameter, typed by the policy", false, true },
        { "params", "FILE", "all parameters, as a JSON object", false, false },
        {},
};

const struct gbx_command gbx_commands_policy[] = {
        { .noun = "policy", .verb = "check", .arguments = "FILE",
          .summary = "read a policy file and list all its problems",
          .details = "Each problem comes with file, line and column. Exit code 2 if there are any. Needs no site.",
          .arguments_min = 1, .arguments_max = 1, .without_site = true, .run = run_check },
        { .noun = "policy", .verb = "apply", .arguments = "FILE",
          .summary = "put a policy in force for its purpose",
          .details = "Approvals bind to the policy's digest: after a change, algorithms must be approved anew.",
          .options = (const struct gbx_option[]){
                  { "dry-run", NULL, "change nothing; say what would be lost", false, false },
                  { "unknown-names", NULL, "accept datasets and people that the site has not yet", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .action = "policy apply", .run = run_apply },
        { .noun = "policy", .verb = "withdraw", .arguments = "PURPOSE",
          .summary = "take the policy of a purpose out of force",
          .options = (const struct gbx_option[]){ { "dry-run", NULL, "change nothing; say what would be lost", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .action = "policy withdraw", .run = run_withdraw },
        { .noun = "policy", .verb = "ls", .summary = "list policies", .run = run_ls },
        { .noun = "policy", .verb = "show", .arguments = "NAME", .summary = "explain the policy in force, a line a rule",
          .arguments_min = 1, .arguments_max = 1, .run = run_show },
        { .noun = "policy", .verb = "explain", .summary = "say whether a run would be allowed, and why",
          .details = "Decides as gbx job run would at this moment, with all reasons, those of approvals that do not count among them.\n"
                     "Nothing runs and nothing is recorded. Exit code 3 if the run would be denied.",
          .options = explain_options, .action = "policy explain", .run = run_explain },
        {},
};
