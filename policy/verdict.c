#include "policy/verdict.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

const char *gbx_outcome_name(enum gbx_outcome outcome) {
        static const char *const words[] = { "allowed", "denied", "release", "hold", "refuse" };

        return words[outcome];
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

int gbx_json_canonical(const json_t *json, struct gbx_buffer *buffer, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

        return text ? gbx_buffer_append_text(buffer, text, err) : gbx_fail_memory(err);
}
