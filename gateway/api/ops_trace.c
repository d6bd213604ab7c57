/* trace: whose copy is this? */
#include "gateway/api/ops.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "gateway/trace/trace.h"

#include <stdio.h>
#include <string.h>

enum { SUSPECT_LIMIT = 1024 * 1024 * 1024, OTHERS_SHOWN = 5 };

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

/* The verdict in a sentence. */
static json_t *head(const struct gbx_trace *trace) {
        return json_sprintf("verdict: %s (read as %s, %llu rows, %llu columns; %llu releases tested in %llu ways; error bound %.0e)",
                            gbx_trace_verdict_text(trace->verdict), trace->format, (unsigned long long)trace->rows,
                            (unsigned long long)trace->columns, (unsigned long long)trace->tested, (unsigned long long)trace->ways,
                            trace->alpha);
}

static json_t *answer(struct gbx_site *site, const struct gbx_trace *trace, const struct gbx_suspects *suspects) {
        size_t shown = trace->count < trace->accused + OTHERS_SHOWN ? trace->count : trace->accused + OTHERS_SHOWN;
        json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:s, s:o}", "verdict",
                                 gbx_trace_verdict_text(trace->verdict), "format", trace->format, "rows", (json_int_t)trace->rows,
                                 "columns",
                                 (json_int_t)trace->columns, "rows_matched", (json_int_t)trace->rows_matched, "tested",
                                 (json_int_t)trace->tested, "ways", (json_int_t)trace->ways, "accused", (json_int_t)trace->accused, "alpha",
                                 trace->alpha, "threshold", trace->threshold, "innocent_maximum", trace->innocent_maximum, "notes",
                                 trace->notes ? trace->notes : "", "results", results_json(site, trace, suspects, trace->count));

        (void)json_object_set_new(json, "head", head(trace));
        (void)json_object_set_new(json, "best", results_json(site, trace, suspects, shown));
        if (trace->threshold > 0)
                (void)json_object_set_new(json, "scale",
                                          json_sprintf("threshold: %.2f standard deviations; highest score not accused: %.2f",
                                                                      trace->threshold, trace->innocent_maximum));
        if (shown < trace->count)
                (void)json_object_set_new(json, "more", json_integer((json_int_t)(trace->count - shown)));
        return json;
}

static int perform_trace(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                         struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer file = {};
        gbx_auto(gbx_suspects_free) struct gbx_suspects suspects = {};
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        const char *plot = gbx_json_text(request, "plot");
        int r = gbx_session_read(session, "file", SUSPECT_LIMIT, &file, err);

        (void)sink;
        if (r >= 0)
                r = gbx_suspects_load(session->site, &suspects, err);
        if (r >= 0)
                r = gbx_trace_suspect(session->site, session->caller, &file, &suspects, &trace, err);
        if (r >= 0 && plot)
                r = write_plot(plot, &trace, &suspects, err);
        if (r >= 0)
                *ret_answer = answer(session->site, &trace, &suspects);
        return r < 0 ? r : 0;
}

static const struct gbx_column result_columns[] = {
        { "recipient", "RECIPIENT", GBX_COLUMN_TEXT, 0 },     { "release", "RELEASE", GBX_COLUMN_TEXT, 0 },
        { "run", "RUN", GBX_COLUMN_TEXT, 0 },                 { "verdict", "VERDICT", GBX_COLUMN_TEXT, 0 },
        { "test", "TEST", GBX_COLUMN_TEXT, 0 },               { "n", "N", GBX_COLUMN_NUMBER, 0 },
        { "matches", "MATCHES", GBX_COLUMN_NUMBER, 0 },       { "score", "SCORE", GBX_COLUMN_NUMBER, 0 },
        { "adjusted_p", "ADJUSTED P", GBX_COLUMN_NUMBER, 0 }, {},
};

static const struct gbx_column trace_columns[] = {
        { "verdict", NULL, GBX_COLUMN_TEXT, 0 },     { "format", NULL, GBX_COLUMN_TEXT, 0 },
        { "rows", NULL, GBX_COLUMN_NUMBER, 0 },      { "columns", NULL, GBX_COLUMN_NUMBER, 0 },
        { "rows_matched", NULL, GBX_COLUMN_NUMBER, 0 }, { "tested", NULL, GBX_COLUMN_NUMBER, 0 },
        { "ways", NULL, GBX_COLUMN_NUMBER, 0 },      { "accused", NULL, GBX_COLUMN_NUMBER, 0 },
        { "alpha", NULL, GBX_COLUMN_NUMBER, 0 },     { "threshold", NULL, GBX_COLUMN_NUMBER, 0 },
        { "innocent_maximum", NULL, GBX_COLUMN_NUMBER, 0 }, { "results", NULL, GBX_COLUMN_LIST, 0 },
        {},
};

const struct gbx_operation gbx_operations_trace[] = {
        { GBX_OPERATION("trace", NULL, "trace", GBX_WRITE, perform_trace),
          .summary = "tell whose copy a file is, by watermark or by content",
          .details = "Names a release only if the error bound is met (docs/watermark.md). Every trace is an entry of the log.\n"
                     "A mark proves that the file comes from that release, not who leaked it.",
          .fields = (const struct gbx_field[]){
                  { .name = "file", .type = GBX_FIELD_FILE, .value = "SUSPECT-FILE", .required = true, .positional = true },
                  { .name = "plot", .type = GBX_FIELD_PATH, .value = "FILE.svg", .help = "draw scores, threshold and accused" },
                  {} },
          .records = "trace.run",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_TEXT, .member = "head" },
                  { .kind = GBX_PART_TEXT, .member = "scale", .when = "scale" },
                  { .kind = GBX_PART_TEXT, .member = "notes", .when = "notes" },
                  { .kind = GBX_PART_ROWS, .member = "best", .columns = result_columns, .text = "no release was tested" },
                  { .kind = GBX_PART_LINE, .when = "more", .text = "and {more} more that are not accused" },
                  { .kind = GBX_PART_FIELDS, .columns = trace_columns },
                  { .kind = GBX_PART_LINES, .member = "more" },
                  {} } },
        {},
};
