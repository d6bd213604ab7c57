/* gbx flows: what leaves running jobs, and stopping it. */
#include "gateway/cli/commands.h"

#include "base/cleanup.h"
#include "gateway/flows/control.h"
#include "gateway/flows/limits.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"

#include <stdio.h>

static const char *text_of(const json_t *object, const char *field) {
        const char *text = json_string_value(json_object_get(object, field));

        return text ? text : "";
}

static long long number_of(const json_t *object, const char *field) {
        return (long long)json_integer_value(json_object_get(object, field));
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *all = NULL, *run, *flow;
        size_t i, k;
        int r = gbx_flow_control_list(cli->site, &all, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(all);
                return GBX_EXIT_DONE;
        }
        printf("%-16s %-12s %-16s %6s %-32s %12s %12s %12s\n", "RUN", "ANALYST", "RULE", "FLOW", "HOST", "SENT", "RECEIVED", "BYTES/S");
        json_array_foreach(all, i, run)
                json_array_foreach(json_object_get(run, "flows"), k, flow)
                        printf("%-16s %-12s %-16s %6lld %-32s %12lld %12lld %12lld\n", text_of(run, "run"), text_of(run, "analyst"),
                               text_of(flow, "rule"), number_of(flow, "flow"), text_of(flow, "host"), number_of(flow, "sent"),
                               number_of(flow, "received"), number_of(flow, "rate"));
        json_decref(all);
        return GBX_EXIT_DONE;
}

static int run_cut(struct gbx_cli *cli, struct gbx_error *err) {
        const char *name = gbx_cli_option(cli, "run"), *analyst = gbx_cli_option(cli, "analyst"), *dataset = gbx_cli_option(cli, "dataset");
        const char *rule = gbx_cli_option(cli, "rule");
        gbx_auto(gbx_json_freep) json_t *all = NULL, *request = json_pack("{s:s, s:s*}", "command", "cut", "rule", rule);
        long long count = 0;
        size_t i;
        json_t *run;
        int r;

        if (!name && !analyst && !dataset)
                return gbx_fail(err, -EINVAL, "say whose flows: --run, --analyst or --dataset");
        r = gbx_flow_control_list(cli->site, &all, err);
        if (r < 0)
                return r;
        json_array_foreach(all, i, run) {
                gbx_auto(gbx_json_freep) json_t *answer = NULL;

                if (!gbx_flow_control_concerns(run, name, analyst, dataset))
                        continue;
                r = gbx_flow_control_ask(cli->site, text_of(run, "run"), request, &answer, err);
                if (r < 0)
                        return r;
                count += number_of(answer, "cut");
        }
        if (count == 0)
                return gbx_fail(err, -ENOENT, "no live rule of such a run");
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:I}", "cut", (json_int_t)count));
        else
                printf("%lld rule%s closed for the rest of the run\n", count, count == 1 ? "" : "s");
        return GBX_EXIT_DONE;
}

static int run_usage(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *rows = NULL, *row;
        size_t i;
        int r = gbx_flow_usage(cli->site, gbx_cli_option(cli, "day"), &rows, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(rows);
                return GBX_EXIT_DONE;
        }
        printf("%-12s %-20s %-20s %-16s %12s %12s %12s\n", "ANALYST", "PURPOSE", "DATASET", "RULE", "CONNECTIONS", "SENT", "RECEIVED");
        json_array_foreach(rows, i, row)
                printf("%-12s %-20s %-20s %-16s %12lld %12lld %12lld\n", text_of(row, "analyst"), text_of(row, "purpose"), text_of(row, "dataset"),
                       text_of(row, "rule"), number_of(row, "connections"), number_of(row, "sent"), number_of(row, "received"));
        json_decref(rows);
        return GBX_EXIT_DONE;
}

static int run_breakers(struct gbx_cli *cli, struct gbx_error *err) {
        json_t *rows = NULL, *row;
        size_t i;
        int r = gbx_flow_breakers(cli->site, &rows, err);

        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(rows);
                return GBX_EXIT_DONE;
        }
        printf("%-10s %-32s %10s %s\n", "KIND", "NAME", "FAILURES", "SINCE");
        json_array_foreach(rows, i, row)
                printf("%-10s %-32s %10lld %s\n", text_of(row, "kind"), text_of(row, "name"), number_of(row, "failures"), text_of(row, "time"));
        json_decref(rows);
        return GBX_EXIT_DONE;
}

static int run_close_breaker(struct gbx_cli *cli, struct gbx_error *err) {
        const char *analyst = gbx_cli_option(cli, "analyst"), *dataset = gbx_cli_option(cli, "dataset");
        const char *kind = analyst ? "analyst" : "dataset", *name = analyst ? analyst : dataset;
        int r;

        if (!analyst == !dataset)
                return gbx_fail(err, -EINVAL, "say whose breaker: --analyst or --dataset");
        r = gbx_flow_breaker_close(cli->site, cli->caller, kind, name, err);
        if (r < 0)
                return r;
        if (cli->json)
                gbx_cli_print_json(json_pack("{s:s, s:s}", "kind", kind, "name", name));
        else
                printf("flows of the %s '%s' are allowed again\n", kind, name);
        return GBX_EXIT_DONE;
}

static const struct gbx_option usage_options[] = {
        { .name = "day", .value = "DAY", .help = "as 2026-11-25, UTC (default: today)" },
        {}
};

static const struct gbx_option breaker_options[] = {
        { .name = "analyst", .value = "NAME", .help = "the breaker of this analyst" },
        { .name = "dataset", .value = "NAME", .help = "the breaker of this dataset" },
        {}
};

static const struct gbx_option cut_options[] = {
        { .name = "run", .value = "RUN", .help = "flows of this run" },
        { .name = "analyst", .value = "NAME", .help = "flows of this analyst's runs" },
        { .name = "dataset", .value = "NAME", .help = "flows of runs on this dataset" },
        { .name = "rule", .value = "NAME", .help = "only this rule of them" },
        {}
};

const struct gbx_command gbx_commands_flows[] = {
        { .noun = "flows", .verb = "ls", .summary = "live network flows of running jobs, with their rates", .action = "flows ls", .run = run_ls },
        { .noun = "flows", .verb = "cut", .summary = "end network flows of running jobs", .options = cut_options, .action = "flows cut", .run = run_cut },
        { .noun = "flows", .verb = "usage", .summary = "bytes and connections of a day, by analyst, purpose, dataset and rule", .options = usage_options,
          .action = "flows usage", .run = run_usage },
        { .noun = "flows", .verb = "breakers", .summary = "analysts and datasets whose flows are refused", .action = "flows breakers", .run = run_breakers },
        { .noun = "flows", .verb = "close-breaker", .summary = "allow flows of an analyst or on a dataset again", .options = breaker_options,
          .action = "flows close-breaker", .run = run_close_breaker },
        {}
};
