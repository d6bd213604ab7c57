#include "gateway/gate/gate.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/gate/report.h"
#include "runtime/sandbox/launch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
        MIB = 1024 * 1024,
        WALL_MS = 60 * 1000,
        CPU_MS = 30 * 1000,
        MEMORY_BASE = 64 * MIB,
        MEMORY_FACTOR = 24, /* of the policy's max-size: cells, their text, the sorted table and the report */
        OPEN_FILES = 32,
        PROGRAM_MAX = 64 * MIB,
        MESSAGE_MAX = 4096,
};

static void decref(json_t **json) {
        json_decref(*json);
}

/* A result with nothing but one failed rule. */
static int failed(struct gbx_gate_result *ret, const char *rule, const char *detail, struct gbx_error *err) {
        struct gbx_gate_result result = {};
        struct gbx_finding finding = { .rule = (char *)(uintptr_t)rule, .severity = GBX_SEVERITY_FAIL,
                                       .detail = (char *)(uintptr_t)detail };
        int r = gbx_findings_add(&result.findings, &finding, err);

        if (r < 0)
                return r;
        *ret = result;
        return 0;
}

/* --- what the gate is given --------------------------------------------------------- */

static int put_file(struct gbx_delivery *job, const char *name, mode_t mode, const void *data, size_t size,
                    struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = gbx_delivery_create(job, name, err);
        int r;

        if (fd < 0)
                return fd;
        r = gbx_write_all(fd, data, size, err);
        if (r < 0)
                return gbx_context(err, r, "/job/%s", name);
        return fchmod(fd, mode) < 0 ? gbx_fail_errno(err, "cannot set the mode of /job/%s", name) : 0;
}

static int prepare_job(const struct gbx_gate *gate, struct gbx_delivery **ret, struct gbx_error *err) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *job = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer program = {};
        int r = gbx_read_file(AT_FDCWD, gate->program, PROGRAM_MAX, &program, err);

        if (r < 0)
                return r;
        r = gbx_delivery_new(&job, GBX_DELIVERY_DATA, (struct gbx_delivery_limits){ PROGRAM_MAX + 4 * MIB, 8 }, err);
        if (r >= 0)
                r = put_file(job, "gbx-gate", 0555, program.data, program.size, err);
        if (r >= 0)
                r = put_file(job, "policy.yaml", 0444, gate->policy->source.data, gate->policy->source.size, err);
        if (r >= 0)
                r = put_file(job, "content-scan.yaml", 0444, gate->scan_rules, gate->scan_rules_size, err);
        if (r >= 0)
                r = gbx_delivery_seal(job, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(job);
        return 0;
}

static json_t *make_spec(const struct gbx_gate *gate, const int mounts[2], const struct gbx_launch_pipe pipes[2]) {
        json_int_t memory = MEMORY_BASE + MEMORY_FACTOR * (json_int_t)gate->policy->release.max_bytes;

        return json_pack("{s:i, s:s, s:{s:s, s:s}, s:[s,s,s,s], s:s, s:[{s:s, s:i}, {s:s, s:i, s:b}], s:n, s:i, s:i,"
                         " s:{s:i, s:i, s:I, s:i, s:i, s:i, s:i}, s:{s:s}, s:{s:s}}",
                         "version", 1, "name", gate->name, "image", "file", gate->image, "digest", gate->image_digest, "argv",
                         "/job/gbx-gate", "/data", "/job/policy.yaml", "/job/content-scan.yaml", "profile", "gate", "mounts",
                         "target", "/data", "fd", mounts[0], "target", "/job", "fd", mounts[1], "executable", 1, "stdin",
                         "stdout", pipes[0].write_end, "stderr", pipes[1].write_end, "limits", "wall_ms", WALL_MS, "cpu_ms",
                         CPU_MS, "memory_bytes", memory, "pids", 4, "open_files", OPEN_FILES, "file_bytes", 4096, "denials", 10,
                         "network", "mode", "none", "options", "core_pattern_pipe", "suppress"); /* as for jobs (gateway/execute.c) */
}

/* --- running it ---------------------------------------------------------------------- */

static void take(void *userdata, const char *data, size_t size) {
        (void)gbx_buffer_append(userdata, data, size, NULL); /* a report that is too short is refused later */
}

struct session {
        struct gbx_launch_pipe pipes[2]; /* report, messages */
        struct gbx_buffer report, message;
        json_t *result; /* of the sandbox */
};

static void free_session(struct session *session) {
        gbx_launch_pipe_close(&session->pipes[0]);
        gbx_launch_pipe_close(&session->pipes[1]);
        gbx_buffer_free(&session->report);
        gbx_buffer_free(&session->message);
        json_decref(session->result);
}

static int run_sandbox(const struct gbx_gate *gate, const int mounts[2], struct session *session, struct gbx_error *err) {
        gbx_auto(decref) json_t *spec = NULL;
        size_t limit = GBX_REPORT_HEAD_MAX + gate->policy->release.max_bytes;
        int r = gbx_launch_pipe_open(&session->pipes[0], limit, take, &session->report, err);

        if (r >= 0)
                r = gbx_launch_pipe_open(&session->pipes[1], MESSAGE_MAX, take, &session->message, err);
        if (r < 0)
                return r;
        spec = make_spec(gate, mounts, session->pipes);
        if (!spec)
                return gbx_fail_memory(err);
        return gbx_launch_run(&(struct gbx_launch){ gate->launcher, spec, mounts, 2, session->pipes, 2, 0 }, &session->result, err);
}

/* What became of gbx-gate: a report, or a finding that says it did not live to write one. */
static int take_report(const struct gbx_gate *gate, const struct session *session, struct gbx_gate_result *ret,
                       struct gbx_error *err) {
        const char *outcome = json_string_value(json_object_get(session->result, "outcome"));
        const json_t *code = json_object_get(session->result, "exit_code");
        const char *limit = json_string_value(json_object_get(session->result, "limit"));
        struct gbx_error problem = {};
        char detail[256];
        int r;

        if (!outcome || strcmp(outcome, "exited") != 0 || !json_is_integer(code) || json_integer_value(code) != 0) {
                (void)snprintf(detail, sizeof detail, "the gate did not finish: %s%s%s %.120s", outcome ? outcome : "unknown",
                               limit ? " " : "", limit ? limit : "", gbx_buffer_text(&session->message));
                return failed(ret, "gate-limit", detail, err);
        }
        r = session->pipes[0].truncated ? gbx_fail(&problem, -EINVAL, "the gate's report is longer than it may be") :
                                          gbx_report_read(session->report.data, session->report.size, gate->policy, ret, &problem);
        if (r == -EINVAL)
                return failed(ret, "gate-failed", problem.message, err);
        return r < 0 ? gbx_fail(err, r, "%s", problem.message) : 0;
}

int gbx_gate_run(const struct gbx_gate *gate, struct gbx_gate_result *ret, struct gbx_error *err) {
        const struct gbx_policy_limits *limits = &gate->policy->limits;
        struct gbx_output_limits collect = { limits->output_files, limits->output_bytes, limits->output_bytes };
        gbx_auto(gbx_outputs_free) struct gbx_outputs outputs = {};
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *data = NULL, *job = NULL;
        gbx_auto(free_session) struct session session = { .pipes = { { .read_end = -1, .write_end = -1 },
                                                                     { .read_end = -1, .write_end = -1 } } };
        struct gbx_error problem = {};
        int mounts[2], r;

        r = gbx_delivery_collect(gate->outputs, collect, &outputs, &problem);
        if (r == -EINVAL || r == -EDQUOT) /* a link, a device, too many files: the job's doing, not a failure of ours */
                return failed(ret, r == -EINVAL ? "output-entry" : "output-limit", problem.message, err);
        if (r < 0)
                return gbx_fail(err, r, "%s", problem.message);
        r = gbx_outputs_deliver(&outputs, &data, err);
        if (r >= 0)
                r = prepare_job(gate, &job, err);
        if (r < 0)
                return r;
        mounts[0] = gbx_delivery_mount_fd(data);
        mounts[1] = gbx_delivery_mount_fd(job);
        r = run_sandbox(gate, mounts, &session, err);
        return r < 0 ? r : take_report(gate, &session, ret, err);
}
