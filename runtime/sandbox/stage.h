/*
 * Named stages of a run, for tests of what a kill leaves behind
 *
 * In a build with GBX_TEST_SWITCHES the process that reaches the stage named
 * by the environment variable GBX_SANDBOX_STOP stops itself there, so that a
 * test can kill it, or one of the others. In every other build: nothing.
 */
#pragma once

#ifdef GBX_TEST_SWITCHES
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static inline void gbx_stage(const char *name) {
        const char *wanted = getenv("GBX_SANDBOX_STOP");

        if (wanted && strcmp(wanted, name) == 0)
                (void)raise(SIGSTOP);
}
#else
static inline void gbx_stage(const char *name) {
        (void)name;
}
#endif
