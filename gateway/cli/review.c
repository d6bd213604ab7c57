/* gbx review ls | statement | show | approve | reject: algorithms, and outputs that are held */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/algorithm/find.h"
#include "gateway/review/approvals.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table.h"
#include "gateway/people/users.h"
#include "gateway/review/outputs.h"
#include "gateway/cli/ssh_keygen.h"
#include "gateway/store/authorise.h"
#include "gateway/store/transaction.h"
#include "base/json.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 64 * 1024 };

/* Runs have names, algorithms have digests. */
static bool is_run(const char *what) {
        return strncmp(what, "run-", 4) == 0;
}

/* The reviewer: whoever --as names, else the owner of --key. */
static int find_reviewer(struct gbx_cli *cli, char ret_name[static 65], struct gbx_error *err) {
        const char *key = gbx_cli_option(cli, "key");
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {};
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r;

        if (cli->as) {
                (void)snprintf(ret_name, 65, "%s", cli->as);
                return 0;
        }
        if (!key)
                return gbx_fail(err, -EINVAL, "who reviews? Name the reviewer with --as NAME or sign with --key FILE");
        r = gbx_ssh_public_key(key, &line, err);
        if (r >= 0)
                r = gbx_user_by_key(cli->site, gbx_buffer_text(&line), &row, err);
        if (r > 0)
                return gbx_fail(err, -ENOENT, "no user of this site has the key '%s'", key);
        if (r >= 0)
                (void)snprintf(ret_name, 65, "%s", gbx_json_text(row, "name"));
        return r;
}

static int parse_expiry(const struct gbx_cli *cli, int64_t *ret, struct gbx_error *err) {
        const char *expires = gbx_cli_option(cli, "expires");

        *ret = 0;
        return expires ? gbx_time_parse(expires, ret, err) : 0;
}

static int run_ls(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "what", "WHAT", GBX_COLUMN_TEXT },         { "id", "ID", GBX_COLUMN_DIGEST },
                { "name", "NAME", GBX_COLUMN_TEXT },         { "by", "BY", GBX_COLUMN_TEXT },
                { "approvals", "APPROVALS", GBX_COLUMN_NUMBER }, {},
        };
        json_t *rows;
        int r = gbx_view_query(cli->site->view, &rows, err,
                               "SELECT 'algorithm' AS what, digest AS id, name, submitter AS 'by', (SELECT count(DISTINCT reviewer)"
                               " FROM approval p WHERE p.algorithm=digest AND p.decision='approve' AND p.state='active') AS approvals"
                               " FROM algorithm UNION ALL SELECT 'outputs', id, purpose, requester, 0 FROM run WHERE state IN ('held', 'approved')",
                               NULL);

        return r < 0 ? r : gbx_cli_print_rows(cli, rows, columns, "nothing waits for review", err);
}

/* Without --as, the key that signs says who acts. */
static int become(struct gbx_cli *cli, const char *reviewer, struct gbx_error *err) {
        struct gbx_caller *caller;
        int r = cli->as ? 1 : gbx_caller_directory(&caller, reviewer, err);

        if (r != 0)
                return r < 0 ? r : 0;
        gbx_caller_freep(&cli->owned);
        cli->caller = cli->owned = caller;
        return 0;
}

static int print_output_statement(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        enum gbx_output_decision decision = gbx_cli_option(cli, "reject") ? GBX_OUTPUT_REJECT : GBX_OUTPUT_APPROVE;
        int r = gbx_outputs_statement(cli->site, cli->caller, cli->arguments[0], decision, gbx_cli_option(cli, "reason"), &text, err);

        if (r >= 0)
                fputs(gbx_buffer_text(&text), stdout);
        return r;
}

static int run_statement(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char reviewer[65];
        int64_t expires;
        int r = find_reviewer(cli, reviewer, err);

        if (r >= 0)
                r = become(cli, reviewer, err);
        if (r >= 0)
                r = parse_expiry(cli, &expires, err);
        if (r >= 0 && is_run(cli->arguments[0]))
                return print_output_statement(cli, err);
        if (r >= 0 && !gbx_cli_option(cli, "purpose"))
                r = gbx_fail(err, -EINVAL, "say for which purpose: --purpose PURPOSE");
        if (r >= 0)
                r = gbx_find_algorithm(cli->site, cli->arguments[0], &algorithm, err);
        if (r >= 0)
                r = gbx_make_statement(cli->site, algorithm, gbx_cli_option(cli, "purpose"), reviewer, expires, &text, err);
        if (r < 0)
                return r;
        fputs(gbx_buffer_text(&text), stdout);
        return 0;
}

/* Statement and signature, from files or made here with --key. */
static int gather(struct gbx_cli *cli, const json_t *algorithm, struct gbx_buffer *statement, struct gbx_buffer *signature,
                  struct gbx_error *err) {
        const char *statement_file = gbx_cli_option(cli, "statement"), *signature_file = gbx_cli_option(cli, "signature");
        const char *key = gbx_cli_option(cli, "key"), *purpose = gbx_cli_option(cli, "purpose");
        char reviewer[65];
        int64_t expires;
        int r;

        if (statement_file && signature_file) {
                r = gbx_read_file(AT_FDCWD, statement_file, FILE_LIMIT, statement, err);
                return r < 0 ? r : gbx_read_file(AT_FDCWD, signature_file, FILE_LIMIT, signature, err);
        }
        if (!key || !purpose)
                return gbx_fail(err, -EINVAL, "give --purpose and --key, or --statement and --signature made with ssh-keygen");
        r = find_reviewer(cli, reviewer, err);
        if (r >= 0)
                r = parse_expiry(cli, &expires, err);
        if (r >= 0)
                r = gbx_make_statement(cli->site, algorithm, purpose, reviewer, expires, statement, err);
        return r < 0 ? r : gbx_ssh_sign(key, statement->data, statement->size, signature, err);
}

static int take_approval(struct gbx_cli *cli, const json_t *algorithm, const struct gbx_buffer *statement,
                         const struct gbx_buffer *signature, struct gbx_error *err) {
        struct gbx_signed_statement given = { statement->data, statement->size, signature->data, signature->size };
        gbx_auto(gbx_free_pointer) struct gbx_approval *approval = calloc(1, sizeof *approval);
        int r = approval ? gbx_approval_parse(gbx_buffer_text(statement), statement->size, approval, err) : gbx_fail_memory(err);

        if (r >= 0)
                r = become(cli, approval->reviewer, err);
        return r < 0 ? r : gbx_take_approval(cli->site, cli->caller, algorithm, &given, err);
}

/* The reviewer's signed word on held outputs: made here with --key, or given as files. */
static int gather_word(struct gbx_cli *cli, enum gbx_output_decision decision, struct gbx_buffer *statement, struct gbx_buffer *signature,
                       struct gbx_error *err) {
        const char *statement_file = gbx_cli_option(cli, "statement"), *signature_file = gbx_cli_option(cli, "signature");
        const char *key = gbx_cli_option(cli, "key"), *run = cli->arguments[0];
        int r;

        if (statement_file && signature_file) {
                r = gbx_read_file(AT_FDCWD, statement_file, FILE_LIMIT, statement, err);
                return r < 0 ? r : gbx_read_file(AT_FDCWD, signature_file, FILE_LIMIT, signature, err);
        }
        if (!key)
                return gbx_fail(err, -EINVAL, "sign with --key FILE, or give --statement and --signature made with ssh-keygen");
        r = gbx_outputs_statement(cli->site, cli->caller, run, decision, gbx_cli_option(cli, "reason"), statement, err);
        return r < 0 ? r : gbx_ssh_sign(key, statement->data, statement->size, signature, err);
}

static int decide_run(struct gbx_cli *cli, enum gbx_output_decision decision, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, signature = {};
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        struct gbx_signed_statement given;
        const char *run = cli->arguments[0];
        char reviewer[65];
        int r = gbx_cli_option(cli, "reason") ? find_reviewer(cli, reviewer, err)
                                              : gbx_fail(err, -EINVAL, "say why the held outputs may leave, or may not: --reason TEXT");

        if (r >= 0)
                r = become(cli, reviewer, err);
        if (r >= 0)
                r = gather_word(cli, decision, &statement, &signature, err);
        if (r < 0)
                return r;
        given = (struct gbx_signed_statement){ gbx_buffer_text(&statement), statement.size, gbx_buffer_text(&signature), signature.size };
        r = gbx_outputs_review(cli->site, cli->caller, run, &given, gbx_cli_option(cli, "reason"), &verdict, err);
        if (r < 0)
                return r;
        if (verdict.outcome == GBX_OUTCOME_RELEASE)
                gbx_cli_say(cli, "Released the outputs of %s to their requester.\n", run);
        else if (verdict.outcome == GBX_OUTCOME_REFUSE)
                gbx_cli_say(cli, "Refused the outputs of %s: they will not leave.\n", run);
        else
                gbx_cli_say(cli, "Recorded. The outputs of %s stay held: %s.\n", run, verdict.count ? verdict.reasons[0].text : "more must agree");
        return verdict.outcome == GBX_OUTCOME_HOLD ? GBX_EXIT_HELD : GBX_EXIT_DONE;
}

static int run_approve(struct gbx_cli *cli, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer statement = {}, signature = {};
        int r;

        if (is_run(cli->arguments[0]))
                return decide_run(cli, GBX_OUTPUT_APPROVE, err);
        r = gbx_find_algorithm(cli->site, cli->arguments[0], &algorithm, err);
        if (r >= 0)
                r = gather(cli, algorithm, &statement, &signature, err);
        if (r >= 0)
                r = take_approval(cli, algorithm, &statement, &signature, err);
        if (r >= 0)
                gbx_cli_say(cli, "Approved '%s'.\n", json_string_value(json_object_get(algorithm, "name")));
        return r;
}

static int run_reject(struct gbx_cli *cli, struct gbx_error *err) {
        const char *reason = gbx_cli_option(cli, "reason"), *reviewer;
        gbx_auto(gbx_json_freep) json_t *algorithm = NULL, *reasons = NULL;
        int r;

        if (is_run(cli->arguments[0]))
                return decide_run(cli, GBX_OUTPUT_REJECT, err);
        r = gbx_cli_principal(cli, &reviewer, err);
        if (r < 0)
                return r;
        r = gbx_find_algorithm(cli->site, cli->arguments[0], &algorithm, err);
        if (r < 0)
                return r;
        reasons = json_pack("[s]", reason);
        r = gbx_record(cli->site, cli->caller, "review reject", &(struct gbx_action){ "review.reject", json_string_value(json_object_get(algorithm, "digest")),
                                                             "done", reasons, NULL }, err);
        if (r < 0)
                return r;
        gbx_cli_say(cli, "Rejected. Approvals that you gave it are revoked.\n");
        return 0;
}

static void show_table(const struct gbx_gate_table *table) {
        printf("\n%s, %zu rows:\n", table->name, table->rows);
        fputs(gbx_buffer_text(&table->csv), stdout);
}

/* Held outputs with the gate's findings beside them: for reviewers' eyes. */
static int run_show(struct gbx_cli *cli, struct gbx_error *err) {
        static const struct gbx_cli_column columns[] = {
                { "severity", "SEVERITY", GBX_COLUMN_TEXT }, { "rule", "RULE", GBX_COLUMN_TEXT },
                { "output", "OUTPUT", GBX_COLUMN_TEXT },     { "row", "ROW", GBX_COLUMN_NUMBER },
                { "column", "COLUMN", GBX_COLUMN_TEXT },     { "detail", "DETAIL", GBX_COLUMN_TEXT },
                {},
        };
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_json_freep) json_t *findings = NULL;
        int r;

        if (!is_run(cli->arguments[0]))
                return gbx_fail(err, -EINVAL, "'%s' is not a run; for an algorithm: gbx algo show %s --source", cli->arguments[0],
                                cli->arguments[0]);
        r = gbx_outputs_show(cli->site, cli->caller, cli->arguments[0], &result, NULL, err);
        if (r >= 0)
                r = gbx_findings_to_json(&result.findings, &findings, err);
        if (r >= 0)
                r = gbx_cli_print_rows(cli, json_incref(json_object_get(findings, "findings")), columns, "no findings", err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < result.table_count && !cli->json; i++)
                show_table(&result.tables[i]);
        return 0;
}

static const struct gbx_option approve_options[] = {
        { "purpose", "PURPOSE", "what the algorithm may be used for", false, false },
        { "key", "FILE", "your SSH private key; gbx runs ssh-keygen to sign", false, false },
        { "statement", "FILE", "the statement that was signed (gbx review statement)", false, false },
        { "signature", "FILE", "its signature: ssh-keygen -Y sign -n glovebox -f KEY STATEMENT", false, false },
        { "expires", "TIME", "end of the approval, as 2026-12-31T00:00:00Z (default: as long as the policy allows)", false, false },
        { "reason", "TEXT", "for held outputs: why they may leave", false, false },
        {},
};

static const struct gbx_option statement_options[] = {
        { "purpose", "PURPOSE", "of an algorithm: what it may be used for", false, false },
        { "reason", "TEXT", "of held outputs: why they may leave, or may not", false, false },
        { "reject", NULL, "of held outputs: the statement that refuses them", false, false },
        { "key", "FILE", "says who reviews, where --as does not", false, false },
        { "expires", "TIME", "end of the approval (default: as long as the policy allows)", false, false },
        {},
};

const struct gbx_command gbx_commands_review[] = {
        { .noun = "review", .verb = "ls", .summary = "list algorithms and held outputs", .run = run_ls },
        { .noun = "review", .verb = "show", .arguments = "RUN", .summary = "show held outputs with the gate's findings",
          .arguments_min = 1, .arguments_max = 1, .action = "review show", .run = run_show },
        { .noun = "review", .verb = "statement", .arguments = "DIGEST",
          .summary = "print the statement that approves an algorithm, for signing",
          .options = statement_options, .arguments_min = 1, .arguments_max = 1, .run = run_statement },
        { .noun = "review", .verb = "approve", .arguments = "DIGEST | RUN",
          .summary = "approve an algorithm with a signature, or let held outputs go",
          .details = "An approval is an SSH signature over algorithm, engine, datasets, purpose, policy and expiry. It is\n"
                     "checked when it is given and again at the start of each run.",
          .options = approve_options, .arguments_min = 1, .arguments_max = 1, .run = run_approve },
        { .noun = "review", .verb = "reject", .arguments = "DIGEST | RUN",
          .summary = "reject an algorithm (and revoke your approval of it), or refuse held outputs",
          .options = (const struct gbx_option[]){ { "reason", "TEXT", "why", true, false },
                  { "key", "FILE", "for held outputs: your SSH private key; gbx runs ssh-keygen to sign", false, false },
                  { "statement", "FILE", "for held outputs: the statement that was signed", false, false },
                  { "signature", "FILE", "for held outputs: its signature", false, false }, {} },
          .arguments_min = 1, .arguments_max = 1, .run = run_reject },
        {},
};
