/* gateway/egress/record: a flood of one kind of refusal leaves room for every other, and nothing goes uncounted (E26) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/egress/record.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FLOOD = 5000 };

static void on_broken(void *userdata) {
        (void)userdata;
        fail_msg("the recorder is broken");
}

struct scene {
        struct event_base *base;
        struct gbx_recorder *recorder;
        int reader, writer;
        uint64_t records[GBX_REFUSAL_COUNT], counted[GBX_REFUSAL_COUNT]; /* with what they say was left out */
};

static void begin(struct scene *scene) {
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0); /* nobody reads before the end */
        *scene = (struct scene){ .base = event_base_new(), .reader = ends[0], .writer = ends[1] };
        assert_int_equal(gbx_recorder_new(&scene->recorder, scene->base, ends[1], on_broken, NULL, NULL), 0);
}

static void refuse(struct scene *scene, enum gbx_refusal why, int64_t now_ms) {
        if (gbx_recorder_allows(scene->recorder, why, now_ms))
                assert_int_equal(gbx_recorder_write(scene->recorder, "flow.refused", "denied", why, json_pack("{s:s}", "destination", "x")), 0);
}

static void end(struct scene *scene) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char *line, *rest = NULL;

        gbx_recorder_free(scene->recorder);
        (void)close(scene->writer);
        assert_int_equal(gbx_read_fd(scene->reader, 1 << 24, &text, NULL), 0);
        (void)close(scene->reader);
        event_base_free(scene->base);
        for (line = strtok_r((char *)text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                json_t *json = json_loads(line, 0, NULL);
                const char *reason = json_string_value(json_array_get(json_object_get(json, "reasons"), 0));

                for (int why = 1; why < GBX_REFUSAL_COUNT; why++)
                        if (reason && strcmp(reason, gbx_refusal_info((enum gbx_refusal)why)->code) == 0) {
                                scene->records[why]++;
                                scene->counted[why] += 1 + (uint64_t)json_integer_value(json_object_get(json_object_get(json, "details"), "left_out"));
                        }
                json_decref(json);
        }
}

/* Every other kind, once, in the middle of a flood of one: each has its record. */
static void a_flood_of_one_kind_pushes_out_no_other(void **state) {
        (void)state;
        for (int flood = 1; flood < GBX_REFUSAL_COUNT; flood++) {
                struct scene scene;

                begin(&scene);
                for (int i = 0; i < FLOOD; i++)
                        refuse(&scene, (enum gbx_refusal)flood, 0);
                for (int why = 1; why < GBX_REFUSAL_COUNT; why++)
                        if (why != flood)
                                refuse(&scene, (enum gbx_refusal)why, 0);
                for (int i = 0; i < FLOOD; i++)
                        refuse(&scene, (enum gbx_refusal)flood, 0);
                end(&scene);
                for (int why = 1; why < GBX_REFUSAL_COUNT; why++)
                        assert_int_equal(scene.counted[why], why == flood ? 2 * FLOOD : 1);
                assert_int_equal(scene.records[flood], GBX_REFUSALS_BURST + 1); /* and the one at the end */
        }
}

/* With time there is room again, and the next record says what was left out. */
static void what_is_left_out_is_counted(void **state) {
        struct scene scene;

        (void)state;
        begin(&scene);
        for (int64_t ms = 0; ms < 10000; ms += 10)
                refuse(&scene, GBX_REFUSAL_HOST, ms);
        end(&scene);
        assert_int_equal(scene.counted[GBX_REFUSAL_HOST], 1000);
        assert_in_range(scene.records[GBX_REFUSAL_HOST], GBX_REFUSALS_BURST + 10 * GBX_REFUSALS_A_SECOND - 2,
                        GBX_REFUSALS_BURST + 10 * GBX_REFUSALS_A_SECOND + 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_flood_of_one_kind_pushes_out_no_other),
                cmocka_unit_test(what_is_left_out_is_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
