/*
 * Named stages of a run, for tests and measurements
 *
 * In a build with GBX_TEST_SWITCHES the process that reaches the stage named
 * by the environment variable GBX_SANDBOX_STOP stops itself there, so that a
 * test can kill it, or one of the others; and with GBX_SANDBOX_TRACE set, the
 * time of every stage is printed at the run's end. In every other build:
 * nothing.
 */
#pragma once

#ifdef GBX_TEST_SWITCHES
void gbx_stage(const char *name);
void gbx_stage_begin(void);
void gbx_stage_print(void);
#else
static inline void gbx_stage(const char *name) {
        (void)name;
}
static inline void gbx_stage_begin(void) {
}
static inline void gbx_stage_print(void) {
}
#endif
