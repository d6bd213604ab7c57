/* The command line as a program, on a copy of a prepared site: help for each operation, exit codes, JSON that is one document */
#include "tests/unit/gateway_fixture.h"

#include <sys/wait.h>

struct printed {
        struct gbx_buffer out; /* both streams, or standard output alone */
        int status;
};

static void free_printed(struct printed *printed) { gbx_buffer_free(&printed->out); }

/* Runs `gbx ARGUMENTS` beside the tests' own folder; `arguments` is for the shell. */
static void gbx(struct world *world, const char *arguments, bool both, struct printed *ret) {
        char self[512], command[1400];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        size_t n;
        FILE *pipe;

        assert_true(length > 0);
        self[length] = '\0';
        for (int i = 0; i < 3; i++)
                *strrchr(self, '/') = '\0';
        (void)snprintf(command, sizeof command, "cd %s && GBX_SITE=%s NO_COLOR=1 %.400s/gbx %s %s", world->root, world->path, self,
                       arguments, both ? "2>&1" : "2>/dev/null");
        gbx_buffer_clear(&ret->out);
        pipe = popen(command, "re");
        assert_non_null(pipe);
        do {
                char bytes[4096];

                n = fread(bytes, 1, sizeof bytes, pipe);
                assert_int_equal(gbx_buffer_append(&ret->out, bytes, n, NULL), 0);
        } while (n > 0);
        ret->status = pclose(pipe);
        ret->status = WIFEXITED(ret->status) ? WEXITSTATUS(ret->status) : 128;
}

static int visit_help(void *context, const struct gbx_operation *operation) {
        gbx_auto(free_printed) struct printed printed = {};
        char name[GBX_OPERATION_NAME_SIZE], arguments[100];

        (void)gbx_operation_name(operation, name);
        (void)snprintf(arguments, sizeof arguments, "%s --help", name);
        gbx(context, arguments, false, &printed);
        if (printed.status != 0 || !strstr(gbx_buffer_text(&printed.out), operation->summary))
                fail_msg("gbx %s: %d: %s", arguments, printed.status, gbx_buffer_text(&printed.out));
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (!f->positional && !strstr(gbx_buffer_text(&printed.out), f->name))
                        fail_msg("gbx %s does not tell of --%s", arguments, f->name);
        (void)snprintf(arguments, sizeof arguments, "%s --unheard-of", name);
        gbx(context, arguments, true, &printed);
        if (printed.status != 2 || !strstr(gbx_buffer_text(&printed.out), "unheard-of"))
                fail_msg("gbx %s: %d: %s", arguments, printed.status, gbx_buffer_text(&printed.out));
        return 0;
}

static void every_operation_has_help_and_refuses_what_it_does_not_know(void **state) {
        assert_int_equal(gbx_operation_each(visit_help, *state), 0);
}

static void exit_codes_are_the_documented_ones(void **state) {
        static const struct {
                const char *arguments;
                int status;
                const char *says;
        } cases[] = {
                { "", 2, "gbx" },
                { "--help", 0, "policy" },
                { "help data", 0, "data add" },
                { "unheard-of", 2, "unheard-of" },
                { "usr ls", 2, "user" },
                { "user lst", 2, "ls" },
                { "user ls --as admin", 0, "bank-b" },
                { "user list --as bank-a", 0, "bank-a" },
                { "--as admin user ls", 0, "bank-b" },
                { "user ls --as nobody", 3, "nobody" },
                { "user add x --as bank-a", 3, "bank-a" },
                { "user add", 2, "NAME" },
                { "user remove ghost --as admin", 1, "ghost" },
                { "policy ls --as bank-a", 0, "credit-scoring" },
                { "policy show credit-scoring --as bank-a", 0, "wang, li" },
                { "policy withdraw credit-scoring --dry-run --as admin", 0, "" },
                { "policy check missing.yaml", 2, "missing.yaml" },
                { "data ls --as fund", 0, "credit" },
                { "data usage credit --as fund", 0, "fund" },
                { "data usage credit --as ministry", 3, "" },
                { "data destroy credit --as fund", 2, "--confirm" },
                { "data revoke credit --as ministry", 3, "" },
                { "algo ls --as wang", 0, "rates" },
                { "algo show rates --source --as wang", 0, "release.table" },
                { "review ls --as wang", 0, "rates" },
                { "review statement rates --purpose credit-scoring --as wang", 0, "glovebox approval" },
                { "job ls --as bank-a", 0, "no runs yet" },
                { "job show run-9 --as bank-a", 1, "run-9" },
                { "job run --algo rates --data credit --purpose credit-scoring --param mode=unheard-of --as bank-a", 3, "denied" },
                { "job run --algo rates --data credit --purpose credit-scoring --param mode --as bank-a", 2, "NAME=VALUE" },
                { "release ls --as audit", 0, "" },
                { "flows usage --as admin", 0, "" },
                { "flows breakers --as admin", 0, "" },
                { "status --as admin", 0, "users" },
                { "heartbeat --as admin", 0, "" },
                { "keys", 0, "age1" },
                { "keys recipient", 0, "age1" },
                { "service recover --as admin", 0, "" },
                { "audit ls --as audit", 0, "user.add" },
                { "audit verify --as audit", 0, "" },
                { "audit replay --as audit", 0, "" },
                { "audit rebuild --as audit", 0, "" },
                { "audit prove 3 --as audit", 0, "" },
                { "audit prove 999999 --as audit", 2, "999999" },
                { "audit export --as audit", 0, "policy.apply" },
                { "audit ls --as bank-a", 3, "" },
                { "backup there --as admin", 0, "" },
                { "init --site second --origin test.example/two", 0, "" },
                { "init --site second", 1, "already" },
                { "--site nowhere user ls", 1, "gbx init" },
                { "completion bash", 0, "complete" },
                { "completion zsh", 0, "compdef" },
                { "completion fish", 2, "" },
                { "api --openapi", 0, "openapi" },
                { "api --man", 0, "gbx" },
                { "api --man data", 0, "data" },
                { "api --nouns", 0, "policy" },
                { "--version", 0, "" },
        };
        struct world *world = *state;

        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(free_printed) struct printed printed = {};

                gbx(world, cases[i].arguments, true, &printed);
                if (getenv("CLI_SHOW"))
                        print_message("# %s: %d, expected %d: %.300s\n", cases[i].arguments, printed.status, cases[i].status,
                                      printed.status == cases[i].status ? "" : gbx_buffer_text(&printed.out));
                else if (printed.status != cases[i].status || !strstr(gbx_buffer_text(&printed.out), cases[i].says))
                        fail_msg("gbx %s: %d: %s", cases[i].arguments, printed.status, gbx_buffer_text(&printed.out));
        }
        world_replays(world);
}

/* For programs: whatever is asked, one document. */
static void json_is_one_document(void **state) {
        static const char *const commands[] = { "user ls --as admin",  "policy ls --as admin",      "data ls --as admin",
                                                "algo ls --as admin",  "algo show rates --as wang", "review ls --as wang",
                                                "job ls --as admin",   "status --as admin",         "keys",
                                                "audit ls --as audit", "flows breakers --as admin", "release ls --as audit" };
        struct world *world = *state;

        for (size_t i = 0; i < gbx_array_size(commands); i++) {
                gbx_auto(free_printed) struct printed printed = {};
                gbx_auto(gbx_json_freep) json_t *json = NULL;
                char arguments[200];

                (void)snprintf(arguments, sizeof arguments, "%s --json", commands[i]);
                gbx(world, arguments, false, &printed);
                assert_int_equal(printed.status, 0);
                json = json_loadb(gbx_buffer_text(&printed.out), printed.out.size, JSON_REJECT_DUPLICATES, NULL);
                if (!json)
                        fail_msg("gbx %s: %s", arguments, gbx_buffer_text(&printed.out));
        }
}

static void put(struct world *world, const char *name, const void *data, size_t size) {
        char path[120];

        (void)snprintf(path, sizeof path, "%.64s/%s", world->root, name);
        assert_int_equal(gbx_write_file_durably(AT_FDCWD, path, data, size, 0600, NULL), 0);
}

/* Keys stay with people: the program has ssh-keygen sign on their side. */
static void people_sign_with_their_own_keys(void **state) {
        static const struct {
                const char *arguments;
                int status;
        } steps[] = {
                { "user add owner-k --role owner --ssh-key k.pub --as admin", 0 },
                { "user add reviewer-r --role reviewer --ssh-key r.pub --as admin", 0 },
                { "user add x --role owner --ssh-key k --as admin", 2 }, /* a private key */
                { "data add debit --owner owner-k --schema schema.yaml --key r data.age --as owner-k", 5 },
                { "data add debit --owner owner-k --schema schema.yaml --key k data.age --as owner-k", 0 },
                { "data add debit --owner owner-k --schema missing.yaml --key k data.age --as owner-k", 2 },
                { "policy apply policy.yaml --as admin", 0 },
                { "review approve rates --purpose other --key r", 0 },
                { "review reject rates --reason no --as reviewer-r", 0 },
                { "policy check policy.yaml", 0 },
                { "policy check schema.yaml", 2 },
        };
        struct world *world = *state;
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {}, sealed = {}, schema = {}, policy = {};
        char command[200];

        world_csv(&csv);
        world_encrypt(world, csv.data, csv.size, &sealed);
        (void)gbx_buffer_printf(&schema, NULL, "dataset: debit%s", strchr(world_schema, '\n'));
        put(world, "data.age", sealed.data, sealed.size);
        put(world, "schema.yaml", schema.data, schema.size);
        (void)snprintf(command, sizeof command, "cd %s && for k in k r; do ssh-keygen -q -t ed25519 -N '' -f $k; done", world->root);
        assert_int_equal(system(command), 0);
        (void)gbx_buffer_printf(&policy, NULL, "policy: other\npurpose: other\ndatasets: [credit]\nengines: [lua]\n"
                                               "approvals: { required: 1, reviewers: [reviewer-r], valid-for: 90d }\n%s",
                                strstr(world_policy, "limits:"));
        put(world, "policy.yaml", policy.data, policy.size);
        for (size_t i = 0; i < gbx_array_size(steps); i++) {
                gbx_auto(free_printed) struct printed printed = {};

                gbx(world, steps[i].arguments, true, &printed);
                if (printed.status != steps[i].status)
                        fail_msg("gbx %s: %d: %s", steps[i].arguments, printed.status, gbx_buffer_text(&printed.out));
        }
        world_replays(world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(every_operation_has_help_and_refuses_what_it_does_not_know),
                WORLD_TEST(exit_codes_are_the_documented_ones),
                WORLD_TEST(json_is_one_document),
                WORLD_TEST(people_sign_with_their_own_keys),
        };

        return cmocka_run_group_tests(tests, world_prepare, world_discard);
}
