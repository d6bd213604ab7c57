/*
 * Everything that changes what a site knows, killed and failed between any two durable steps (fault_check.h): users, policies,
 * data, algorithms, approvals, the view made anew, a run that is denied
 */
#include "tests/unit/fault_check.h"

#include "gateway/store/rebuild.h"

static char other_algorithm[GBX_SHA256_TEXT_SIZE];

static int submit_other(struct world *world) {
        int r = world_submit(world, "bank-b", "other", "return 1\n");

        if (r == 0)
                (void)snprintf(other_algorithm, sizeof other_algorithm, "%s", world_member(world, "digest"));
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

static int run_denied(struct world *world) { return world_run(world, "bank-a", "unheard-of"); }
static int rebuild(struct world *world) {
        gbx_auto(gbx_rebuild_free) struct gbx_rebuild ret = {};
        gbx_auto(gbx_caller_freep) struct gbx_caller *caller = NULL;
        int r = gbx_caller_directory(&caller, "admin", &world->err);

        return r < 0 ? r : gbx_rebuild(world->path, caller, &ret, &world->err);
}

static int heartbeat(struct world *world) { return world_ask(world, "admin", "heartbeat", NULL, NULL); }

static const struct operation operations[] = {
        { "user add", NULL, user_add, 0, "SELECT 1 FROM user WHERE name='newcomer'" },
        { "user change", NULL, user_change, 0, "SELECT 1 FROM user WHERE name='bank-b' AND roles LIKE '%auditor%'" },
        { "user remove", NULL, user_remove, 0, "SELECT 1 FROM user WHERE name='bank-b' AND state='removed'" },
        { "policy apply", NULL, policy_apply, 0, "SELECT 1 FROM policy WHERE state='replaced'" },
        { "policy withdraw", NULL, policy_withdraw, 0, "SELECT 1 FROM policy WHERE state='withdrawn'" },
        { "data add", NULL, data_add, 0, "SELECT 1 FROM dataset WHERE version=2" },
        { "data revoke", NULL, data_revoke, 0, "SELECT 1 FROM dataset WHERE state='revoked'" },
        { "data destroy", NULL, data_destroy, 0, "SELECT 1 FROM dataset WHERE state='destroyed'" },
        { "data transfer", NULL, data_transfer, 0, "SELECT 1 FROM ownership WHERE owner='ministry'" },
        { "algo submit", NULL, submit_other, 0, "SELECT 1 FROM algorithm WHERE name='other'" },
        { "review approve", submit_other, review_approve, 0,
          "SELECT 1 FROM approval WHERE algorithm<>(SELECT digest FROM algorithm WHERE name='rates')" },
        { "review reject", NULL, review_reject, 0, "SELECT 1 FROM approval WHERE decision='reject'" },
        { "heartbeat", NULL, heartbeat, 0, NULL },
        { "rebuild", NULL, rebuild, 0, NULL },
        { "job run, denied", NULL, run_denied, GBX_EXIT_DENIED, NULL },
};

static void changes_survive_faults_at_every_step(void **state) { survive_faults(*state, operations, gbx_array_size(operations)); }

int main(void) {
        const struct CMUnitTest tests[] = { WORLD_TEST(changes_survive_faults_at_every_step) };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
