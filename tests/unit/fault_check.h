/*
 * Operations that change a site, killed and failed between any two durable steps
 *
 * For each operation: what a process that is killed at a step leaves; what follows if the step fails (EIO); what follows if
 * from a step on the disk is full (ENOSPC). Each time, afterwards: the site opens, recovery runs, the log verifies, the view's
 * seals are whole, replay finds no divergence and the view equal to the log, no entry that was durable is gone, nothing is
 * released by half, and the same operation, done again where it had not come to be, succeeds (tried once for each length of
 * the log that faults leave).
 */
#pragma once

#include "tests/unit/faults.h"

#include "gateway/log/verify/verify.h"
#include "gateway/log/writer/log.h"

#if __has_include("gateway/job/recover.h")
#include "gateway/job/recover.h"
#define HAS_RECOVERY 1
#endif

struct operation {
        const char *name;
        int (*before)(struct world *world); /* what must have happened; NULL: nothing */
        int (*act)(struct world *world);
        int outcome;                        /* of `act`, if nothing fails */
        const char *done;                   /* a row of the view once it has come to be; NULL: it may be done any number of times */
};


static char out_folder[80]; /* where releases may be fetched to */

/* --- what must hold -------------------------------------------------------------------------- */

static char context[400]; /* for messages */

static void verify_log(struct world *world) {
        gbx_auto(gbx_close_fd) int directory = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct gbx_verify_options options = {};

        if (gbx_site_log_verifier(world->path, &options.verifier, &world->err) < 0 ||
            gbx_log_verify(directory, "log", &options, NULL, &world->err) < 0)
                fail_msg("%s: the log: %s", context, world->err.message);
}

/* Brings the site into order as the next gbx would, and looks at it. `ret_size`: entries it was found with. */
static void put_in_order(struct world *world, struct gbx_site *site, uint64_t *ret_size) {
        struct gbx_transaction *transaction = NULL;

        *ret_size = gbx_log_size(site->log);
#ifdef HAS_RECOVERY
        struct gbx_recovery recovery;

        if (gbx_recover(site, &recovery, &world->err) < 0)
                fail_msg("%s: recovery: %s", context, world->err.message);
#endif
        if (gbx_transaction_begin_system(&transaction, site, &world->err) < 0 || gbx_transaction_commit(&transaction, &world->err) < 0)
                fail_msg("%s: nothing more can be recorded: %s", context, world->err.message);
        if (gbx_fact_check_all(site, &world->err) < 0)
                fail_msg("%s: the view: %s", context, world->err.message);
}

static void replay_agrees(struct world *world, struct gbx_site *site) {
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};

        if (gbx_replay_log(site, gbx_operation_action_of, &replay, &world->err) < 0)
                fail_msg("%s: replay: %s", context, world->err.message);
        if (json_array_size(replay.divergences) || !replay.view_equal) {
                gbx_auto(gbx_free_pointer) char *text = json_dumps(json_array_get(replay.divergences, 0), JSON_COMPACT | JSON_ENCODE_ANY);

                fail_msg("%s: replay: %s%s", context, text ? text : "", replay.view_equal ? "" : ", the view differs");
        }
}

static json_t *rows_of(struct world *world, struct gbx_site *site, const char *sql) {
        json_t *rows = NULL;

        if (gbx_view_query(site->view, &rows, &world->err, sql, NULL) < 0)
                fail_msg("%s: %s", context, world->err.message);
        return rows;
}

static bool has_come_to_be(struct world *world, struct gbx_site *site, const char *sql) {
        gbx_auto(gbx_json_freep) json_t *rows = rows_of(world, site, sql);

        return json_array_size(rows) > 0;
}

/* A release is whole, or there is none: what the log released can be fetched, and a run is released if it has a release. */
static void releases_are_whole(struct world *world, struct gbx_site *site) {
        gbx_auto(gbx_json_freep) json_t *rows = rows_of(
                world, site, "SELECT r.id, r.state, r.requester, l.id AS release FROM run r LEFT JOIN release l ON l.run=r.id");
        size_t i;
        const json_t *row;
        char folder[100];

        json_array_foreach(rows, i, row) {
                bool released = strcmp(gbx_json_text(row, "state"), "released") == 0;
                int r;

                if (released != (gbx_json_text(row, "release") != NULL))
                        fail_msg("%s: %s is %s", context, gbx_json_text(row, "id"), gbx_json_text(row, "state"));
                (void)snprintf(folder, sizeof folder, "%s/fetched-%zu", world->root, i);
                r = world_ask(world, gbx_json_text(row, "requester"), "job", "fetch",
                              json_pack("{s:s, s:s}", "run", gbx_json_text(row, "id"), "output", folder));
                if (released ? r != 0 : r == 0)
                        fail_msg("%s: %s, %s, can%s be fetched: %s", context, gbx_json_text(row, "id"), gbx_json_text(row, "state"),
                                 r == 0 ? "" : "not", world->err.message);
                world_remove(folder);
        }
}

/* The operation once more, which must succeed now. */
static void do_again(const struct operation *operation, struct world *world, struct gbx_site *site) {
        int r = operation->act(world);

        if (r != operation->outcome)
                fail_msg("%s: done again: %d: %s", context, r, world->err.message);
        if (operation->done && !has_come_to_be(world, site, operation->done))
                fail_msg("%s: done again, and it has not come to be", context);
}

/* What must hold of the site after a fault; `least`: entries that it must have. Returns how many it has. `again`: the length
 * of the log for which the operation was done again last. */
static uint64_t check(const struct operation *operation, struct world *world, uint64_t least, uint64_t *again) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        uint64_t size = 0;

        if (gbx_site_open(&site, world->path, &world->err) < 0)
                fail_msg("%s: the site does not open: %s", context, world->err.message);
        put_in_order(world, site, &size);
        if (size < least)
                fail_msg("%s: entries that were durable are gone: %llu of %llu", context, (unsigned long long)size,
                         (unsigned long long)least);
        verify_log(world);
        replay_agrees(world, site);
        releases_are_whole(world, site);
        if (*again != size && (!operation->done || !has_come_to_be(world, site, operation->done))) {
                *again = size;
                do_again(operation, world, site);
                site = gbx_site_close(site);
                site = world_open(world); /* a view that was made anew is another file */
                replay_agrees(world, site);
        }
        world_forget(world);
        return size;
}

/* --- faults -------------------------------------------------------------------------------------- */

static void world_at(struct world *world, const char *root) {
        *world = (struct world){};
        (void)snprintf(world->root, sizeof world->root, "%s", root);
        (void)snprintf(world->path, sizeof world->path, "%.60s/site", root);
        (void)snprintf(out_folder, sizeof out_folder, "%.60s/out", root);
}

static void world_leave(struct world *world) {
        world_forget(world);
        gbx_buffer_free(&world->bytes);
        world_remove(out_folder);
}

static uint64_t entries(struct world *world) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);

        return gbx_log_size(site->log);
}

/* The operation runs once, and what a kill would have left at each step is looked at afterwards. */
static uint64_t kill_everywhere(const struct operation *operation, struct world *base) {
        char copies[80], path[100], site[80];
        struct world world;
        uint64_t least = entries(base), again = 0, steps;
        int r;

        (void)snprintf(copies, sizeof copies, "%.60s/kills", base->root);
        assert_int_equal(mkdir(copies, 0700), 0);
        (void)snprintf(site, sizeof site, "%.60s/acting", base->root);
        assert_int_equal(mkdir(site, 0700), 0);
        world_at(&world, site);
        assert_int_equal(world_copy_tree(base->path, world.path), 0);
        faults_arm(FAULT_KILL, world.path, copies, 0);
        r = operation->act(&world);
        fault_snapshot("the end");
        faults_disarm();
        if (r != operation->outcome)
                fail_msg("%s: %d: %s", operation->name, r, world.err.message);
        world_leave(&world);
        steps = faults.steps;
        for (uint64_t i = 0; i < steps; i++) {
                uint64_t size;

                (void)snprintf(path, sizeof path, "%.60s/%llu", copies, (unsigned long long)i);
                (void)snprintf(context, sizeof context, "%s, killed before step %llu (%s)", operation->name, (unsigned long long)i,
                               faults.snapshots[i]);
                (void)snprintf(site, sizeof site, "%.60s/killed", base->root);
                assert_int_equal(mkdir(site, 0700), 0);
                world_at(&world, site);
                assert_int_equal(rename(path, world.path), 0);
                size = check(operation, &world, least, &again);
                least = size; /* what one process saw durable, later ones do not lose */
                world_leave(&world);
                world_remove(site);
                free(faults.snapshots[i]);
        }
        world_remove(copies);
        (void)snprintf(site, sizeof site, "%.60s/acting", base->root);
        world_remove(site);
        return steps;
}

/* Each `stride`th step fails, in a try of its own. */
static uint64_t fail_everywhere(const struct operation *operation, struct world *base, enum fault_kind kind, uint64_t stride) {
        char root[80];
        uint64_t least = entries(base), again = 0, at, tries = 0;

        (void)snprintf(root, sizeof root, "%.60s/failing", base->root);
        for (at = 1;; at += stride) {
                struct world world;
                int r;

                assert_int_equal(mkdir(root, 0700), 0);
                world_at(&world, root);
                assert_int_equal(world_copy_tree(base->path, world.path), 0);
                faults_arm(kind, world.path, NULL, at);
                r = operation->act(&world);
                faults_disarm();
                (void)snprintf(context, sizeof context, "%s, %s at step %llu (%s), which gave %d %.100s", operation->name,
                               kind == FAULT_ERROR ? "EIO" : "a full disk", (unsigned long long)at, faults.what, r, world.err.message);
                if (faults.struck) {
                        if (r == operation->outcome && operation->done && world_count(&world, operation->done) == 0)
                                fail_msg("%s: it said that it was done", context);
                        (void)check(operation, &world, least, &again);
                }
                world_leave(&world);
                world_remove(root);
                if (!faults.struck)
                        return tries;
                tries++;
        }
}

static void survive_faults(struct world *base, const struct operation *operations, size_t count) {
        const char *only = getenv("FAULTS_ONLY"); /* the name of one operation, for who looks for a fault */
        bool all = only || getenv("FAULTS_ALL");  /* every step fails; else every third, and the disk is full at every fourth */

        for (size_t i = 0; i < count; i++) {
                const struct operation *operation = &operations[i];
                struct world world = *base;
                uint64_t kills, errors, full;
                char root[64];

                if (only && strcmp(only, operation->name) != 0)
                        continue;
                (void)snprintf(root, sizeof root, "%.50s/base", base->root);
                assert_int_equal(mkdir(root, 0700), 0);
                world_at(&world, root);
                assert_int_equal(world_copy_tree(base->path, world.path), 0);
                if (operation->before && operation->before(&world) != 0)
                        fail_msg("%s: before it: %s", operation->name, world.err.message);
                kills = kill_everywhere(operation, &world);
                errors = fail_everywhere(operation, &world, FAULT_ERROR, all ? 1 : 3);
                full = fail_everywhere(operation, &world, FAULT_FULL, all ? 1 : 4);
                print_message("# %s: %llu kills, %llu errors, %llu full disks\n", operation->name, (unsigned long long)kills,
                              (unsigned long long)errors, (unsigned long long)full);
                if (kills < 12 || errors < 6 || full < 3)
                        fail_msg("%s has hardly any steps", operation->name);
                world_leave(&world);
                world_remove(root);
        }
}
