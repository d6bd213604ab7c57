#include "runtime/sandbox/stage.h"

#ifdef GBX_TEST_SWITCHES
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STAGES = 64 };

struct trace {
        _Atomic unsigned count;
        struct {
                char name[24];
                struct timespec time;
        } stages[MAX_STAGES];
};

static struct trace *trace; /* shared with init */

void gbx_stage_begin(void) {
        void *page;

        if (!getenv("GBX_SANDBOX_TRACE"))
                return;
        page = mmap(NULL, sizeof *trace, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        trace = page == MAP_FAILED ? NULL : page;
        gbx_stage("begin");
}

void gbx_stage(const char *name) {
        const char *wanted = getenv("GBX_SANDBOX_STOP");

        if (trace) {
                unsigned at = atomic_fetch_add(&trace->count, 1);

                if (at < MAX_STAGES) {
                        (void)snprintf(trace->stages[at].name, sizeof trace->stages[at].name, "%s", name);
                        (void)clock_gettime(CLOCK_MONOTONIC, &trace->stages[at].time);
                }
        }
        if (!wanted || strcmp(wanted, name) != 0)
                return;
        (void)syscall(SYS_tkill, syscall(SYS_gettid), SIGSTOP); /* musl's raise(3) would signal whom we are a copy of */
        /* The init of a pid namespace ignores signals of its own making; it says so by its name and waits. */
        if (getpid() == 1) {
                (void)prctl(PR_SET_NAME, "stopped", 0, 0, 0);
                for (;;)
                        (void)pause();
        }
}

void gbx_stage_print(void) {
        for (unsigned i = 0; trace && i < trace->count && i < MAX_STAGES; i++)
                (void)fprintf(stderr, "%8.3f ms  %s\n",
                              (double)(trace->stages[i].time.tv_sec - trace->stages[0].time.tv_sec) * 1e3 +
                                      (double)(trace->stages[i].time.tv_nsec - trace->stages[0].time.tv_nsec) / 1e6,
                              trace->stages[i].name);
}
#endif
