/* The pattern matcher: the input is "pattern\nsubject". No overrun, matches lie within the subject, and
 * the step budget ends every match. */
#include "runtime/engine/pattern.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int charge(void *context, uint64_t steps) {
        uint64_t *left = context;

        if (steps > *left)
                return -1;
        *left -= steps;
        return 0;
}

static void check(const struct gbx_pattern_match *match, size_t from, size_t size) {
        if (match->start < from || match->end < match->start || match->end > size)
                abort();
        for (size_t i = 0; i < match->count; i++)
                if (match->captures[i].start > match->end || match->captures[i].size > match->end - match->captures[i].start)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *)data;
        const char *newline = size ? memchr(text, '\n', size) : NULL;
        size_t pattern_size = newline ? (size_t)(newline - text) : size;
        size_t rest = newline ? size - pattern_size - 1 : 0;
        uint64_t left = 100000;
        struct gbx_pattern pattern;
        struct gbx_pattern_match match;
        void *space = malloc(gbx_pattern_space(pattern_size));
        char *subject = malloc(rest + 1);

        if (!space || !subject)
                abort();
        if (rest)
                memcpy(subject, newline + 1, rest);
        if (gbx_pattern_compile(&pattern, text, pattern_size, true, space, NULL) == 0) {
                pattern.charge = charge;
                pattern.context = &left;
                for (size_t from = 0; from <= rest && from < 8; from++)
                        if (gbx_pattern_find(&pattern, subject, rest, from, from & 1, &match) > 0)
                                check(&match, from, rest);
        }
        free(space);
        free(subject);
        return 0;
}
