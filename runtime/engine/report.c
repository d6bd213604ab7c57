#include "runtime/engine/report.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>

static const struct {
        const char *name;
        int exit_code;
} rules[GBX_RULE_COUNT_] = {
        [GBX_RULE_NONE] = { "done", GBX_EXIT_DONE },
        [GBX_RULE_SYNTAX] = { "syntax-error", GBX_EXIT_FAILED },
        [GBX_RULE_RUNTIME] = { "runtime-error", GBX_EXIT_FAILED },
        [GBX_RULE_RELEASE] = { "release-error", GBX_EXIT_FAILED },
        [GBX_RULE_DATA] = { "data-error", GBX_EXIT_FAILED },
        [GBX_RULE_MEMORY] = { "memory-limit", GBX_EXIT_LIMIT },
        [GBX_RULE_INSTRUCTIONS] = { "instruction-limit", GBX_EXIT_LIMIT },
        [GBX_RULE_JOB] = { "job-error", GBX_EXIT_FAILED },
};

const char *gbx_rule_name(enum gbx_rule rule) { return rules[rule].name; }

int gbx_rule_exit_code(enum gbx_rule rule) { return rules[rule].exit_code; }

void gbx_report_init(struct gbx_report *report) {
        *report = (struct gbx_report){
                .fd = fcntl(GBX_REPORT_FD, F_GETFD) >= 0 ? GBX_REPORT_FD : -1,
                .percent = -1,
        };
}

static void say(struct gbx_report *report, const char *line, int size) {
        if (report->fd >= 0 && gbx_write_all(report->fd, line, (size_t)size, NULL) < 0)
                report->fd = -1;
}

void gbx_report_progress(struct gbx_report *report, double fraction, int step) {
        char line[64];
        int percent = fraction >= 1 ? 100 : fraction > 0 ? (int)(fraction * 100) : 0;
        int size;

        if (percent <= report->percent)
                return;
        report->percent = percent;
        if (step > 0 && step <= GBX_REPORT_STEP_MAX)
                size = snprintf(line, sizeof line, "{\"progress\":%d.%02d,\"step\":%d}\n", percent / 100, percent % 100,
                                step);
        else
                size = snprintf(line, sizeof line, "{\"progress\":%d.%02d}\n", percent / 100, percent % 100);
        say(report, line, size);
}

void gbx_report_end(struct gbx_report *report, const struct gbx_end *end) {
        char line[96];
        int size;

        if (end->rule == GBX_RULE_NONE)
                size = snprintf(line, sizeof line, "{\"end\":\"done\"}\n");
        else if (end->line > 0)
                size = snprintf(line, sizeof line, "{\"end\":\"error\",\"rule\":\"%s\",\"line\":%d}\n",
                                gbx_rule_name(end->rule), end->line);
        else
                size = snprintf(line, sizeof line, "{\"end\":\"error\",\"rule\":\"%s\"}\n", gbx_rule_name(end->rule));
        say(report, line, size);
}
