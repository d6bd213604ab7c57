#include "gateway/cli/rehearsal.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "gateway/review/approvals.h"
#include "gateway/cli/parameters.h"
#include "gateway/cli/table.h"
#include "gateway/job/rehearse.h"
#include "gateway/algorithm/algorithm.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "gateway/store/objects.h"
#include "gateway/store/policies.h"
#include "base/json.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

/* The policy of --purpose, or the only one in force that allows the engine. 1: there is none or no only one. */
static int find_policy(const struct gbx_cli *cli, const char *engine, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        gbx_auto(gbx_policy_freep) struct gbx_policy *found = NULL;
        const char *purpose = gbx_cli_option(cli, "purpose");
        size_t index;
        json_t *row;
        int r;

        if (purpose)
                return gbx_policy_in_force(cli->site, purpose, ret, err);
        r = gbx_view_query(cli->site->view, &rows, err, "SELECT purpose FROM policy WHERE state='in-force'", NULL);
        json_array_foreach(rows, index, row) {
                gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;

                r = gbx_policy_in_force(cli->site, json_string_value(json_object_get(row, "purpose")), &policy, err);
                if (r < 0)
                        return r;
                if (!(policy->engines & 1U << gbx_engine_parse(engine)))
                        continue;
                if (found)
                        return 1;
                found = gbx_take_ptr(policy);
        }
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(found);
        return *ret ? 0 : 1;
}

int gbx_cli_double_run(const struct gbx_cli *cli, const struct gbx_buffer *program, const char *engine, bool *ret_deterministic,
                       const char **ret_why, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_rehearsal_free) struct gbx_rehearsal rehearsal = {};
        struct gbx_rehearsal_order order = { .program = program, .engine = engine, .twice = true };
        int r = find_policy(cli, engine, &policy, err);

        if (r < 0)
                return r;
        *ret_why = "name the purpose with --purpose";
        if (r > 0)
                return 1;
        order.policy = policy;
        r = gbx_rehearse(cli->site, &order, &rehearsal, err);
        *ret_why = "it did not run to its end on dummy data (gbx algo try shows why)";
        if (r < 0 || rehearsal.state != GBX_RUN_RELEASED)
                return 1;
        *ret_deterministic = rehearsal.deterministic;
        return 0;
}

static int show(const struct gbx_cli *cli, const struct gbx_rehearsal *rehearsal, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "severity", "SEVERITY", GBX_COLUMN_TEXT }, { "rule", "RULE", GBX_COLUMN_TEXT },
                { "output", "OUTPUT", GBX_COLUMN_TEXT },     { "row", "ROW", GBX_COLUMN_NUMBER },
                { "detail", "DETAIL", GBX_COLUMN_TEXT },     {},
        };
        gbx_auto(gbx_json_freep) json_t *findings = NULL;
        size_t index;
        json_t *reason;
        int r = gbx_findings_to_json(&rehearsal->gate.findings, &findings, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(json_pack("{s:s, s:b, s:O, s:O}", "state",
                                             rehearsal->state == GBX_RUN_RELEASED ? "done" : gbx_run_state_name(rehearsal->state),
                                             "deterministic", rehearsal->deterministic, "reasons", rehearsal->reasons, "findings",
                                             json_object_get(findings, "findings")));
                return 0;
        }
        json_array_foreach(rehearsal->reasons, index, reason)
                printf("on dummy data: %s\n", json_string_value(reason));
        for (size_t i = 0; i < rehearsal->gate.table_count; i++)
                printf("%s, from dummy data:\n%s\n", rehearsal->gate.tables[i].name, gbx_buffer_text(&rehearsal->gate.tables[i].csv));
        if (rehearsal->state == GBX_RUN_RELEASED)
                printf("two runs gave %s\n", rehearsal->deterministic ? "the same outputs" : "DIFFERENT outputs: this job cannot be replayed");
        return gbx_cli_print_rows(cli, json_incref(json_object_get(findings, "findings")), columns, "the gate found nothing to complain of",
                                  err);
}

static int record(struct gbx_cli *cli, const struct gbx_buffer *program, const struct gbx_policy *policy,
                  const struct gbx_rehearsal *rehearsal, struct gbx_error *err) {
        uint8_t digest[GBX_SHA256_SIZE];
        char text[GBX_SHA256_TEXT_SIZE];
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s, s:b}", "purpose", policy->purpose, "deterministic", rehearsal->deterministic);

        gbx_sha256(program->data, program->size, digest);
        gbx_sha256_text(digest, text);
        return gbx_record(cli->site, cli->caller, "algo try", &(struct gbx_action){ "algo.try", text,
                                                                rehearsal->state == GBX_RUN_RELEASED ? "done" : "failed", NULL, details }, err);
}

static int run_try(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer program = {};
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_json_freep) json_t *parameters = NULL;
        gbx_auto(gbx_rehearsal_free) struct gbx_rehearsal rehearsal = {};
        gbx_auto(gbx_interrupt_end) struct gbx_interrupt interrupt = { .fd = -1 };
        struct gbx_rehearsal_order order = { .program = &program, .twice = true };
        int r = gbx_read_file(AT_FDCWD, cli->arguments[0], GBX_OBJECT_LIMIT, &program, err);

        if (r >= 0)
                r = gbx_bundle_read(&bundle, program.data, program.size, NULL, err);
        if (r >= 0)
                r = gbx_algorithm_read(&algorithm, bundle, NULL, err);
        if (r >= 0 && gbx_cli_option(cli, "engine"))
                r = gbx_algorithm_choose(algorithm, gbx_cli_option(cli, "engine"), err);
        if (r >= 0)
                r = gbx_policy_in_force(cli->site, gbx_cli_option(cli, "purpose"), &policy, err);
        if (r >= 0 && (gbx_cli_option(cli, "param") || gbx_cli_option(cli, "params")))
                r = gbx_cli_parameters(cli, policy->purpose, &parameters, err);
        if (r < 0)
                return r;
        order.engine = gbx_engine_name((enum gbx_engine)algorithm->engine);
        order.policy = policy;
        order.parameters = parameters;
        r = gbx_interrupt_begin(&interrupt, err);
        if (r < 0)
                return r;
        order.cancel = interrupt.fd;
        r = gbx_rehearse(cli->site, &order, &rehearsal, err);
        if (r >= 0)
                r = record(cli, &program, policy, &rehearsal, err);
        if (r >= 0)
                r = show(cli, &rehearsal, err);
        if (r < 0)
                return r;
        return rehearsal.state == GBX_RUN_LIMITED ? GBX_EXIT_LIMIT : rehearsal.state == GBX_RUN_RELEASED ? GBX_EXIT_DONE : GBX_EXIT_FAILED;
}

const struct gbx_command gbx_commands_rehearsal[] = {
        { .noun = "algo", .verb = "try", .arguments = "FILE",
          .summary = "run an algorithm on dummy data, in the same sandbox and through the same gate",
          .details = "Dummy twins are generated from the schemas of the policy's datasets; no real value is looked at, so the\n"
                     "outputs are shown in full. It runs twice, to tell whether it can be replayed. Nothing needs approval.",
          .options = (const struct gbx_option[]){
                  { "engine", "NAME", "lua, native, or lua-sql: Lua with data.query (default: by what the file is)", false, false },
                  { "purpose", "PURPOSE", "whose policy gives limits, datasets and the gate's rules", true, false },
                  { "param", "NAME=VALUE", "a parameter; without any, the first allowed values are taken", false, true },
                  { "params", "FILE", "all parameters as a JSON object", false, false },
                  {} },
          .arguments_min = 1, .arguments_max = 1, .action = "algo try", .run = run_try },
        {},
};
