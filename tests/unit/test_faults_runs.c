/*
 * Runs, held outputs and releases, killed and failed between any two durable steps (fault_check.h), in the real sandbox
 */
#include "tests/unit/fault_check.h"

static char held_run[24], released_run[24];

static int hold(struct world *world) {
        int r = world_run(world, "bank-a", "small");

        if (r != GBX_EXIT_HELD)
                return -EIO;
        (void)snprintf(held_run, sizeof held_run, "%s", world_member(world, "run"));
        return 0;
}

static int hold_and_approve_once(struct world *world) {
        int r = hold(world);

        if (r == 0)
                r = world_review(world, "wang", held_run, true);
        return r == GBX_EXIT_HELD ? 0 : -EIO;
}

static int release(struct world *world) {
        int r = world_run(world, "bank-a", "release");

        if (r == 0)
                (void)snprintf(released_run, sizeof released_run, "%s", world_member(world, "run"));
        return r;
}

static int run_release(struct world *world) { return world_run(world, "bank-a", "release"); }
static int run_hold(struct world *world) { return world_run(world, "bank-a", "small"); }
static int run_refuse(struct world *world) { return world_run(world, "bank-a", "none"); }
static int run_fail(struct world *world) { return world_run(world, "bank-a", "error"); }
static int held_show(struct world *world) { return world_ask(world, "li", "review", "show", json_pack("{s:s}", "what", held_run)); }
static int held_release(struct world *world) { return world_review(world, "li", held_run, true); }
static int held_reject(struct world *world) { return world_review(world, "li", held_run, false); }
static int fetch(struct world *world) {
        return world_ask(world, "bank-a", "job", "fetch", json_pack("{s:s, s:s}", "run", released_run, "output", out_folder));
}


#define RUN_IS(state_) "SELECT 1 FROM run WHERE state='" state_ "' AND seq=(SELECT max(seq) FROM run)"

static const struct operation operations[] = {
        { "job run to release", NULL, run_release, 0, RUN_IS("released") },
        { "job run to hold", NULL, run_hold, GBX_EXIT_HELD, RUN_IS("held") },
        { "job run to refusal", NULL, run_refuse, GBX_EXIT_DENIED, RUN_IS("refuse") },
        { "job run to failure", NULL, run_fail, GBX_EXIT_FAILED, "SELECT 1 FROM run WHERE state='ended'" },
        { "held outputs read", hold, held_show, 0, NULL },
        { "held outputs released", hold_and_approve_once, held_release, 0, RUN_IS("released") },
        { "held outputs rejected", hold, held_reject, 0, RUN_IS("rejected") },
        { "job fetch", release, fetch, 0, "SELECT 1 FROM release WHERE fetched>0" },
};

static void runs_and_releases_survive_faults_at_every_step(void **state) {
        world_needs_sandbox();
#ifndef HAS_RECOVERY
        print_message("# a run that broke off has no end yet without gateway/job/recover.h\n");
        if (!getenv("FAULTS_ONLY"))
                skip();
#endif
        survive_faults(*state, operations, gbx_array_size(operations));
}

int main(void) {
        const struct CMUnitTest tests[] = { WORLD_TEST(runs_and_releases_survive_faults_at_every_step) };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
