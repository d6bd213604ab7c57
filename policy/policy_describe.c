/* What a policy says, for people. */
#include "policy/policy.h"

#include "policy/flows.h"

static int list(struct gbx_buffer *buffer, const struct gbx_texts *texts, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < texts->count; i++)
                r = gbx_buffer_printf(buffer, err, "%s%s", i ? ", " : "", texts->items[i]);
        return r;
}

static int line_of(struct gbx_buffer *buffer, const char *label, const struct gbx_texts *texts, const char *empty,
                   struct gbx_error *err) {
        int r = gbx_buffer_printf(buffer, err, "%-14s %s", label, texts->count ? "" : empty);

        if (r >= 0)
                r = list(buffer, texts, err);
        return r < 0 ? r : gbx_buffer_append_text(buffer, "\n", err);
}

struct unit {
        uint64_t factor;
        const char *name;
};

/* The largest unit that divides the number. */
static int quantity(struct gbx_buffer *buffer, uint64_t value, const struct unit *units, struct gbx_error *err) {
        while (units->factor > 1 && (value % units->factor || value == 0))
                units++;
        return gbx_buffer_printf(buffer, err, "%llu%s", (unsigned long long)(value / units->factor), units->name);
}

static const struct unit durations[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
static const struct unit sizes[] = { { 1ULL << 30, "G" }, { 1ULL << 20, "M" }, { 1ULL << 10, "K" }, { 1, "" } };

static int describe_limits(const struct gbx_policy_limits *limits, struct gbx_buffer *buffer, struct gbx_error *err) {
        int r = gbx_buffer_append_text(buffer, "limits         ", err);

        if (r >= 0)
                r = quantity(buffer, limits->wall_ms, durations, err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, " wall time, ", err);
        if (r >= 0)
                r = quantity(buffer, limits->cpu_ms, durations, err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, " CPU time, ", err);
        if (r >= 0)
                r = quantity(buffer, limits->memory_bytes, sizes, err);
        if (r >= 0)
                r = gbx_buffer_printf(buffer, err, " memory, %llu processes, %llu open files, ",
                                      (unsigned long long)limits->processes, (unsigned long long)limits->open_files);
        if (r >= 0)
                r = quantity(buffer, limits->output_bytes, sizes, err);
        if (r >= 0)
                r = gbx_buffer_printf(buffer, err, " output in at most %llu files, ", (unsigned long long)limits->output_files);
        if (r >= 0)
                r = quantity(buffer, limits->scratch_bytes, sizes, err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, " scratch", err);
        if (r >= 0 && limits->cpu_percent)
                r = gbx_buffer_printf(buffer, err, ", %llu%% of a processor", (unsigned long long)limits->cpu_percent);
        return r < 0 ? r : gbx_buffer_append_text(buffer, "\n", err);
}

static int describe_sandbox(const struct gbx_policy_sandbox *sandbox, struct gbx_buffer *buffer, struct gbx_error *err) {
        if (!sandbox->core_scheduling && !sandbox->coarse_timers)
                return 0;
        return gbx_buffer_printf(buffer, err, "sandbox        %s%s%s\n", sandbox->core_scheduling ? "shares no core with others" : "",
                                 sandbox->core_scheduling && sandbox->coarse_timers ? ", " : "",
                                 sandbox->coarse_timers ? "the time stamp counter cannot be read" : "");
}

static int describe_messages(const struct gbx_policy_messages *messages, struct gbx_buffer *buffer, struct gbx_error *err) {
        if (!messages->line && !messages->progress)
                return 0;
        return gbx_buffer_printf(buffer, err, "messages       the requester is told %s%s%s\n",
                                 messages->line ? "the line in which a script failed" : "",
                                 messages->line && messages->progress ? " and " : "", messages->progress ? "a run's progress" : "");
}

/* What a watermark must respect in a column, as notes behind it. */
static int describe_marks(const struct gbx_policy_column *column, struct gbx_buffer *buffer, struct gbx_error *err) {
        const struct {
                const char *text, *value; /* NULL: not said */
        } notes[] = { { column->mark ? " (a mark may change it" : NULL, "" },
                      { column->prose ? " (a mark may put invisible characters into it" : NULL, "" },
                      { column->exact ? " (never marked" : NULL, "" },
                      { column->minimum ? " (marks stay at or above " : NULL, column->minimum },
                      { column->maximum ? " (marks stay at or below " : NULL, column->maximum },
                      { column->keep_total ? " (marks keep its total" : NULL, "" },
                      { column->sum_group ? " (marks keep the sum of " : NULL, column->sum_group },
                      { column->per ? " (marked alike for each " : NULL, column->per } };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sizeof notes / sizeof *notes; i++)
                if (notes[i].text)
                        r = gbx_buffer_printf(buffer, err, "%s%s)", notes[i].text, notes[i].value);
        if (r >= 0 && column->weight)
                r = gbx_buffer_printf(buffer, err, " (weight %llu of the marks)", (unsigned long long)column->weight);
        return r < 0 ? r : gbx_buffer_append_text(buffer, "\n", err);
}

static int describe_coalition(const struct gbx_policy_release *release, struct gbx_buffer *buffer, struct gbx_error *err) {
        return release->coalition ? gbx_buffer_printf(buffer, err, "coalition      marks are for up to %llu recipients who pool their copies\n",
                                                      (unsigned long long)release->coalition) : 0;
}

static int describe_release(const struct gbx_policy_release *release, struct gbx_buffer *buffer,
                            struct gbx_error *err) {
        static const char *const hold[] = { "held when a check fails", "refused when a check fails", "always held" };
        static const char *const counts[] = { "held: nobody checked the contributor counts",
                                              "trusted: contributor counts are computed by reviewed code" };
        const struct gbx_policy_column *columns = release->columns.items;
        int r = gbx_buffer_printf(buffer, err,
                                  "release        at least %llu contributors a row; at most %llu table%s of %llu rows and %llu columns; %s\n"
                                  "counts         %s\n"
                                  "watermark      %s%s%s\n",
                                  (unsigned long long)release->minimum_count, (unsigned long long)release->max_tables,
                                  release->max_tables == 1 ? "" : "s", (unsigned long long)release->max_rows,
                                  (unsigned long long)release->max_columns, hold[release->hold],
                                  counts[release->declared_counts],
                                  release->watermark == GBX_WATERMARK_OFF ? "off" : "required",
                                  release->banner ? ", and a first line that says whose copy it is" : "",
                                  release->row_order_mark ? "; it may swap neighbouring rows" : "");

        if (r >= 0)
                r = describe_coalition(release, buffer, err);
        if (r >= 0)
                r = line_of(buffer, "recipients", &release->recipients, "the requester of the run", err);
        if (r >= 0)
                r = line_of(buffer, "outputs", &release->outputs, "any, numbered by the gate", err);
        for (size_t i = 0; r >= 0 && i < release->columns.count; i++) {
                r = gbx_buffer_printf(buffer, err, "%-14s %s, %s%s%s%s", i ? "" : "columns", columns[i].name,
                                      gbx_column_type_name(columns[i].type), columns[i].unit ? " in units of " : "",
                                      columns[i].unit ? columns[i].unit : "", columns[i].values.count ? ": " : "");
                if (r >= 0)
                        r = list(buffer, &columns[i].values, err);
                if (r >= 0)
                        r = describe_marks(&columns[i], buffer, err);
        }
        return r;
}

/* What one analyst, or everybody on a dataset, may use on a day. */
static int describe_quota(const struct gbx_policy_flow_quota *quota, const char *whose, struct gbx_buffer *buffer, struct gbx_error *err) {
        const struct {
                uint64_t value;
                const struct unit *units;
                const char *what;
        } limits[] = { { quota->request_bytes_day, sizes, " out" },
                       { quota->response_bytes_day, sizes, " in" },
                       { quota->connections_day, &sizes[3], " connections" } };
        bool any = false;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sizeof limits / sizeof *limits; i++) {
                if (limits[i].value == 0)
                        continue;
                r = any ? gbx_buffer_append_text(buffer, ", ", err) : gbx_buffer_printf(buffer, err, "flow quota     %s, a day: ", whose);
                if (r >= 0)
                        r = quantity(buffer, limits[i].value, limits[i].units, err);
                if (r >= 0)
                        r = gbx_buffer_append_text(buffer, limits[i].what, err);
                any = true;
        }
        return r < 0 || !any ? r : gbx_buffer_append_text(buffer, "\n", err);
}

static int describe_shared(const struct gbx_policy *policy, struct gbx_buffer *buffer, struct gbx_error *err) {
        const struct gbx_policy_flow_breakers *breakers = &policy->flow_breakers;
        int r = gbx_buffer_printf(buffer, err, "flow breakers  after %llu failures of an analyst, or %llu on a dataset, within ",
                                  (unsigned long long)breakers->analyst_failures, (unsigned long long)breakers->dataset_failures);

        if (r >= 0)
                r = quantity(buffer, breakers->window_ms, durations, err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, "\n", err);
        if (r >= 0)
                r = describe_quota(&policy->flow_quotas.analyst, "an analyst", buffer, err);
        return r < 0 ? r : describe_quota(&policy->flow_quotas.dataset, "a dataset", buffer, err);
}

static int describe_network(const struct gbx_policy *policy, struct gbx_buffer *buffer, struct gbx_error *err) {
        static const char *const schemes[] = { "http", "https", "tcp" };
        static const char *const modes[] = { "", ", passed through", ", inspected" };
        const struct gbx_policy_flow *flows = policy->flows.items;
        int r = 0;

        if (policy->flows.count == 0)
                return gbx_buffer_append_text(buffer, "network        none\n", err);
        for (size_t i = 0; r >= 0 && i < policy->flows.count; i++) {
                char port[24] = "";

                if (flows[i].port)
                        (void)snprintf(port, sizeof port, ":%llu", (unsigned long long)flows[i].port);
                r = gbx_buffer_printf(buffer, err, "%-14s %s: %s://%s%s%s%s; at most %llu bytes out and %llu in\n", i ? "" : "network",
                                      flows[i].name, schemes[flows[i].scheme], flows[i].host, port, modes[flows[i].tls.mode],
                                      flows[i].scan ? ", scanned" : "", (unsigned long long)flows[i].request_bytes,
                                      (unsigned long long)flows[i].response_bytes);
        }
        return r < 0 ? r : describe_shared(policy, buffer, err);
}

static int describe_engines(const struct gbx_policy *policy, struct gbx_buffer *buffer, struct gbx_error *err) {
        const char *before = "engines        ";
        int r = 0;

        for (unsigned engine = 0; engine < GBX_ENGINE_COUNT && r >= 0; engine++)
                if (policy->engines & 1U << engine) {
                        r = gbx_buffer_printf(buffer, err, "%s%s", before, gbx_engine_name((enum gbx_engine)engine));
                        before = ", ";
                }
        return r < 0 ? r : gbx_buffer_append_text(buffer, "\n", err);
}

static int describe_output_review(const struct gbx_policy_output_review *review, struct gbx_buffer *buffer, struct gbx_error *err) {
        int r = gbx_buffer_printf(buffer, err, "output review  %llu of: %s", (unsigned long long)review->required,
                                  review->reviewers.count ? "" : "any reviewer");

        if (r >= 0)
                r = list(buffer, &review->reviewers, err);
        return r < 0 ? r :
                       gbx_buffer_printf(buffer, err, "; never the requester, %s, %s\n",
                                         review->exclude_submitter ? "never the submitter" : "the submitter too",
                                         review->blind ? "each blind to the others" : "each sees what others decided");
}

int gbx_policy_describe(const struct gbx_policy *policy, struct gbx_buffer *buffer, struct gbx_error *err) {
        const struct gbx_policy_parameter *parameters = policy->parameters.items;
        int r = gbx_buffer_printf(buffer, err, "policy         %s\ndigest         %s\npurpose        %s\n", policy->name,
                                  policy->digest, policy->purpose);

        if (r >= 0)
                r = line_of(buffer, "datasets", &policy->datasets, "", err);
        if (r >= 0)
                r = describe_engines(policy, buffer, err);
        if (r >= 0)
                r = gbx_buffer_printf(buffer, err, "approvals      %llu of: ", (unsigned long long)policy->approvals.required);
        if (r >= 0)
                r = list(buffer, &policy->approvals.reviewers, err);
        if (r >= 0)
                r = gbx_buffer_printf(buffer, err, "; %s, valid for at most ",
                                      policy->approvals.exclude_submitter ? "never the submitter" : "the submitter too");
        if (r >= 0)
                r = quantity(buffer, policy->approvals.valid_ms, durations, err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, "\n", err);
        if (r >= 0)
                r = describe_limits(&policy->limits, buffer, err);
        if (r >= 0)
                r = describe_sandbox(&policy->sandbox, buffer, err);
        if (r >= 0)
                r = describe_messages(&policy->messages, buffer, err);
        if (r >= 0)
                r = describe_release(&policy->release, buffer, err);
        if (r >= 0)
                r = describe_output_review(&policy->output_review, buffer, err);
        for (size_t i = 0; r >= 0 && i < policy->parameters.count; i++)
                r = gbx_buffer_printf(buffer, err, "%-14s %s, %s%s%s\n", i ? "" : "parameters", parameters[i].name,
                                      parameters[i].list ? "list of " : "", gbx_column_type_name(parameters[i].type),
                                      parameters[i].required ? ", required" : "");
        return r < 0 ? r : describe_network(policy, buffer, err);
}
