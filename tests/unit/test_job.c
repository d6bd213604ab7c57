/* A job from order to outcome, in process and in the real sandbox: every end that a run can have, and what is left of it. */
#include "tests/unit/gateway_fixture.h"

static void the_prepared_site_is_in_order(void **state) {
        struct world *world = *state;

        world_replays(world);
        assert_int_equal(world_count(world, "SELECT * FROM approval WHERE state='active'"), 2);
}

static void every_end_of_a_run(void **state) {
        static const struct {
                const char *mode;
                int exit;
                const char *state;
        } ends[] = {
                { "release", GBX_EXIT_DONE, "released" }, { "small", GBX_EXIT_HELD, "held" },    { "none", GBX_EXIT_DENIED, "refused" },
                { "error", GBX_EXIT_FAILED, "failed" },   { "limit", GBX_EXIT_LIMIT, "limit" }, { "unheard-of", GBX_EXIT_DENIED, "denied" },
        };
        struct world *world = *state;

        world_needs_sandbox();
        for (size_t i = 0; i < gbx_array_size(ends); i++) {
                int r = world_run(world, "bank-a", ends[i].mode);

                if (r != ends[i].exit)
                        fail_msg("%s: %d, expected %d: %s %s", ends[i].mode, r, ends[i].exit, world->err.message,
                                 world->answer ? json_dumps(world->answer, 0) : "");
        }
        world_replays(world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(the_prepared_site_is_in_order),
                WORLD_TEST(every_end_of_a_run),
        };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
