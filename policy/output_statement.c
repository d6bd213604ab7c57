#include "policy/output_statement.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char first_line[] = "glovebox output decision v1";
static const char *const decision_words[] = { [GBX_OUTPUT_APPROVE] = "approve", [GBX_OUTPUT_REJECT] = "reject" };

static int check(const struct gbx_output_statement *statement, struct gbx_error *err) {
        const struct {
                const char *what;
                bool good;
        } checks[] = {
                { "site", gbx_statement_site_valid(statement->site) },
                { "run", gbx_name_valid(statement->run) },
                { "decision", statement->decision == GBX_OUTPUT_APPROVE || statement->decision == GBX_OUTPUT_REJECT },
                { "outputs", gbx_statement_digest_valid(statement->outputs) },
                { "findings", gbx_statement_digest_valid(statement->findings) },
                { "recipient", gbx_name_valid(statement->recipient) },
                { "policy", gbx_statement_digest_valid(statement->policy) },
                { "reason", gbx_statement_digest_valid(statement->reason) },
                { "reviewer", gbx_name_valid(statement->reviewer) },
                { "nonce", gbx_statement_nonce_valid(statement->nonce) },
        };

        for (size_t i = 0; i < gbx_array_size(checks); i++)
                if (!checks[i].good)
                        return gbx_fail(err, -EINVAL, "output statement: the value of '%s' is not valid", checks[i].what);
        return 0;
}

int gbx_output_statement_text(const struct gbx_output_statement *statement, struct gbx_buffer *buffer, struct gbx_error *err) {
        char made[GBX_TIME_TEXT_SIZE];
        int r = check(statement, err);

        if (r < 0)
                return r;
        gbx_time_text(statement->made, made);
        return gbx_buffer_printf(buffer, err,
                                 "%s\nsite: %s\nrun: %s\ndecision: %s\noutputs: %s\nfindings: %s\nrecipient: %s\npolicy: %s\n"
                                 "reason: %s\nreviewer: %s\nmade: %s\nnonce: %s\n",
                                 first_line, statement->site, statement->run, decision_words[statement->decision],
                                 statement->outputs, statement->findings, statement->recipient, statement->policy,
                                 statement->reason, statement->reviewer, made, statement->nonce);
}

static int parse_lines(struct gbx_statement_reader *reader, struct gbx_output_statement *ret, struct gbx_error *err) {
        char decision[16];
        const struct {
                const char *key;
                char *place;
                size_t size;
        } before[] = {
                { "site", ret->site, sizeof ret->site },
                { "run", ret->run, sizeof ret->run },
                { "decision", decision, sizeof decision },
        }, behind[] = {
                { "outputs", ret->outputs, sizeof ret->outputs },
                { "findings", ret->findings, sizeof ret->findings },
                { "recipient", ret->recipient, sizeof ret->recipient },
                { "policy", ret->policy, sizeof ret->policy },
                { "reason", ret->reason, sizeof ret->reason },
                { "reviewer", ret->reviewer, sizeof ret->reviewer },
        };
        int r = 0;

        for (size_t i = 0; i < gbx_array_size(before) && r >= 0; i++)
                r = gbx_statement_expect(reader, before[i].key, before[i].place, before[i].size, err);
        if (r < 0)
                return r;
        if (strcmp(decision, decision_words[GBX_OUTPUT_APPROVE]) == 0)
                ret->decision = GBX_OUTPUT_APPROVE;
        else if (strcmp(decision, decision_words[GBX_OUTPUT_REJECT]) == 0)
                ret->decision = GBX_OUTPUT_REJECT;
        else
                return gbx_statement_wrong(reader, err);
        for (size_t i = 0; i < gbx_array_size(behind) && r >= 0; i++)
                r = gbx_statement_expect(reader, behind[i].key, behind[i].place, behind[i].size, err);
        if (r >= 0)
                r = gbx_statement_expect_time(reader, "made", &ret->made, err);
        return r < 0 ? r : gbx_statement_expect(reader, "nonce", ret->nonce, sizeof ret->nonce, err);
}

int gbx_output_statement_parse(const char *text, size_t size, struct gbx_output_statement *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};
        struct gbx_output_statement statement = {};
        struct gbx_statement_reader reader;
        int r = gbx_statement_start(&reader, "output statement", first_line, text, size, err);

        if (r >= 0)
                r = parse_lines(&reader, &statement, err);
        if (r >= 0)
                r = gbx_output_statement_text(&statement, &again, err);
        if (r >= 0)
                r = gbx_statement_canonical(&reader, &again, text, size, err);
        if (r < 0)
                return r;
        *ret = statement;
        return 0;
}

/* --- the digest of all outputs ------------------------------------------------- */

static int compare_items(const void *a, const void *b) {
        const struct gbx_output_item *x = a, *y = b;

        return strcmp(x->name, y->name);
}

int gbx_outputs_digest(const struct gbx_output_item *items, size_t count, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                       struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_output_item *sorted = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

        if (count == 0)
                return gbx_fail(err, -EINVAL, "there are no outputs");
        for (size_t i = 0; i < count; i++)
                if (!gbx_name_valid(items[i].name) || !gbx_statement_digest_valid(items[i].digest))
                        return gbx_fail(err, -EINVAL, "an output is a name and a digest");
        sorted = reallocarray(NULL, count, sizeof *sorted);
        if (!sorted)
                return gbx_fail_memory(err);
        memcpy(sorted, items, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_items);
        for (size_t i = 0; i < count; i++) {
                int r = gbx_buffer_printf(&text, err, "%s %s\n", sorted[i].digest, sorted[i].name);

                if (r < 0)
                        return r;
                if (i > 0 && strcmp(sorted[i - 1].name, sorted[i].name) == 0)
                        return gbx_fail(err, -EINVAL, "the output '%s' stands twice", sorted[i].name);
        }
        gbx_sha256_text_of(text.data, text.size, ret_digest);
        return 0;
}
