/*
 * Every operation that changes a site, killed and failed between any two durable steps
 *
 * For each operation: what a process that is killed at a step leaves; what follows if the step fails (EIO); what follows if
 * from a step on the disk is full (ENOSPC). Each time, afterwards: the site opens, recovery runs, the log verifies, the view's
 * seals are whole, replay finds no divergence and the view equal to the log, no entry that was durable is gone, nothing is
 * released by half, and the same operation, done again where it had not come to be, succeeds.
 */
#include "tests/unit/faults.h"

#include "gateway/log/verify/verify.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/rebuild.h"

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
        bool sandbox;
};

/* --- the operations ----------------------------------------------------------------------- */

static char held_run[24], released_run[24], other_algorithm[GBX_SHA256_TEXT_SIZE];
static char out_folder[80];

static int submit_other(struct world *world) {
        int r = world_submit(world, "bank-b", "other", "return 1\n");

        if (r == 0)
                (void)snprintf(other_algorithm, sizeof other_algorithm, "%s", world_member(world, "digest"));
        return r;
}

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

static int user_add(struct world *world) { return world_add_user(world, "newcomer", "owner"); }
static int user_change(struct world *world) {
        return world_ask(world, "admin", "user", "add", json_pack("{s:s, s:[s, s]}", "name", "bank-b", "role", "analyst", "auditor"));
}
static int user_remove(struct world *world) { return world_ask(world, "admin", "user", "remove", json_pack("{s:s}", "name", "bank-b")); }

static int policy_apply(struct world *world) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        (void)gbx_buffer_printf(&text, NULL, "# another\n%s", world_policy);
        return world_ask(world, "admin", "policy", "apply", json_pack("{s:s}", "policy", gbx_buffer_text(&text)));
}
static int policy_withdraw(struct world *world) {
        return world_ask(world, "admin", "policy", "withdraw", json_pack("{s:s}", "purpose", "credit-scoring"));
}

static int data_add(struct world *world) { return world_add_data(world, "fund", "fund"); }
static int data_revoke(struct world *world) { return world_ask(world, "fund", "data", "revoke", json_pack("{s:s}", "name", "credit")); }
static int data_destroy(struct world *world) {
        return world_ask(world, "fund", "data", "destroy", json_pack("{s:s, s:s}", "name", "credit", "confirm", "credit"));
}
static int data_transfer(struct world *world) {
        int r = world_ask(world, "fund", "data", "transfer-statement", json_pack("{s:s, s:s}", "name", "credit", "to", "ministry"));
        gbx_auto(gbx_free_pointer) char *statement = NULL;

        if (r < 0)
                return r;
        statement = strdup(world_member(world, "statement"));
        return world_ask(world, "fund", "data", "transfer",
                         json_pack("{s:s, s:o, s:o}", "statement", statement, "from", world_signature("fund", statement), "to",
                                   world_signature("ministry", statement)));
}

static int review_approve(struct world *world) { return world_approve(world, "wang", other_algorithm); }
static int review_reject(struct world *world) {
        return world_ask(world, "wang", "review", "reject", json_pack("{s:s, s:s}", "what", world_algorithm, "reason", "no"));
}

static int run_release(struct world *world) { return world_run(world, "bank-a", "release"); }
static int run_hold(struct world *world) { return world_run(world, "bank-a", "small"); }
static int run_refuse(struct world *world) { return world_run(world, "bank-a", "none"); }
static int run_fail(struct world *world) { return world_run(world, "bank-a", "error"); }
static int run_denied(struct world *world) { return world_run(world, "bank-a", "unheard-of"); }

static int held_show(struct world *world) { return world_ask(world, "li", "review", "show", json_pack("{s:s}", "what", held_run)); }
static int held_release(struct world *world) { return world_review(world, "li", held_run, true); }
static int held_reject(struct world *world) { return world_review(world, "li", held_run, false); }
static int fetch(struct world *world) {
        return world_ask(world, "bank-a", "job", "fetch", json_pack("{s:s, s:s}", "run", released_run, "output", out_folder));
}

static int rebuild(struct world *world) {
        gbx_auto(gbx_rebuild_free) struct gbx_rebuild ret = {};
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        int r = gbx_caller_directory(&caller, "admin", &world->err);

        return r < 0 ? r : gbx_rebuild(world->path, caller, &ret, &world->err);
}

static int heartbeat(struct world *world) { return world_ask(world, "admin", "heartbeat", NULL, NULL); }

#define RUN_IS(state_) "SELECT 1 FROM run WHERE state='" state_ "' AND seq=(SELECT max(seq) FROM run)"

static const struct operation operations[] = {
        { "user add", NULL, user_add, 0, "SELECT 1 FROM user WHERE name='newcomer'", false },
        { "user change", NULL, user_change, 0, "SELECT 1 FROM user WHERE name='bank-b' AND roles LIKE '%auditor%'", false },
        { "user remove", NULL, user_remove, 0, "SELECT 1 FROM user WHERE name='bank-b' AND state='removed'", false },
        { "policy apply", NULL, policy_apply, 0, "SELECT 1 FROM policy WHERE state='replaced'", false },
        { "policy withdraw", NULL, policy_withdraw, 0, "SELECT 1 FROM policy WHERE state='withdrawn'", false },
        { "data add", NULL, data_add, 0, "SELECT 1 FROM dataset WHERE version=2", false },
        { "data revoke", NULL, data_revoke, 0, "SELECT 1 FROM dataset WHERE state='revoked'", false },
        { "data destroy", NULL, data_destroy, 0, "SELECT 1 FROM dataset WHERE state='destroyed'", false },
        { "data transfer", NULL, data_transfer, 0, "SELECT 1 FROM ownership WHERE owner='ministry'", false },
        { "algo submit", NULL, submit_other, 0, "SELECT 1 FROM algorithm WHERE name='other'", false },
        { "review approve", submit_other, review_approve, 0, "SELECT 1 FROM approval WHERE algorithm<>(SELECT digest FROM algorithm WHERE name='rates')", false },
        { "review reject", NULL, review_reject, 0, "SELECT 1 FROM approval WHERE decision='reject'", false },
        { "heartbeat", NULL, heartbeat, 0, NULL, false },
        { "rebuild", NULL, rebuild, 0, NULL, false },
        { "job run, denied", NULL, run_denied, GBX_EXIT_DENIED, NULL, false },
        { "job run to release", NULL, run_release, 0, RUN_IS("released"), true },
        { "job run to hold", NULL, run_hold, GBX_EXIT_HELD, RUN_IS("held"), true },
        { "job run to refusal", NULL, run_refuse, GBX_EXIT_DENIED, RUN_IS("refuse"), true },
        { "job run to failure", NULL, run_fail, GBX_EXIT_FAILED, "SELECT 1 FROM run WHERE state='ended'", true },
        { "held outputs read", hold, held_show, 0, NULL, true },
        { "held outputs released", hold_and_approve_once, held_release, 0, RUN_IS("released"), true },
        { "held outputs rejected", hold, held_reject, 0, RUN_IS("rejected"), true },
        { "job fetch", release, fetch, 0, "SELECT 1 FROM release WHERE fetched>0", true },
};

/* --- what must hold -------------------------------------------------------------------------- */

static char context[400]; /* for messages */

static void verify_log(struct world *world) {
        gbx_auto(gbx_close_fd) int directory = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct gbx_verify_options options = {};

        if (gbx_site_log_verifier(world->path, &options.verifier, &world->err) < 0 ||
            gbx_log_verify(directory, "log", &options, NULL, &world->err) < 0)
                fail_msg("%s: the log: %s", context, world->err.message);
}

/* Brings the site into order as the next gbx would. `ret_size`: entries. */
static void put_in_order(struct world *world, uint64_t *ret_size) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = NULL;
        struct gbx_transaction *transaction = NULL;

        if (gbx_site_open(&site, world->path, &world->err) < 0)
                fail_msg("%s: the site does not open: %s", context, world->err.message);
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

static void replay_agrees(struct world *world) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};

        if (gbx_replay_log(site, &replay, &world->err) < 0)
                fail_msg("%s: replay: %s", context, world->err.message);
        if (json_array_size(replay.divergences) || !replay.view_equal) {
                gbx_auto(gbx_free_pointer) char *text = json_dumps(json_array_get(replay.divergences, 0), JSON_COMPACT | JSON_ENCODE_ANY);

                fail_msg("%s: replay: %s%s", context, text ? text : "", replay.view_equal ? "" : ", the view differs");
        }
}

/* A release is whole, or there is none: what the log released can be fetched, and a run is released if it has a release. */
static void releases_are_whole(struct world *world) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        size_t i;
        const json_t *row;
        char folder[100];

        {
                gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);

                assert_int_equal(gbx_view_query(site->view, &rows, &world->err,
                                                "SELECT r.id, r.state, r.requester, l.id AS release FROM run r LEFT JOIN release l ON l.run=r.id", NULL),
                                 0);
        }
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

/* What must hold of the site after a fault; `least`: entries that it must have. Returns how many it has. */
static uint64_t check(const struct operation *operation, struct world *world, uint64_t least) {
        uint64_t size = 0;

        put_in_order(world, &size);
        if (size < least)
                fail_msg("%s: entries that were durable are gone: %llu of %llu", context, (unsigned long long)size, (unsigned long long)least);
        verify_log(world);
        replay_agrees(world);
        releases_are_whole(world);
        if (!operation->done || world_count(world, operation->done) == 0) {
                int r = operation->act(world);

                if (r != operation->outcome)
                        fail_msg("%s: done again: %d: %s", context, r, world->err.message);
                if (operation->done && world_count(world, operation->done) == 0)
                        fail_msg("%s: done again, and it has not come to be", context);
                replay_agrees(world);
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
        uint64_t least = entries(base), steps;
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
                size = check(operation, &world, least);
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

static uint64_t fail_everywhere(const struct operation *operation, struct world *base, enum fault_kind kind) {
        char root[80];
        uint64_t least = entries(base), at;

        (void)snprintf(root, sizeof root, "%.60s/failing", base->root);
        for (at = 1;; at++) {
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
                        (void)check(operation, &world, least);
                }
                world_leave(&world);
                world_remove(root);
                if (!faults.struck)
                        break;
        }
        return at - 1;
}

static void survive(void **state, bool sandbox) {
        struct world *base = *state;
        const char *only = getenv("FAULTS_ONLY"); /* the name of one operation, for who looks for a fault */

        if (sandbox)
                world_needs_sandbox();
#ifndef HAS_RECOVERY
        if (sandbox && !only) {
                print_message("# a run that broke off has no end yet without gateway/job/recover.h\n");
                skip();
        }
#endif
        for (size_t i = 0; i < gbx_array_size(operations); i++) {
                const struct operation *operation = &operations[i];
                struct world world = *base;
                uint64_t kills, errors, full;
                char root[64];

                if (operation->sandbox != sandbox || (only && strcmp(only, operation->name) != 0))
                        continue;
                (void)snprintf(root, sizeof root, "%.50s/base", base->root);
                assert_int_equal(mkdir(root, 0700), 0);
                world_at(&world, root);
                assert_int_equal(world_copy_tree(base->path, world.path), 0);
                if (operation->before && operation->before(&world) != 0)
                        fail_msg("%s: before it: %s", operation->name, world.err.message);
                kills = kill_everywhere(operation, &world);
                errors = fail_everywhere(operation, &world, FAULT_ERROR);
                full = fail_everywhere(operation, &world, FAULT_FULL);
                print_message("# %s: %llu kills, %llu errors, %llu full disks\n", operation->name, (unsigned long long)kills,
                              (unsigned long long)errors, (unsigned long long)full);
                if (operation->done && (kills < 8 || errors < 8 || full < 4))
                        fail_msg("%s has hardly any steps", operation->name);
                world_leave(&world);
                world_remove(root);
        }
}

static void changes_survive_faults_at_every_step(void **state) { survive(state, false); }
static void runs_and_releases_survive_faults_at_every_step(void **state) { survive(state, true); }

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(changes_survive_faults_at_every_step),
                WORLD_TEST(runs_and_releases_survive_faults_at_every_step),
        };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
