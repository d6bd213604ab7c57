#include "policy/approval.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

static const char first_line[] = "glovebox approval v1";

/* The origin of a site as it stands in a log's checkpoint: printable, without spaces. */
static bool site_valid(const char *text) {
        size_t length = strlen(text);

        if (length == 0 || length > GBX_SITE_NAME_MAX)
                return false;
        for (size_t i = 0; i < length; i++)
                if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '+')
                        return false;
        return true;
}

static bool digest_valid(const char *text) {
        uint8_t digest[GBX_SHA256_SIZE];
        char again[GBX_SHA256_TEXT_SIZE];

        if (gbx_sha256_parse(text, digest, NULL) < 0)
                return false;
        gbx_sha256_text(digest, again);
        return strcmp(again, text) == 0; /* lower-case digits only */
}

static int compare_datasets(const void *a, const void *b) {
        const struct gbx_approval_dataset *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static int check(const struct gbx_approval *approval, struct gbx_error *err) {
        if (!site_valid(approval->site))
                return gbx_fail(err, -EINVAL, "approval: the site's name is not valid");
        if (!digest_valid(approval->algorithm) || !digest_valid(approval->policy))
                return gbx_fail(err, -EINVAL, "approval: algorithm and policy are named by digest");
        if (approval->engine >= GBX_ENGINE_COUNT)
                return gbx_fail(err, -EINVAL, "approval: unknown engine");
        if (!gbx_name_valid(approval->purpose) || !gbx_name_valid(approval->reviewer))
                return gbx_fail(err, -EINVAL, "approval: purpose and reviewer must be names");
        if (approval->dataset_count == 0 || approval->dataset_count > GBX_APPROVAL_MAX_DATASETS)
                return gbx_fail(err, -EINVAL, "approval: 1 to %d datasets are wanted", GBX_APPROVAL_MAX_DATASETS);
        for (size_t i = 0; i < approval->dataset_count; i++)
                if (!gbx_name_valid(approval->datasets[i].name) || !digest_valid(approval->datasets[i].digest))
                        return gbx_fail(err, -EINVAL, "approval: a dataset is a name, a version and a digest");
        return 0;
}

int gbx_approval_text(const struct gbx_approval *approval, struct gbx_buffer *buffer, struct gbx_error *err) {
        struct gbx_approval_dataset datasets[GBX_APPROVAL_MAX_DATASETS];
        char expires[GBX_TIME_TEXT_SIZE];
        size_t count = approval->dataset_count;
        int r = check(approval, err);

        if (r < 0)
                return r;
        memcpy(datasets, approval->datasets, count * sizeof *datasets);
        qsort(datasets, count, sizeof *datasets, compare_datasets);
        for (size_t i = 1; i < count; i++)
                if (strcmp(datasets[i - 1].name, datasets[i].name) == 0)
                        return gbx_fail(err, -EINVAL, "approval: the dataset '%s' stands twice", datasets[i].name);
        gbx_time_text(approval->expires, expires);
        r = gbx_buffer_printf(buffer, err, "%s\nsite: %s\ndecision: approve\nalgorithm: %s\nengine: %s\n", first_line,
                              approval->site, approval->algorithm, gbx_engine_name(approval->engine));
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = gbx_buffer_printf(buffer, err, "dataset: %s %llu %s\n", datasets[i].name,
                                      (unsigned long long)datasets[i].version, datasets[i].digest);
        return r < 0 ? r :
                       gbx_buffer_printf(buffer, err, "purpose: %s\npolicy: %s\nreviewer: %s\nexpires: %s\n",
                                         approval->purpose, approval->policy, approval->reviewer, expires);
}

/* Reads the text line by line; every line is "key: value" with a key that is due. */
struct lines {
        const char *next;
        size_t left;
        unsigned number;
        char key[16];
        char value[512];
};

static int next_line(struct lines *lines, struct gbx_error *err) {
        const char *end = lines->left ? memchr(lines->next, '\n', lines->left) : NULL, *colon;
        size_t length;

        lines->number++;
        if (!end)
                return gbx_fail(err, -EINVAL, "approval statement, line %u: the text ends too early", lines->number);
        length = (size_t)(end - lines->next);
        colon = memchr(lines->next, ':', length);
        if (memchr(lines->next, '\0', length) || !colon || (size_t)(colon - lines->next) >= sizeof lines->key ||
            (size_t)(end - colon) < 3 || colon[1] != ' ' || (size_t)(end - colon) - 2 >= sizeof lines->value)
                return gbx_fail(err, -EINVAL, "approval statement, line %u: not of the form 'key: value'", lines->number);
        (void)snprintf(lines->key, sizeof lines->key, "%.*s", (int)(colon - lines->next), lines->next);
        (void)snprintf(lines->value, sizeof lines->value, "%.*s", (int)(end - colon - 2), colon + 2);
        lines->left -= length + 1;
        lines->next = end + 1;
        return 0;
}

static int wrong(const struct lines *lines, struct gbx_error *err) {
        return gbx_fail(err, -EINVAL, "approval statement, line %u: the value of '%s' is not valid", lines->number,
                        lines->key);
}

static int expect(struct lines *lines, const char *key, char *ret, size_t size, struct gbx_error *err) {
        int r = next_line(lines, err);

        if (r < 0)
                return r;
        if (strcmp(lines->key, key) != 0)
                return gbx_fail(err, -EINVAL, "approval statement, line %u: '%s' is due", lines->number, key);
        if (strlen(lines->value) >= size)
                return wrong(lines, err);
        memcpy(ret, lines->value, strlen(lines->value) + 1);
        return 0;
}

static int parse_dataset(struct lines *lines, struct gbx_approval_dataset *ret, struct gbx_error *err) {
        char *rest = lines->value, *name = strsep(&rest, " "), *version = strsep(&rest, " "), *digest = rest;

        if (!name || !version || !digest || strlen(name) >= sizeof ret->name || strlen(digest) >= sizeof ret->digest ||
            gbx_parse_u64(version, &ret->version, NULL) < 0)
                return wrong(lines, err);
        memcpy(ret->name, name, strlen(name) + 1);
        memcpy(ret->digest, digest, strlen(digest) + 1);
        return 0;
}

/* Reads the dataset lines and the line behind them, which must be the purpose. */
static int parse_datasets(struct lines *lines, struct gbx_approval *ret, struct gbx_error *err) {
        for (;;) {
                int r = next_line(lines, err);

                if (r < 0)
                        return r;
                if (strcmp(lines->key, "purpose") == 0) {
                        if (strlen(lines->value) >= sizeof ret->purpose)
                                return wrong(lines, err);
                        memcpy(ret->purpose, lines->value, strlen(lines->value) + 1);
                        return 0;
                }
                if (strcmp(lines->key, "dataset") != 0 || ret->dataset_count == GBX_APPROVAL_MAX_DATASETS)
                        return gbx_fail(err, -EINVAL, "approval statement, line %u: 'dataset' or 'purpose' is due", lines->number);
                r = parse_dataset(lines, ret->datasets + ret->dataset_count, err);
                if (r < 0)
                        return r;
                ret->dataset_count++;
        }
}

static int parse_lines(struct lines *lines, struct gbx_approval *ret, struct gbx_error *err) {
        char decision[16], engine[16], expires[GBX_TIME_TEXT_SIZE];
        int r = expect(lines, "site", ret->site, sizeof ret->site, err), number;

        if (r >= 0)
                r = expect(lines, "decision", decision, sizeof decision, err);
        if (r >= 0 && strcmp(decision, "approve") != 0)
                r = wrong(lines, err);
        if (r >= 0)
                r = expect(lines, "algorithm", ret->algorithm, sizeof ret->algorithm, err);
        if (r >= 0)
                r = expect(lines, "engine", engine, sizeof engine, err);
        if (r < 0)
                return r;
        number = gbx_engine_parse(engine);
        if (number < 0)
                return wrong(lines, err);
        ret->engine = (enum gbx_engine)number;
        r = parse_datasets(lines, ret, err);
        if (r >= 0)
                r = expect(lines, "policy", ret->policy, sizeof ret->policy, err);
        if (r >= 0)
                r = expect(lines, "reviewer", ret->reviewer, sizeof ret->reviewer, err);
        if (r >= 0)
                r = expect(lines, "expires", expires, sizeof expires, err);
        return r < 0 ? r : gbx_time_parse(expires, &ret->expires, err);
}

int gbx_approval_parse(const char *text, size_t size, struct gbx_approval *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};
        gbx_auto(gbx_free_pointer) struct gbx_approval *approval = calloc(1, sizeof *approval);
        size_t first = strlen(first_line);
        struct lines lines;
        int r;

        if (!approval)
                return gbx_fail_memory(err);
        if (size > GBX_APPROVAL_MAX_BYTES)
                return gbx_fail(err, -EINVAL, "the approval statement is longer than %d bytes", GBX_APPROVAL_MAX_BYTES);
        if (size <= first || memcmp(text, first_line, first) != 0 || text[first] != '\n')
                return gbx_fail(err, -EINVAL, "this is not an approval statement (its first line would be '%s')", first_line);
        lines = (struct lines){ .next = text + first + 1, .left = size - first - 1, .number = 1 };
        r = parse_lines(&lines, approval, err);
        if (r >= 0)
                r = gbx_approval_text(approval, &again, err);
        if (r < 0)
                return r;
        /* One meaning, one text: whatever the loose reading above let through ends here. */
        if (again.size != size || memcmp(gbx_buffer_text(&again), text, size) != 0)
                return gbx_fail(err, -EINVAL, "the approval statement is not in its canonical form");
        *ret = *approval;
        return 0;
}
