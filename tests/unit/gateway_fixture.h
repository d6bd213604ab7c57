/*
 * A whole site for tests, in process: people with keys, a dataset, a policy in force, an algorithm with its approvals
 *
 * It is prepared once a test program, through the same operations (gateway/api) that the command line uses; each test gets a
 * copy of its own in a few milliseconds. Everybody's SSH key and age identity come from the name (sshsig_make.h), so that a
 * test may sign for anybody. Jobs run in the real sandbox; `world_needs_sandbox` skips a test where there can be none.
 *
 *   admin    roles admin       fund     owner of `credit`       wang, li   reviewers that the policy names
 *   audit    role auditor      ministry owner of nothing        bank-a, bank-b  analysts; bank-a submitted ALGORITHM
 *
 * The algorithm does what its parameter `mode` says: "release" a table that passes the gate, "small" one that is held,
 * "none" no output (refused), "error", "limit".
 */
#pragma once

#include "base/file.h"
#include "base/json.h"
#include "base/memfile.h"
#include "gateway/api/perform.h"
#include "gateway/audit/replay.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"
#include "policy/decision.h"
#include "runtime/vault/age.h"
#include "tests/unit/sshsig_make.h"

#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

/* --- what is on the site --------------------------------------------------------------- */

static const char world_schema[] =
        "dataset: credit\n"
        "description: one row a loan applicant\n"
        "columns:\n"
        "  - { name: applicant_id, type: text, class: identifier, key: yes }\n"
        "  - { name: status, type: text, class: sensitive, values: [good, bad] }\n"
        "  - { name: home, type: text, class: quasi-identifier, values: [owner, rent] }\n"
        "  - { name: income, type: decimal, class: sensitive, missing: yes, unit: 1, min: 0, tolerance: 1 }\n";

static const char world_policy[] =
        "policy: credit-scoring\n"
        "purpose: credit-scoring\n"
        "datasets: [credit]\n"
        "engines: [lua, native]\n"
        "approvals:\n"
        "  required: 2\n"
        "  reviewers: [wang, li]\n"
        "  exclude-submitter: yes\n"
        "  valid-for: 90d\n"
        "limits:\n"
        "  wall-time: 30s\n"
        "  cpu-time: 30s\n"
        "  memory: 128M\n"
        "  processes: 16\n"
        "  open-files: 64\n"
        "  output-size: 1M\n"
        "messages:\n"
        "  line: yes\n"
        "  progress: yes\n"
        "parameters:\n"
        "  - { name: mode, type: text, required: yes, values: [release, small, none, error, limit] }\n"
        "output-review: {required: 2, reviewers: [wang, li]}\n"
        "release:\n"
        "  minimum-count: 10\n"
        "  max-tables: 1\n"
        "  max-rows: 500\n"
        "  max-size: 64K\n"
        "  declared-counts: trust-reviewed-code\n"
        "  hold: on-failure\n"
        "  watermark: required\n"
        "  outputs: [rates]\n"
        "  columns:\n"
        "    - { name: home, type: text, values: [owner, rent] }\n"
        "    - { name: status, type: text, values: [good, bad] }\n"
        "    - { name: applicants, type: integer }\n"
        "    - { name: rate, type: decimal, unit: 0.001 }\n"
        "network: none\n";

static const char world_script[] =
        "if params.mode == 'error' then error('broken') end\n"
        "if params.mode == 'limit' then local t = {} while true do t[#t + 1] = string.rep('x', 1000000) .. #t end end\n"
        "if params.mode == 'none' then return end\n"
        "local by, groups = params.mode == 'small' and 'status' or 'home', {}\n"
        "for row, key, income in data.each('credit', { by, 'income' }) do\n"
        "  local g = groups[key] or { [by] = key, applicants = 0, high = 0 }\n"
        "  g.applicants = g.applicants + 1\n"
        "  if income and income > 100 then g.high = g.high + 1 end\n"
        "  groups[key] = g\n"
        "end\n"
        "progress(0.5)\n"
        "local rows = {}\n"
        "for _, g in pairs(groups) do\n"
        "  g.rate = g.high / g.applicants\n"
        "  g.high = nil\n"
        "  rows[#rows + 1] = g\n"
        "end\n"
        "release.table { name = 'rates', columns = { { name = by, type = 'text', role = 'key' },\n"
        "  { name = 'applicants', type = 'integer', role = 'count' },\n"
        "  { name = 'rate', type = 'decimal', role = 'value', unit = '0.001' } }, rows = rows }\n";

/* 60 applicants: 40 who own, 20 who rent; 3 of them bad, which is fewer than the gate lets pass. */
static inline void world_csv(struct gbx_buffer *ret) {
        (void)gbx_buffer_append_text(ret, "applicant_id,status,home,income\n", NULL);
        for (int i = 0; i < 60; i++)
                (void)gbx_buffer_printf(ret, NULL, "A%05d,%s,%s,%d\n", i, i % 20 == 7 ? "bad" : "good", i % 3 ? "owner" : "rent",
                                        60 + i * 37 % 200);
}

/* --- files ------------------------------------------------------------------------------- */

static inline int world_remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
        (void)status, (void)kind, (void)walk;
        return remove(path);
}
static inline void world_remove(const char *path) { (void)nftw(path, world_remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* Copies a tree of files and folders as it is. 0, or -1 if something went wrong. */
static inline int world_copy_tree(const char *from, const char *to) {
        FTS *walk = fts_open((char *[]){ (char *)(uintptr_t)from, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        int result = walk ? 0 : -1;
        FTSENT *entry;

        while (walk && result == 0 && (entry = fts_read(walk))) {
                char path[512];

                (void)snprintf(path, sizeof path, "%s%s", to, entry->fts_path + strlen(from));
                if (entry->fts_info == FTS_D)
                        result = mkdir(path, entry->fts_statp->st_mode & 07777);
                else if (entry->fts_info == FTS_F) {
                        gbx_auto(gbx_close_fd) int in = open(entry->fts_path, O_RDONLY | O_CLOEXEC);
                        gbx_auto(gbx_close_fd) int out =
                                open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry->fts_statp->st_mode & 07777);
                        ssize_t n = 1;

                        while (in >= 0 && out >= 0 && n > 0)
                                n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
                        result = in < 0 || out < 0 || n < 0 ? -1 : 0;
                }
        }
        if (walk)
                (void)fts_close(walk);
        return result;
}

/* --- asking -------------------------------------------------------------------------------- */

struct world {
        char root[64];  /* temporary */
        char path[80];  /* of the site */
        struct gbx_error err;
        json_t *answer; /* of the last question, or NULL */
        json_t *problems;
        struct gbx_buffer bytes; /* what it gave through the sink */
        struct {
                const char *field;
                int fd;
        } attached[GBX_SESSION_ATTACHMENTS];
        size_t attached_count;
        bool sandbox; /* whether there can be one */
};

static char world_template[64]; /* where the prepared site stands */
static char world_algorithm[GBX_SHA256_TEXT_SIZE];
static bool world_has_sandbox;

static inline int world_take(void *context, const void *data, size_t size, struct gbx_error *err) {
        struct world *world = context;

        return size ? gbx_buffer_append(&world->bytes, data, size, err) : 0;
}

/* The next question has this file. */
static inline void world_attach(struct world *world, const char *field, const void *data, size_t size) {
        int fd = gbx_memfile("test", data, size, NULL);

        assert_true(fd >= 0);
        world->attached[world->attached_count].field = field;
        world->attached[world->attached_count++].fd = fd;
}

static inline void world_forget(struct world *world) {
        json_decref(world->answer);
        json_decref(world->problems);
        world->answer = world->problems = NULL;
        gbx_buffer_clear(&world->bytes);
        world->err = (struct gbx_error){};
}

/* Asks in the name of `who` (NULL: the operator), through a session of its own. `request` is stolen; NULL: an empty one.
 * Returns the exit code or negative error; world->answer and world->err say the rest. */
static inline int world_ask(struct world *world, const char *who, const char *noun, const char *verb, json_t *request) {
        gbx_auto(gbx_json_freep) json_t *owned = request ? request : json_object();
        const struct gbx_operation *operation = gbx_operation_find(noun, verb);
        struct gbx_session session = { .site_path = world->path };
        struct gbx_sink sink = { .context = world, .chunk = world_take };
        struct gbx_caller *caller = NULL;
        int r;

        world_forget(world);
        if (!operation)
                fail_msg("there is no operation %s %s", noun, verb ? verb : "");
        assert_non_null(owned);
        assert_int_equal(gbx_caller_directory(&caller, who, &world->err), 0);
        session.caller = caller;
        for (size_t i = 0; i < world->attached_count; i++) {
                (void)json_object_set_new(owned, world->attached[i].field, json_string("file"));
                assert_int_equal(gbx_session_attach(&session, world->attached[i].field, world->attached[i].fd, NULL), 0);
        }
        world->attached_count = 0;
        r = gbx_api_perform(&session, operation, owned, &sink, &world->answer, &world->err);
        world->problems = json_incref(session.problems);
        gbx_session_close(&session);
        (void)gbx_caller_free(caller);
        return r;
}

/* The same, which must come out as `expected`. */
static inline void world_expect(struct world *world, int expected, const char *who, const char *noun, const char *verb, json_t *request) {
        int r = world_ask(world, who, noun, verb, request);

        if (r != expected)
                fail_msg("%s %s by %s: %d, expected %d: %s", noun, verb ? verb : "", who ? who : "the operator", r, expected,
                         world->err.message);
}

static inline void world_says(const struct world *world, const char *text) {
        if (!strstr(world->err.message, text))
                fail_msg("expected '%s' in: %s", text, world->err.message);
}

/* A text with bytes of any kind. */
static inline json_t *world_text(const struct gbx_buffer *buffer) { return json_stringn(gbx_buffer_text(buffer), buffer->size); }

static inline const char *world_member(const struct world *world, const char *name) {
        const char *text = gbx_json_text(world->answer, name);

        if (!text)
                fail_msg("the answer has no '%s'", name);
        return text;
}

/* --- operations that take several steps ------------------------------------------------------ */

static inline json_t *world_signature(const char *who, const char *text) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {};

        sshsig_sign(who, "glovebox", text, strlen(text), &signature);
        return world_text(&signature);
}

static inline void world_recipient(const char *who, char ret[static GBX_AGE_RECIPIENT_TEXT_SIZE]) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;

        (void)who;
        assert_int_equal(gbx_age_identity_generate(&identity, NULL), 0);
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), ret);
}

static inline json_t *world_user(const char *name, const char *role, const char *key_of) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {};

        sshsig_public_line(key_of, &line);
        return json_pack("{s:s, s:[s], s:s}", "name", name, "role", role, "ssh-key", gbx_buffer_text(&line));
}

static inline int world_add_user(struct world *world, const char *name, const char *role) {
        char recipient[GBX_AGE_RECIPIENT_TEXT_SIZE];
        json_t *request = world_user(name, role, name);

        if (strcmp(role, "analyst") == 0) {
                world_recipient(name, recipient);
                (void)json_object_set_new(request, "age", json_string(recipient));
        }
        return world_ask(world, strcmp(role, "admin") == 0 ? NULL : "admin", "user", "add", request);
}

/* Bytes encrypted to the site; all copies have the same key. */
static inline void world_encrypt(struct world *world, const void *data, size_t size, struct gbx_buffer *ret) {
        static struct gbx_age_recipient recipient;
        static bool known;

        if (!known) {
                world_expect(world, 0, "admin", "keys", NULL, json_pack("{s:s}", "key", "recipient"));
                assert_int_equal(gbx_age_recipient_parse(world_member(world, "value"), &recipient, NULL), 0);
                known = true;
        }
        assert_int_equal(gbx_age_encrypt_buffer(data, size, (struct gbx_age_recipients){ &recipient, 1 }, ret, NULL), 0);
}

/* The first step of a registration: the answer has `intake` and `manifest`. */
static inline int world_prepare_data(struct world *world, const char *actor, const char *owner) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, sealed = {};

        world_csv(&csv);
        world_encrypt(world, csv.data, csv.size, &sealed);
        world_attach(world, "file", sealed.data, sealed.size);
        return world_ask(world, actor, "data", "prepare",
                         json_pack("{s:s, s:s, s:s}", "name", "credit", "owner", owner, "schema", world_schema));
}

static inline int world_add_data(struct world *world, const char *actor, const char *owner) {
        json_t *request;
        int r = world_prepare_data(world, actor, owner);

        if (r < 0)
                return r;
        request = json_pack("{s:s, s:o}", "intake", world_member(world, "intake"), "signature",
                            world_signature(owner, world_member(world, "manifest")));
        return world_ask(world, actor, "data", "add", request);
}

static inline int world_submit(struct world *world, const char *who, const char *name, const char *script) {
        world_attach(world, "file", script, strlen(script));
        return world_ask(world, who, "algo", "submit", json_pack("{s:s}", "name", name));
}

/* A reviewer's signed approval of an algorithm. */
static inline int world_approve(struct world *world, const char *who, const char *algorithm) {
        json_t *request;
        int r = world_ask(world, who, "review", "statement", json_pack("{s:s, s:s}", "what", algorithm, "purpose", "credit-scoring"));

        if (r < 0)
                return r;
        request = json_pack("{s:s, s:s, s:o}", "what", algorithm, "statement", world_member(world, "statement"), "signature",
                            world_signature(who, world_member(world, "statement")));
        return world_ask(world, who, "review", "approve", request);
}

/* A reviewer's signed word on held outputs. */
static inline int world_review(struct world *world, const char *who, const char *run, bool approve) {
        json_t *request;
        int r = world_ask(world, who, "review", "statement",
                          json_pack("{s:s, s:s, s:b}", "what", run, "reason", "looked at", "reject", !approve));

        if (r < 0)
                return r;
        request = json_pack("{s:s, s:s, s:s, s:o}", "what", run, "reason", "looked at", "statement", world_member(world, "statement"),
                            "signature", world_signature(who, world_member(world, "statement")));
        return world_ask(world, who, "review", approve ? "approve" : "reject", request);
}

static inline int world_run(struct world *world, const char *who, const char *mode) {
        return world_ask(world, who, "job", "run",
                         json_pack("{s:s, s:[s], s:s, s:{s:s}}", "algo", world_algorithm, "data", "credit", "purpose", "credit-scoring",
                                   "params", "mode", mode));
}

/* --- the site as a whole --------------------------------------------------------------------- */

static inline struct gbx_site *world_open(struct world *world) {
        struct gbx_site *site = NULL;

        if (gbx_site_open(&site, world->path, &world->err) < 0)
                fail_msg("%s", world->err.message);
        return site;
}

/* How many rows a query of the view gives. */
static inline size_t world_count(struct world *world, const char *sql) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_json_freep) json_t *rows = NULL;

        assert_int_equal(gbx_view_query(site->view, &rows, &world->err, sql, NULL), 0);
        return json_array_size(rows);
}

/* What replay finds; fails the test with the first divergence, if there is any. */
static inline void world_replays(struct world *world) {
        gbx_auto(gbx_site_closep) struct gbx_site *site = world_open(world);
        gbx_auto(gbx_replay_free) struct gbx_replay replay = {};

        if (gbx_replay_log(site, gbx_operation_action_of, &replay, &world->err) < 0)
                fail_msg("replay: %s", world->err.message);
        if (json_array_size(replay.divergences)) {
                gbx_auto(gbx_free_pointer) char *text = json_dumps(json_array_get(replay.divergences, 0), JSON_COMPACT);

                fail_msg("replay: %s", text);
        }
        assert_true(replay.view_equal);
}

/* --- set-up ------------------------------------------------------------------------------------ */

static inline void world_root(struct world *world) {
        (void)snprintf(world->root, sizeof world->root, "%s/gbx-world-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        assert_non_null(mkdtemp(world->root));
        (void)snprintf(world->path, sizeof world->path, "%s/site", world->root);
}

static inline void world_people(struct world *world) {
        static const char *const people[][2] = { { "admin", "admin" },     { "fund", "owner" },      { "ministry", "owner" },
                                                 { "bank-a", "analyst" },  { "bank-b", "analyst" },  { "wang", "reviewer" },
                                                 { "li", "reviewer" },     { "audit", "auditor" } };

        for (size_t i = 0; i < gbx_array_size(people); i++)
                if (world_add_user(world, people[i][0], people[i][1]) != 0)
                        fail_msg("user %s: %s", people[i][0], world->err.message);
}

/* For cmocka's group: prepares the site that tests get copies of. */
static inline int world_prepare(void **state) {
        struct world world = {};

        (void)state;
        world_root(&world);
        if (gbx_site_create(world.path, "test.example/world", NULL, &world.err) < 0)
                fail_msg("%s", world.err.message);
        world_people(&world);
        if (world_add_data(&world, "fund", "fund") != 0)
                fail_msg("data: %s", world.err.message);
        world_expect(&world, 0, "admin", "policy", "apply", json_pack("{s:s}", "policy", world_policy));
        if (world_submit(&world, "bank-a", "rates", world_script) != 0)
                fail_msg("submit: %s", world.err.message);
        (void)snprintf(world_algorithm, sizeof world_algorithm, "%s", world_member(&world, "digest"));
        if (world_approve(&world, "wang", world_algorithm) != 0 || world_approve(&world, "li", world_algorithm) != 0)
                fail_msg("approve: %s", world.err.message);
        memcpy(world_template, world.root, sizeof world_template);
        world_has_sandbox = geteuid() == 0;
        world_forget(&world);
        gbx_buffer_free(&world.bytes);
        return 0;
}

static inline int world_discard(void **state) {
        (void)state;
        world_remove(world_template);
        return 0;
}

/* For each test: a copy. */
static inline int world_setup(void **state) {
        struct world *world = calloc(1, sizeof *world);
        char from[80];

        if (!world)
                return -1;
        world_root(world);
        (void)snprintf(from, sizeof from, "%s/site", world_template);
        *state = world;
        return world_copy_tree(from, world->path);
}

static inline int world_teardown(void **state) {
        struct world *world = *state;

        world_remove(world->root);
        world_forget(world);
        gbx_buffer_free(&world->bytes);
        free(world);
        return 0;
}

#define world_needs_sandbox()                                                     \
        do {                                                                      \
                if (!world_has_sandbox) {                                         \
                        print_message("# only root may start the sandbox here\n"); \
                        skip();                                                   \
                }                                                                 \
        } while (0)

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
