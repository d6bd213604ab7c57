/* flows ls | cut | usage | breakers | close-breaker: what leaves running jobs, and stopping it */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/flows/control.h"
#include "gateway/flows/limits.h"
#include "gateway/store/transaction.h"

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_flow_control_list(session->site, ret_answer, err);
}

static int perform_cut(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                       struct gbx_error *err) {
        const char *name = gbx_json_text(request, "run"), *analyst = gbx_json_text(request, "analyst"),
                   *dataset = gbx_json_text(request, "dataset");
        gbx_auto(gbx_json_freep) json_t *all = NULL,
                                        *cut = json_pack("{s:s, s:s*}", "command", "cut", "rule", gbx_json_text(request, "rule"));
        json_int_t count = 0;
        size_t i;
        json_t *run;
        int r;

        (void)sink;
        if (!name && !analyst && !dataset)
                return gbx_fail(err, -EINVAL, "say whose flows: --run, --analyst or --dataset");
        r = gbx_flow_control_list(session->site, &all, err);
        if (r < 0)
                return r;
        json_array_foreach(all, i, run) {
                gbx_auto(gbx_json_freep) json_t *answer = NULL;

                if (!gbx_flow_control_concerns(run, name, analyst, dataset))
                        continue;
                r = gbx_flow_control_ask(session->site, gbx_json_text(run, "run"), cut, &answer, err);
                if (r < 0)
                        return r;
                count += gbx_json_number(answer, "cut");
        }
        if (count == 0)
                return gbx_fail(err, -ENOENT, "no live rule of such a run");
        *ret_answer = json_pack("{s:I}", "cut", count);
        return 0;
}

static int perform_usage(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        (void)sink;
        return gbx_flow_usage(session->site, gbx_json_text(request, "day"), ret_answer, err);
}

static int perform_breakers(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                            struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_flow_breakers(session->site, ret_answer, err);
}

static int perform_close(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        const char *analyst = gbx_json_text(request, "analyst"), *dataset = gbx_json_text(request, "dataset");
        const char *kind = analyst ? "analyst" : "dataset", *name = analyst ? analyst : dataset;
        int r;

        (void)sink;
        if (!analyst == !dataset)
                return gbx_fail(err, -EINVAL, "say whose breaker: --analyst or --dataset");
        r = gbx_flow_breaker_close(session->site, session->caller, kind, name, err);
        if (r >= 0)
                *ret_answer = json_pack("{s:s, s:s}", "kind", kind, "name", name);
        return r;
}

/* Of a run, and of each of its flows. */
static const struct gbx_column flow_columns[] = {
        { "run", "RUN", GBX_COLUMN_TEXT, 0 },             { "analyst", "ANALYST", GBX_COLUMN_TEXT, 0 },
        { "rule", "RULE", GBX_COLUMN_TEXT, 0 },           { "flow", "FLOW", GBX_COLUMN_NUMBER, 0 },
        { "host", "HOST", GBX_COLUMN_TEXT, 0 },           { "sent", "SENT", GBX_COLUMN_NUMBER, 0 },
        { "received", "RECEIVED", GBX_COLUMN_NUMBER, 0 }, { "rate", "BYTES/S", GBX_COLUMN_NUMBER, 0 },
        { "purpose", NULL, GBX_COLUMN_TEXT, 0 },          { "datasets", NULL, GBX_COLUMN_LIST, 0 },
        { "connections", NULL, GBX_COLUMN_NUMBER, 0 },    { "flows_total", NULL, GBX_COLUMN_NUMBER, 0 },
        { "refused_total", NULL, GBX_COLUMN_NUMBER, 0 },  { "flows", NULL, GBX_COLUMN_LIST, 0 },
        { "rules", NULL, GBX_COLUMN_LIST, 0 },            {},
};

static const struct gbx_column usage_columns[] = {
        { "day", NULL, GBX_COLUMN_TEXT, 0 },              { "analyst", "ANALYST", GBX_COLUMN_TEXT, 0 },
        { "purpose", "PURPOSE", GBX_COLUMN_TEXT, 0 },     { "dataset", "DATASET", GBX_COLUMN_TEXT, 0 },
        { "rule", "RULE", GBX_COLUMN_TEXT, 0 },           { "connections", "CONNECTIONS", GBX_COLUMN_NUMBER, 0 },
        { "sent", "SENT", GBX_COLUMN_NUMBER, 0 },         { "received", "RECEIVED", GBX_COLUMN_NUMBER, 0 },
        {},
};

static const struct gbx_column breaker_columns[] = {
        { "kind", "KIND", GBX_COLUMN_TEXT, 0 }, { "name", "NAME", GBX_COLUMN_TEXT, 0 },
        { "failures", "FAILURES", GBX_COLUMN_NUMBER, 0 }, { "time", "SINCE", GBX_COLUMN_TIME, 0 }, {},
};

const struct gbx_operation gbx_operations_flows[] = {
        { GBX_OPERATION("flows", "ls", "flows ls", GBX_READ, perform_ls),
          .summary = "live network flows of running jobs, with their rates",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .columns = flow_columns, .each = "flows", .text = "no flow is open" }, {} } },
        { GBX_OPERATION("flows", "cut", "flows cut", GBX_WRITE, perform_cut),
          .summary = "end network flows of running jobs",
          .fields = (const struct gbx_field[]){
                  { .name = "run", .value = "RUN", .help = "flows of this run" },
                  { .name = "analyst", .value = "NAME", .help = "flows of this analyst's runs" },
                  { .name = "dataset", .value = "NAME", .help = "flows of runs on this dataset" },
                  { .name = "rule", .value = "NAME", .help = "only this rule of them" },
                  {} },
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "rules closed for the rest of the run: {cut}" },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "cut", NULL, GBX_COLUMN_NUMBER, 0 }, {} } }, {} } },
        { GBX_OPERATION("flows", "usage", "flows usage", GBX_READ, perform_usage),
          .summary = "bytes and connections of a day, by analyst, purpose, dataset and rule",
          .fields = (const struct gbx_field[]){
                  { .name = "day", .value = "DAY", .help = "as 2026-11-25, UTC (default: today)" }, {} },
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_ROWS, .columns = usage_columns, .text = "no flow on that day" }, {} } },
        { GBX_OPERATION("flows", "breakers", "flows breakers", GBX_READ, perform_breakers),
          .summary = "analysts and datasets whose flows are refused",
          .answer = (const struct gbx_part[]){ { .kind = GBX_PART_ROWS, .columns = breaker_columns, .text = "no breaker is open" }, {} } },
        { GBX_OPERATION("flows", "close-breaker", "flows close-breaker", GBX_WRITE, perform_close),
          .summary = "allow flows of an analyst or on a dataset again",
          .fields = (const struct gbx_field[]){
                  { .name = "analyst", .value = "NAME", .help = "the breaker of this analyst" },
                  { .name = "dataset", .value = "NAME", .help = "the breaker of this dataset" },
                  {} },
          .records = "breaker.close",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_LINE, .text = "flows of the {kind} '{name}' are allowed again" },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "kind", NULL, GBX_COLUMN_TEXT, 0 },
                                                                                     { "name", NULL, GBX_COLUMN_TEXT, 0 }, {} } },
                  {} } },
        {},
};
