/*
 * build/tests/gate-run POLICY COMMAND
 *
 * Runs COMMAND (sh -c) in a job's /out, a detached tmpfs, and then the release
 * gate over what it left, as the gateway does. Prints the findings, a line
 * each, and behind them the tables:
 *
 *   SEVERITY RULE OUTPUT ROW COLUMN DETAIL     ("-" where there is none)
 *   == NAME ROWS DIGEST
 *   the canonical table
 *
 * Exit status: 0 the gate gave a result, 1 it could not.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/gate/gate.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Where a job would write. */
static int fill(struct gbx_delivery *out, const char *command, struct gbx_error *err) {
        pid_t pid = fork();
        int status;

        if (pid < 0)
                return gbx_fail_errno(err, "cannot fork");
        if (pid == 0) {
                if (fchdir(gbx_delivery_mount_fd(out)) == 0)
                        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
                _exit(127);
        }
        if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return gbx_fail(err, -EINVAL, "the command failed");
        return 0;
}

static void print(const struct gbx_gate_result *result) {
        for (size_t i = 0; i < result->findings.count; i++) {
                const struct gbx_finding *finding = result->findings.items + i;

                printf("%s %s %s %llu %s %s\n", gbx_severity_name(finding->severity), finding->rule,
                       finding->output ? finding->output : "-", (unsigned long long)finding->row,
                       finding->column ? finding->column : "-", finding->detail ? finding->detail : "-");
        }
        if (result->findings.left_out)
                printf("left-out %zu\n", result->findings.left_out);
        if (result->opaque_count)
                printf("opaque %zu\n", result->opaque_count);
        for (size_t i = 0; i < result->table_count; i++)
                printf("== %s %zu %s\n%s", result->tables[i].name, result->tables[i].rows, result->tables[i].digest,
                       gbx_buffer_text(&result->tables[i].csv));
}

static int run(const char *policy_path, const char *command, struct gbx_error *err) {
        const char *build = getenv("BUILD") ? getenv("BUILD") : "build";
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *out = NULL;
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer rules = {}, digest = {};
        char launcher[512], program[512], digest_path[512], image[600];
        int r = gbx_policy_load(&policy, policy_path, NULL, err);

        (void)snprintf(launcher, sizeof launcher, "%s/gbx-sandbox", build);
        (void)snprintf(program, sizeof program, "%s/gbx-gate", build);
        (void)snprintf(digest_path, sizeof digest_path, "%s/images/native-min.digest", build);
        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, "policy/rules/content-scan.yaml", 1 << 20, &rules, err);
        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, digest_path, 128, &digest, err);
        if (r >= 0)
                r = gbx_delivery_new(&out, GBX_DELIVERY_OUTPUT, (struct gbx_delivery_limits){ policy->limits.output_bytes, 256 }, err);
        if (r >= 0)
                r = fill(out, command, err);
        if (r < 0)
                return r;
        digest.data[strcspn(gbx_buffer_text(&digest), "\n")] = '\0';
        (void)snprintf(image, sizeof image, "%s/images/native-min-%s.squashfs", build, gbx_buffer_text(&digest) + strlen("sha256:"));
        r = gbx_gate_run(&(struct gbx_gate){ "gate-test", launcher, program, image, gbx_buffer_text(&digest), out, policy,
                                             rules.data, rules.size }, &result, err);
        if (r >= 0)
                print(&result);
        return r;
}

int main(int argc, char **argv) {
        struct gbx_error err = {};

        if (argc != 3) {
                fprintf(stderr, "usage: gate-run POLICY COMMAND\n");
                return 2;
        }
        if (run(argv[1], argv[2], &err) < 0) {
                fprintf(stderr, "gate-run: %s\n", err.message);
                return 1;
        }
        return 0;
}
