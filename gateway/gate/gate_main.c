/*
 * gbx-gate OUTPUTS POLICY RULES
 *
 * Inspects the files of the directory OUTPUTS under a policy and the content-scan
 * rules, and writes the report (report.h) to standard output. Runs in a sandbox
 * with profile "gate" (gate.h); by hand, for trying out, it needs none.
 * Exit status: 0, a report was written, whatever it says; 1, there is none.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "gateway/gate/inspect.h"
#include "gateway/gate/report.h"

#include <stdio.h>
#include <string.h>

static int run(const char *outputs, const char *policy_path, const char *rules_path, struct gbx_error *err) {
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_scan_rules_freep) struct gbx_scan_rules *rules = NULL;
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer report = {};
        gbx_auto(gbx_close_fd) int directory = -1;
        int r = gbx_policy_load(&policy, policy_path, NULL, err);

        if (r >= 0)
                r = gbx_scan_rules_load(&rules, rules_path, NULL, err);
        if (r < 0)
                return r;
        directory = gbx_open_directory(AT_FDCWD, outputs, err);
        if (directory < 0)
                return directory;
        r = gbx_inspect(directory, policy, rules, &result, err);
        if (r >= 0)
                r = gbx_report_write(&result, &report, err);
        return r < 0 ? r : gbx_write_all(STDOUT_FILENO, report.data, report.size, err);
}

int main(int argc, char **argv) {
        struct gbx_error err = {};

        if (argc != 4) {
                fprintf(stderr, "usage: gbx-gate OUTPUTS POLICY RULES\n");
                return 1;
        }
        if (run(argv[1], argv[2], argv[3], &err) < 0) {
                fprintf(stderr, "gbx-gate: %s\n", err.message);
                return 1;
        }
        return gbx_process_finish("gbx-gate", 0);
}
