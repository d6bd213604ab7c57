#include "policy/verdict.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

static const char *const outcomes[] = { "allowed", "denied", "release", "hold", "refuse" };

/* Every code that a decision can give (decision.h, decision_outputs.h). */
static const char *const codes[] = {
        "no-policy", "purpose", "role", "engine", "no-dataset", "dataset-not-covered", "dataset-unavailable",
        "dataset-repeated", "parameters", "too-few-approvals", "approved",
        "approval-signature", "approval-statement", "approval-site", "approval-algorithm", "approval-engine",
        "approval-dataset", "approval-purpose", "approval-policy", "approval-reviewer", "approval-role",
        "approval-submitter", "approval-expired", "approval-too-long", "approval-revoked", "approval-key",
        "approval-repeated", "approval-before-key", "approval-requester", "approval-replayed", "approval-made",
        "withdrawn", "recipient", "no-output", "findings-failed", "findings-review", "opaque-output", "declared-counts",
        "held-always", "checks-passed",
        "too-few-reviews", "outputs-rejected", "outputs-approved",
        "review-signature", "review-statement", "review-site", "review-run", "review-outputs", "review-findings",
        "review-recipient", "review-policy", "review-reviewer", "review-made", "review-role", "review-key",
        "review-before-key", "review-requester", "review-submitter", "review-withdrawn", "review-replayed", "review-repeated",
};

const char *gbx_outcome_name(enum gbx_outcome outcome) {
        return outcomes[outcome];
}

void gbx_verdict_free(struct gbx_verdict *verdict) {
        for (size_t i = 0; i < verdict->count; i++)
                free(verdict->reasons[i].text);
        free(verdict->reasons);
        *verdict = (struct gbx_verdict){};
}

int gbx_verdict_add(struct gbx_verdict *verdict, struct gbx_error *err, const char *code, const char *format, ...) {
        char raw[768], text[768];
        struct gbx_reason *grown;
        va_list args;
        char *copy;

        va_start(args, format);
        (void)vsnprintf(raw, sizeof raw, format, args);
        va_end(args);
        gbx_text_printable(raw, strlen(raw), text, sizeof text);
        copy = strdup(text);
        grown = reallocarray(verdict->reasons, verdict->count + 1, sizeof *grown);
        if (grown)
                verdict->reasons = grown;
        if (!copy || !grown) {
                free(copy);
                return gbx_fail_memory(err);
        }
        verdict->reasons[verdict->count++] = (struct gbx_reason){ code, copy };
        return 0;
}

int gbx_verdict_json(const struct gbx_verdict *verdict, json_t **ret, struct gbx_error *err) {
        json_t *reasons = json_array(), *object;

        for (size_t i = 0; i < verdict->count; i++)
                if (json_array_append_new(reasons, json_pack("{s:s, s:s}", "code", verdict->reasons[i].code, "text",
                                                             verdict->reasons[i].text)) < 0) {
                        json_decref(reasons);
                        return gbx_fail_memory(err);
                }
        object = json_pack("{s:s, s:o}", "outcome", gbx_outcome_name(verdict->outcome), "reasons", reasons);
        if (!object)
                return gbx_fail_memory(err);
        *ret = object;
        return 0;
}

static int find(const char *const *words, size_t count, const char *word) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(words[i], word) == 0)
                        return (int)i;
        return -EINVAL;
}

static int read_reason(json_t *json, struct gbx_verdict *verdict, struct gbx_error *err) {
        const char *code, *text;
        int index;

        if (json_unpack(json, "{s:s, s:s !}", "code", &code, "text", &text) < 0)
                return gbx_fail(err, -EINVAL, "verdict: a reason is malformed");
        index = find(codes, gbx_array_size(codes), code);
        if (index < 0)
                return gbx_fail(err, -EINVAL, "verdict: unknown reason code");
        return gbx_verdict_add(verdict, err, codes[index], "%s", text);
}

int gbx_verdict_from_json(const json_t *json, struct gbx_verdict *ret, struct gbx_error *err) {
        gbx_auto(gbx_verdict_free) struct gbx_verdict verdict = {};
        const char *outcome;
        json_t *reasons, *item;
        size_t index;
        int number;

        if (json_unpack((json_t *)(uintptr_t)json, "{s:s, s:o !}", "outcome", &outcome, "reasons", &reasons) < 0 ||
            !json_is_array(reasons))
                return gbx_fail(err, -EINVAL, "verdict: {\"outcome\", \"reasons\"} is wanted");
        number = find(outcomes, gbx_array_size(outcomes), outcome);
        if (number < 0)
                return gbx_fail(err, -EINVAL, "verdict: unknown outcome");
        json_array_foreach(reasons, index, item) {
                int r = read_reason(item, &verdict, err);

                if (r < 0)
                        return r;
        }
        verdict.outcome = (enum gbx_outcome)number;
        gbx_verdict_move(&verdict, ret);
        return 0;
}

int gbx_json_canonical(const json_t *json, struct gbx_buffer *buffer, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

        return text ? gbx_buffer_append_text(buffer, text, err) : gbx_fail_memory(err);
}
