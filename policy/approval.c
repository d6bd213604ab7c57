#include "policy/approval.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

static const char first_line[] = "glovebox approval v2";

static int compare_datasets(const void *a, const void *b) {
        const struct gbx_approval_dataset *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static int check(const struct gbx_approval *approval, struct gbx_error *err) {
        if (!gbx_statement_site_valid(approval->site))
                return gbx_fail(err, -EINVAL, "approval: the site's name is not valid");
        if (!gbx_statement_digest_valid(approval->algorithm) || !gbx_statement_digest_valid(approval->policy))
                return gbx_fail(err, -EINVAL, "approval: algorithm and policy are named by digest");
        if (approval->engine >= GBX_ENGINE_COUNT)
                return gbx_fail(err, -EINVAL, "approval: unknown engine");
        if (!gbx_name_valid(approval->purpose) || !gbx_name_valid(approval->reviewer))
                return gbx_fail(err, -EINVAL, "approval: purpose and reviewer must be names");
        if (!gbx_statement_nonce_valid(approval->nonce))
                return gbx_fail(err, -EINVAL, "approval: the nonce must be %d lower-case hexadecimal digits", 2 * GBX_NONCE_SIZE);
        if (approval->dataset_count == 0 || approval->dataset_count > GBX_APPROVAL_MAX_DATASETS)
                return gbx_fail(err, -EINVAL, "approval: 1 to %d datasets are wanted", GBX_APPROVAL_MAX_DATASETS);
        for (size_t i = 0; i < approval->dataset_count; i++)
                if (!gbx_name_valid(approval->datasets[i].name) || !gbx_statement_digest_valid(approval->datasets[i].digest))
                        return gbx_fail(err, -EINVAL, "approval: a dataset is a name, a version and a digest");
        return 0;
}

int gbx_approval_text(const struct gbx_approval *approval, struct gbx_buffer *buffer, struct gbx_error *err) {
        struct gbx_approval_dataset datasets[GBX_APPROVAL_MAX_DATASETS];
        char made[GBX_TIME_TEXT_SIZE], expires[GBX_TIME_TEXT_SIZE];
        size_t count = approval->dataset_count;
        int r = check(approval, err);

        if (r < 0)
                return r;
        memcpy(datasets, approval->datasets, count * sizeof *datasets);
        qsort(datasets, count, sizeof *datasets, compare_datasets);
        for (size_t i = 1; i < count; i++)
                if (strcmp(datasets[i - 1].name, datasets[i].name) == 0)
                        return gbx_fail(err, -EINVAL, "approval: the dataset '%s' stands twice", datasets[i].name);
        gbx_time_text(approval->made, made);
        gbx_time_text(approval->expires, expires);
        r = gbx_buffer_printf(buffer, err, "%s\nsite: %s\ndecision: approve\nalgorithm: %s\nengine: %s\n", first_line,
                              approval->site, approval->algorithm, gbx_engine_name(approval->engine));
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = gbx_buffer_printf(buffer, err, "dataset: %s %llu %s\n", datasets[i].name,
                                      (unsigned long long)datasets[i].version, datasets[i].digest);
        return r < 0 ? r :
                       gbx_buffer_printf(buffer, err, "purpose: %s\npolicy: %s\nreviewer: %s\nmade: %s\nexpires: %s\nnonce: %s\n",
                                         approval->purpose, approval->policy, approval->reviewer, made, expires, approval->nonce);
}

static int parse_dataset(struct gbx_statement_reader *lines, struct gbx_approval_dataset *ret, struct gbx_error *err) {
        char *rest = lines->value, *name = strsep(&rest, " "), *version = strsep(&rest, " "), *digest = rest;

        if (!name || !version || !digest || strlen(name) >= sizeof ret->name || strlen(digest) >= sizeof ret->digest ||
            gbx_parse_u64(version, &ret->version, NULL) < 0)
                return gbx_statement_wrong(lines, err);
        memcpy(ret->name, name, strlen(name) + 1);
        memcpy(ret->digest, digest, strlen(digest) + 1);
        return 0;
}

/* Reads the dataset lines and the line behind them, which must be the purpose. */
static int parse_datasets(struct gbx_statement_reader *lines, struct gbx_approval *ret, struct gbx_error *err) {
        for (;;) {
                int r = gbx_statement_next(lines, err);

                if (r < 0)
                        return r;
                if (strcmp(lines->key, "purpose") == 0)
                        return gbx_statement_take(lines, ret->purpose, sizeof ret->purpose, err);
                if (strcmp(lines->key, "dataset") != 0 || ret->dataset_count == GBX_APPROVAL_MAX_DATASETS)
                        return gbx_fail(err, -EINVAL, "approval statement, line %u: 'dataset' or 'purpose' is due", lines->number);
                r = parse_dataset(lines, ret->datasets + ret->dataset_count, err);
                if (r < 0)
                        return r;
                ret->dataset_count++;
        }
}

static int parse_lines(struct gbx_statement_reader *lines, struct gbx_approval *ret, struct gbx_error *err) {
        char decision[16], engine[16];
        int r = gbx_statement_expect(lines, "site", ret->site, sizeof ret->site, err), number;

        if (r >= 0)
                r = gbx_statement_expect(lines, "decision", decision, sizeof decision, err);
        if (r >= 0 && strcmp(decision, "approve") != 0)
                r = gbx_statement_wrong(lines, err);
        if (r >= 0)
                r = gbx_statement_expect(lines, "algorithm", ret->algorithm, sizeof ret->algorithm, err);
        if (r >= 0)
                r = gbx_statement_expect(lines, "engine", engine, sizeof engine, err);
        if (r < 0)
                return r;
        number = gbx_engine_parse(engine);
        if (number < 0)
                return gbx_statement_wrong(lines, err);
        ret->engine = (enum gbx_engine)number;
        r = parse_datasets(lines, ret, err);
        if (r >= 0)
                r = gbx_statement_expect(lines, "policy", ret->policy, sizeof ret->policy, err);
        if (r >= 0)
                r = gbx_statement_expect(lines, "reviewer", ret->reviewer, sizeof ret->reviewer, err);
        if (r >= 0)
                r = gbx_statement_expect_time(lines, "made", &ret->made, err);
        if (r >= 0)
                r = gbx_statement_expect_time(lines, "expires", &ret->expires, err);
        return r < 0 ? r : gbx_statement_expect(lines, "nonce", ret->nonce, sizeof ret->nonce, err);
}

int gbx_approval_parse(const char *text, size_t size, struct gbx_approval *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};
        gbx_auto(gbx_free_pointer) struct gbx_approval *approval = calloc(1, sizeof *approval);
        struct gbx_statement_reader lines;
        int r;

        if (!approval)
                return gbx_fail_memory(err);
        r = gbx_statement_start(&lines, "approval statement", first_line, text, size, err);
        if (r >= 0)
                r = parse_lines(&lines, approval, err);
        if (r >= 0)
                r = gbx_approval_text(approval, &again, err);
        if (r >= 0)
                r = gbx_statement_canonical(&lines, &again, text, size, err);
        if (r < 0)
                return r;
        *ret = *approval;
        return 0;
}
