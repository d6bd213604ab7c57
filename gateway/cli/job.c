/* gbx job run | ls | show | fetch */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "gateway/review/approvals.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/parameters.h"
#include "gateway/cli/table.h"
#include "gateway/handover/deliver.h"
#include "gateway/job/job.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"
#include "base/json.h"
#include "gateway/store/view.h"
#include "gateway/run/state.h"
#include "gateway/run/usage.h"

#include <stdio.h>
#include <string.h>

static void show_progress(void *userdata, double fraction) {
        gbx_cli_progress(userdata, "running", fraction);
}

/* What each outcome means for the exit code and for the reader. */
static const struct {
        enum gbx_exit exit;
        const char *text;
} outcomes[] = {
        [GBX_RUN_DENIED] = { GBX_EXIT_DENIED, "denied by policy; nothing ran" },
        [GBX_RUN_FAILED] = { GBX_EXIT_FAILED, "the job failed; nothing was released" },
        [GBX_RUN_LIMITED] = { GBX_EXIT_LIMIT, "the job reached a limit; nothing was released" },
        [GBX_RUN_HELD] = { GBX_EXIT_HELD, "the outputs are held for review" },
        [GBX_RUN_REFUSED] = { GBX_EXIT_DENIED, "the outputs may not leave" },
        [GBX_RUN_CANCELLED] = { GBX_EXIT_FAILED, "cancelled by a signal; nothing was released" },
        [GBX_RUN_RELEASED] = { GBX_EXIT_DONE, "released" },
};

static void print_usage(const json_t *report) {
        const json_t *denied = json_object_get(report, "denied");
        double cpu = (double)json_integer_value(json_object_get(report, "cpu_ms")) / 1000;
        double wall = (double)json_integer_value(json_object_get(report, "wall_ms")) / 1000;
        double memory = (double)json_integer_value(json_object_get(report, "memory_bytes")) / (1024 * 1024);

        if (denied)
                printf("  used: %.3f s CPU, %.3f s wall, %.1f MiB memory, %lld denied system calls\n", cpu, wall, memory,
                       (long long)json_integer_value(denied));
        else /* steps, see gateway/run/usage.h */
                printf("  used: at most %.0f s CPU, %.0f s wall, %.0f MiB memory\n", cpu, wall, memory);
}

static void print_outcome(const struct gbx_cli *cli, const struct gbx_run_outcome *outcome) {
        size_t index;
        json_t *reason;

        if (cli->json) {
                gbx_cli_print_json(json_pack("{s:s, s:s, s:i, s:O, s:O?}", "run", outcome->id, "state", gbx_run_state_name(outcome->state),
                                             "exit", (int)outcomes[outcome->state].exit, "reasons", outcome->reasons, "report",
                                             outcome->report));
                return;
        }
        printf("%s: %s\n", outcome->id, outcomes[outcome->state].text);
        json_array_foreach(outcome->reasons, index, reason)
                printf("  %s\n", json_string_value(reason));
        if (outcome->report)
                print_usage(outcome->report);
        if (outcome->state == GBX_RUN_RELEASED)
                printf("  fetch it with: gbx job fetch %s --output FOLDER --as NAME\n", outcome->id);
}

static int find_limits(struct gbx_cli *cli, const char *run, struct gbx_policy_limits *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_query_one(cli->site->view, &row, err, "SELECT policy FROM run WHERE id=?1", run, NULL);

        if (r >= 0)
                gbx_usage_limits(cli->site, r > 0 ? NULL : json_string_value(json_object_get(row, "policy")), ret);
        return r < 0 ? r : 0;
}

static int run_run(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_cli_order_free) struct gbx_cli_order asked = { .order = { .progress = show_progress, .userdata = cli } };
        gbx_auto(gbx_run_outcome_free) struct gbx_run_outcome outcome = {};
        gbx_auto(gbx_interrupt_end) struct gbx_interrupt interrupt = { .fd = -1 };
        struct gbx_policy_limits limits;
        bool exact = false;
        int r = gbx_cli_order(cli, &asked, err);

        if (r >= 0)
                r = gbx_interrupt_begin(&interrupt, err);
        if (r < 0)
                return r;
        asked.order.cancel = interrupt.fd;
        r = gbx_run_job(cli->site, cli->caller, &asked.order, &outcome, err);
        gbx_cli_progress(cli, "", -1);
        if (r >= 0 && gbx_interrupt_came(&interrupt) && outcome.state != GBX_RUN_CANCELLED)
                fputs("gbx: the signal came when the job had ended; what follows a job was finished\n", stderr);
        if (r >= 0)
                r = gbx_usage_exact(cli->site, cli->caller, &exact, err);
        if (r < 0)
                return r;
        if (!exact) {
                r = find_limits(cli, outcome.id, &limits, err);
                if (r < 0)
                        return r;
                gbx_usage_coarsen(outcome.report, &limits);
        }
        print_outcome(cli, &outcome);
        return (int)outcomes[outcome.state].exit;
}

/* Whose runs alone one may see, for what others ask tells of their business: an analyst's own, and an owner's those on
 * the own data. Empty: everybody's. */
struct whose {
        const char *requester, *owner;
};

#define OF_WHOSE(requester, owner) \
        " ((" requester "='' AND " owner "='') OR r.requester=" requester " OR EXISTS(SELECT 1 FROM json_each(r.datasets) j" \
        " JOIN dataset d ON d.name=j.value WHERE d.owner=" owner "))"

static int find_whose(struct gbx_cli *cli, const char *action, struct whose *ret, struct gbx_error *err) {
        enum gbx_scope scope = GBX_SCOPE_OWN;
        unsigned roles = 0;
        int r = gbx_caller_roles(cli->site, cli->caller, &roles, err);

        if (r >= 0)
                r = gbx_decide_scope(roles, action, &scope, err);
        if (r < 0)
                return r;
        *ret = (struct whose){ "", "" };
        if (scope == GBX_SCOPE_OWN && roles & GBX_ROLE_ANALYST)
                ret->requester = gbx_caller_name(cli->caller);
        if (scope == GBX_SCOPE_OWN && roles & GBX_ROLE_OWNER)
                ret->owner = gbx_caller_name(cli->caller);
        return 0;
}

/* Of the policy that the last row named: most rows name the same. */
struct caps {
        char policy[GBX_SHA256_TEXT_SIZE];
        struct gbx_policy_limits limits;
};

/* A row of the view as the caller may see it. */
static void show_run(struct gbx_cli *cli, json_t *row, bool exact, struct caps *caps) {
        const char *state = json_string_value(json_object_get(row, "state")), *policy = json_string_value(json_object_get(row, "policy"));

        (void)json_object_set_new(row, "state",
                                  json_string(gbx_run_state_of(state, json_string_value(json_object_get(row, "outcome")))));
        if (exact)
                return;
        if (strcmp(caps->policy, policy ? policy : "") != 0) {
                (void)snprintf(caps->policy, sizeof caps->policy, "%s", policy ? policy : "");
                gbx_usage_limits(cli->site, policy, &caps->limits);
        }
        gbx_usage_coarsen(row, &caps->limits);
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "id", "RUN", GBX_COLUMN_TEXT },           { "name", "ALGORITHM", GBX_COLUMN_TEXT },
                { "requester", "BY", GBX_COLUMN_TEXT },     { "purpose", "PURPOSE", GBX_COLUMN_TEXT },
                { "state", "STATE", GBX_COLUMN_TEXT },      { "cpu_ms", "CPU MS", GBX_COLUMN_NUMBER },
                { "denied", "DENIED CALLS", GBX_COLUMN_NUMBER }, {},
        };
        struct whose whose = {};
        struct caps caps = {};
        json_t *rows, *row;
        size_t index;
        bool exact = false;
        int r = gbx_usage_exact(cli->site, cli->caller, &exact, err);

        if (r >= 0)
                r = find_whose(cli, "job ls", &whose, err);
        if (r >= 0)
                r = gbx_view_query(cli->site->view, &rows, err,
                                   "SELECT r.*, a.name AS name, l.id AS release FROM run r"
                                   " LEFT JOIN algorithm a ON a.digest = r.algorithm LEFT JOIN release l ON l.run = r.id"
                                   " WHERE" OF_WHOSE("?1", "?2") " ORDER BY r.seq",
                                   whose.requester, whose.owner, NULL);
        if (r < 0)
                return r;
        json_array_foreach(rows, index, row)
                show_run(cli, row, exact, &caps);
        return gbx_cli_print_rows(cli, rows, columns, "no runs yet; analysts start them with: gbx job run", err);
}

static int run_show(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "id", "run", GBX_COLUMN_TEXT },             { "algorithm", "algorithm", GBX_COLUMN_TEXT },
                { "requester", "requester", GBX_COLUMN_TEXT }, { "purpose", "purpose", GBX_COLUMN_TEXT },
                { "datasets", "datasets", GBX_COLUMN_TEXT },  { "policy", "policy", GBX_COLUMN_TEXT },
                { "request", "request", GBX_COLUMN_TEXT },    { "state", "state", GBX_COLUMN_TEXT },
                { "outcome", "outcome", GBX_COLUMN_TEXT },      { "denied", "denied calls", GBX_COLUMN_NUMBER },
                { "cpu_ms", "cpu ms", GBX_COLUMN_NUMBER },    { "wall_ms", "wall ms", GBX_COLUMN_NUMBER },
                { "memory_bytes", "memory", GBX_COLUMN_NUMBER }, { "release", "release", GBX_COLUMN_TEXT },
                {},
        };
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        struct whose whose = {};
        bool exact = false;
        int r = gbx_usage_exact(cli->site, cli->caller, &exact, err);

        if (r >= 0)
                r = find_whose(cli, "job show", &whose, err);
        if (r >= 0)
                r = gbx_view_query_one(cli->site->view, &row, err,
                                   "SELECT r.*, l.id AS release FROM run r LEFT JOIN release l ON l.run = r.id"
                                   " WHERE r.id=?1 AND" OF_WHOSE("?2", "?3"),
                                   cli->arguments[0], whose.requester, whose.owner, NULL);
        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no run '%s' (gbx job ls)", cli->arguments[0]);
        show_run(cli, row, exact, &(struct caps){});
        return gbx_cli_print_object(cli, gbx_take_ptr(row), columns, err);
}

static int run_fetch(struct gbx_cli *cli, struct gbx_error *err) {
        const char *who, *folder = gbx_cli_option(cli, "output");
        gbx_auto(gbx_json_freep) json_t *files = NULL;
        size_t index;
        json_t *file;
        int r = gbx_cli_principal(cli, &who, err);

        if (r >= 0)
                r = gbx_deliver(cli->site, cli->caller, cli->arguments[0], folder ? folder : ".", &files, err);
        if (r < 0)
                return r;
        if (cli->json) {
                gbx_cli_print_json(json_incref(files));
                return 0;
        }
        json_array_foreach(files, index, file)
                puts(json_string_value(file));
        return 0;
}

const struct gbx_command gbx_commands_job[] = {
        { .noun = "job", .verb = "run",
          .summary = "run an approved algorithm on datasets, inside the sandbox",
          .details = "Exit codes: 0 released, 1 the job failed or was cancelled (Ctrl-C), 3 denied by policy, 4 outputs held for review,\n"
                     "6 a limit was reached. With --json the run's id, state, reasons and resources are printed.",
          .options = (const struct gbx_option[]){
                  { "algo", "DIGEST", "the algorithm: digest, its first digits, or a unique name", true, false },
                  { "data", "NAME", "a dataset", true, true },
                  { "purpose", "PURPOSE", "what for; the policy of this purpose applies", true, false },
                  { "param", "NAME=VALUE", "a parameter; lists as a,b,c", false, true },
                  { "params", "FILE", "all parameters as a JSON object", false, false },
                  {} },
          .action = "job run", .run = run_run },
        { .noun = "job", .verb = "ls", .summary = "list runs (an analyst: one's own; an owner: those on the own data)",
          .action = "job ls", .run = run_ls },
        { .noun = "job", .verb = "show", .arguments = "RUN",
          .summary = "show a run (an analyst: one's own; an owner: those on the own data)", .arguments_min = 1,
          .arguments_max = 1, .action = "job show", .run = run_show },
        { .noun = "job", .verb = "fetch", .arguments = "RUN",
          .summary = "fetch what a run released: tables encrypted to you, and the signed manifest",
          .details = "Open a table with: age -d -i YOUR-KEY FILE.age",
          .options = (const struct gbx_option[]){ { "output", "FOLDER", "where to (default: here)", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .action = "job fetch", .run = run_fetch },
        {},
};
