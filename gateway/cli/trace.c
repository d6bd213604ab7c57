/* gbx trace: whose copy is this? */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "gateway/trace/trace.h"

#include <stdio.h>
#include <string.h>

enum { SUSPECT_LIMIT = 1024 * 1024 * 1024 };

/* The run behind a mark's id ("release-000002", or "release-000002.1" where the first mark was taken), for the reader. */
static const char *run_of(struct gbx_site *site, const char *mark_id, char run[static 64]) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        char release[64];

        run[0] = '\0';
        (void)snprintf(release, sizeof release, "%.*s", (int)strcspn(mark_id, "."), mark_id);
        if (gbx_view_query_one(site->view, &row, NULL, "SELECT run FROM release WHERE id=?1", release, NULL) == 0)
                (void)snprintf(run, 64, "%s", json_string_value(json_object_get(row, "run")));
        return run;
}

static json_t *results_json(struct gbx_site *site, const struct gbx_trace *trace, const struct gbx_suspects *suspects, size_t count) {
        json_t *rows = json_array();

        for (size_t i = 0; i < count; i++) {
                const struct gbx_trace_result *result = &trace->results[i];
                const struct gbx_trace_candidate *named =
                        result->candidate == GBX_TRACE_NOBODY ? NULL : &suspects->list[result->candidate];
                char run[64], p[32];

                (void)snprintf(p, sizeof p, "%.2g", result->adjusted_p);
                (void)json_array_append_new(
                        rows, json_pack("{s:s?, s:s?, s:s?, s:s, s:s, s:I, s:I, s:f, s:s}", "recipient", named ? named->recipient : NULL,
                                        "release", named ? named->release : NULL, "run", named ? run_of(site, named->release, run) : NULL,
                                        "verdict", gbx_trace_verdict_text(result->verdict), "test", gbx_trace_test_text(result->test), "n",
                                        (json_int_t)result->n, "matches", (json_int_t)result->matches, "score", result->score,
                                        "adjusted_p", p));
        }
        return rows;
}

static int write_plot(const char *path, const struct gbx_trace *trace, const struct gbx_suspects *suspects, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer svg = {};
        int r = gbx_trace_plot(trace, suspects->list, &svg, err);

        return r < 0 ? r : gbx_write_file_durably(AT_FDCWD, path, svg.data, svg.size, 0644, err);
}

static json_t *trace_json(struct gbx_site *site, const struct gbx_trace *trace, const struct gbx_suspects *suspects) {
        return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:s, s:o}", "verdict",
                         gbx_trace_verdict_text(trace->verdict), "format", trace->format, "rows", (json_int_t)trace->rows, "columns",
                         (json_int_t)trace->columns, "rows_matched", (json_int_t)trace->rows_matched, "tested",
                         (json_int_t)trace->tested, "ways", (json_int_t)trace->ways, "accused", (json_int_t)trace->accused, "alpha",
                         trace->alpha, "threshold", trace->threshold, "innocent_maximum", trace->innocent_maximum, "notes",
                         trace->notes ? trace->notes : "", "results", results_json(site, trace, suspects, trace->count));
}

static void print_head(const struct gbx_trace *trace) {
        printf("verdict: %s (read as %s, %llu rows, %llu columns; %llu releases tested in %llu ways; error bound %.0e)\n",
               gbx_trace_verdict_text(trace->verdict), trace->format, (unsigned long long)trace->rows,
               (unsigned long long)trace->columns, (unsigned long long)trace->tested, (unsigned long long)trace->ways, trace->alpha);
        if (trace->threshold > 0)
                printf("threshold: %.2f standard deviations; highest score not accused: %.2f\n", trace->threshold,
                       trace->innocent_maximum);
        if (trace->notes && *trace->notes)
                printf("%s", trace->notes);
}

static int print(struct gbx_cli *cli, const struct gbx_trace *trace, const struct gbx_suspects *suspects, struct gbx_error *err) {
        enum { OTHERS_SHOWN = 5 };
        static const struct gbx_cli_column columns[] = {
                { "recipient", "RECIPIENT", GBX_COLUMN_TEXT }, { "release", "RELEASE", GBX_COLUMN_TEXT },
                { "run", "RUN", GBX_COLUMN_TEXT },             { "verdict", "VERDICT", GBX_COLUMN_TEXT },
                { "test", "TEST", GBX_COLUMN_TEXT },           { "n", "N", GBX_COLUMN_NUMBER },
                { "matches", "MATCHES", GBX_COLUMN_NUMBER },   { "score", "SCORE", GBX_COLUMN_NUMBER },
                { "adjusted_p", "ADJUSTED P", GBX_COLUMN_NUMBER },
                {},
        };
        size_t shown = trace->count < trace->accused + OTHERS_SHOWN ? trace->count : trace->accused + OTHERS_SHOWN;
        int r;

        if (cli->json) {
                gbx_cli_print_json(trace_json(cli->site, trace, suspects));
                return 0;
        }
        print_head(trace);
        r = gbx_cli_print_rows(cli, results_json(cli->site, trace, suspects, shown), columns, "no release was tested", err);

        if (r >= 0 && shown < trace->count)
                printf("and %zu more that are not accused\n", trace->count - shown);
        return r;
}

static int run_trace(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer file = {};
        gbx_auto(gbx_suspects_free) struct gbx_suspects suspects = {};
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        const char *plot = gbx_cli_option(cli, "plot");
        int r = gbx_read_file(AT_FDCWD, cli->arguments[0], SUSPECT_LIMIT, &file, err);

        if (r >= 0)
                r = gbx_suspects_load(cli->site, &suspects, err);
        if (r >= 0)
                r = gbx_trace_suspect(cli->site, cli->caller, &file, &suspects, &trace, err);
        if (r >= 0 && plot)
                r = write_plot(plot, &trace, &suspects, err);
        return r < 0 ? r : print(cli, &trace, &suspects, err);
}

const struct gbx_command gbx_commands_trace[] = {
        { .noun = "trace", .arguments = "SUSPECT-FILE",
          .summary = "tell whose copy a file is, by watermark or by content",
          .details = "Names a release only if the error bound is met (docs/watermark.md). Every trace is an entry of the log.\n"
                     "A mark proves that the file comes from that release, not who leaked it.",
          .options = (const struct gbx_option[]){ { "plot", "FILE.svg", "draw scores, threshold and accused", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .action = "trace", .run = run_trace },
        {},
};
