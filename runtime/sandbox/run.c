#include "runtime/sandbox/run.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/sandbox/guard.h"
#include "runtime/sandbox/prepare.h"
#include "runtime/sandbox/result.h"
#include "runtime/sandbox/stage.h"
#include "runtime/sandbox/supervise.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

int gbx_run_clean(struct gbx_run *run, struct gbx_guard *guard, int result, struct gbx_error *err) {
        gbx_stage("ended");
        if (run->cgroup.version && gbx_cgroup_remove(&run->cgroup) < 0 && result == 0)
                result = gbx_fail(err, -EBUSY, "cgroup: '%s' or one beside it cannot be removed", run->cgroup.paths[0]);
        gbx_stage("removed");
        gbx_guard_stop(guard);
        return result;
}

static int write_result(const struct gbx_run *run, const struct gbx_outcome *outcome, int fd, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_result_format(run, outcome, &text, err);

        if (r == 0)
                r = gbx_write_all(fd, text.data, text.size, err);
        return r < 0 ? gbx_context(err, r, "result") : 0;
}

/* Who asked for the run may be killed before the run can see it by the control descriptor, which is looked at from
 * init's start on; then the launcher is killed too, and the guard cleans up. A thread that waits for us lives as long as
 * its process. */
static int follow_parent(struct gbx_run *run, int control_fd, struct gbx_error *err) {
        run->control = control_fd;
        if (control_fd >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot ask for the parent's death");
        return 0;
}

/* A run takes its mounts from the spec alone. */
static int refuse_later_mounts(const struct gbx_spec *spec, struct gbx_error *err) {
        for (size_t i = 0; i < spec->mount_count; i++)
                if (spec->mounts[i].kind == GBX_MOUNT_LATER)
                        return gbx_fail(err, -EINVAL, "mounts[%zu].later: only a pool has such mounts", i);
        return 0;
}

int gbx_run(const char *spec_path, int result_fd, int control_fd) {
        static struct gbx_run run = GBX_RUN_NOTHING;
        static struct gbx_guard guard = { .pid = -1 };
        static struct gbx_outcome outcome;
        struct gbx_error err = {};
        uint64_t started_us = 0;
        int r;

        gbx_stage_begin();
        r = gbx_spec_read(&run.spec, spec_path, &err);
        if (r == 0)
                r = refuse_later_mounts(&run.spec, &err);
        if (r == 0)
                r = gbx_prepare_begin(&run, &err);
        if (r == 0)
                r = follow_parent(&run, control_fd, &err);
        gbx_stage("parsed");
        if (r == 0)
                r = gbx_prepare_launch(&run, &guard, &started_us, &err);
        if (r == 0)
                r = gbx_supervise(&run, &guard, started_us, &outcome, &err);
        else if (run.init > 0) {
                (void)kill(run.init, SIGKILL);
                (void)gbx_supervise(&run, &guard, started_us, &outcome, NULL);
        }
        r = gbx_run_clean(&run, &guard, r, &err);
        if (r == 0 && result_fd >= 0)
                r = write_result(&run, &outcome, result_fd, &err);
        gbx_stage("done");
        gbx_stage_print();
        if (r < 0) {
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
                return r == -EINVAL ? GBX_EXIT_USAGE : GBX_EXIT_FAILED;
        }
        return result_fd >= 0 ? 0 : gbx_result_status(&outcome);
}
