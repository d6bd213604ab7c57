#include "policy/problems.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

int gbx_problems_start(struct gbx_problems *problems, const char *file, struct gbx_error *err) {
        char *copy = strdup(file);

        if (!copy)
                return gbx_fail_memory(err);
        gbx_problems_free(problems);
        problems->file = copy;
        return 0;
}

int gbx_problems_add(struct gbx_problems *problems, size_t line, size_t column, struct gbx_error *err,
                     const char *format, ...) {
        gbx_auto(gbx_free_pointer) char *text = NULL;
        char printable[512];
        va_list args;
        char *copy;
        int length;

        if (problems->count == GBX_PROBLEMS_MAX) {
                problems->left_out++;
                return 0;
        }
        va_start(args, format);
        length = vasprintf(&text, format, args);
        va_end(args);
        if (length < 0) {
                text = NULL; /* vasprintf leaves it undefined */
                return gbx_fail_memory(err);
        }
        gbx_text_printable(text, (size_t)length, printable, sizeof printable);
        copy = strdup(printable);
        if (!copy)
                return gbx_fail_memory(err);
        if (!problems->items) {
                problems->items = calloc(GBX_PROBLEMS_MAX, sizeof *problems->items);
                if (!problems->items) {
                        free(copy);
                        return gbx_fail_memory(err);
                }
        }
        problems->items[problems->count++] = (struct gbx_problem){ line, column, copy };
        return 0;
}

static int compare(const void *a, const void *b) {
        const struct gbx_problem *x = *(const struct gbx_problem *const *)a, *y = *(const struct gbx_problem *const *)b;

        if (x->line != y->line)
                return x->line < y->line ? -1 : 1;
        if (x->column != y->column)
                return x->column < y->column ? -1 : 1;
        return x < y ? -1 : x > y; /* as they were found */
}

/* Pointers to the problems in the order of the file. */
static void sort(const struct gbx_problems *problems, const struct gbx_problem *ret[static GBX_PROBLEMS_MAX]) {
        for (size_t i = 0; i < problems->count; i++)
                ret[i] = problems->items + i;
        if (problems->count)
                qsort(ret, problems->count, sizeof(struct gbx_problem *), compare);
}

static const char *file_name(const struct gbx_problems *problems) {
        return problems->file ? problems->file : "-";
}

int gbx_problems_result(const struct gbx_problems *problems, struct gbx_error *err) {
        const struct gbx_problem *sorted[GBX_PROBLEMS_MAX];
        size_t others = problems->count - 1 + problems->left_out;
        char more[64] = "";

        if (problems->count == 0)
                return 0;
        sort(problems, sorted);
        if (others)
                (void)snprintf(more, sizeof more, " (and %zu more problem%s)", others, others == 1 ? "" : "s");
        return gbx_fail(err, -EINVAL, "%s:%zu:%zu: %s%s", file_name(problems), sorted[0]->line, sorted[0]->column,
                        sorted[0]->message, more);
}

int gbx_problems_text(const struct gbx_problems *problems, struct gbx_buffer *buffer, struct gbx_error *err) {
        const struct gbx_problem *sorted[GBX_PROBLEMS_MAX];
        int r = 0;

        sort(problems, sorted);
        for (size_t i = 0; r >= 0 && i < problems->count; i++)
                r = gbx_buffer_printf(buffer, err, "%s:%zu:%zu: %s\n", file_name(problems), sorted[i]->line,
                                      sorted[i]->column, sorted[i]->message);
        if (r >= 0 && problems->left_out)
                r = gbx_buffer_printf(buffer, err, "%s: %zu more problems\n", file_name(problems), problems->left_out);
        return r < 0 ? r : 0;
}

int gbx_problems_json(const struct gbx_problems *problems, json_t **ret, struct gbx_error *err) {
        const struct gbx_problem *sorted[GBX_PROBLEMS_MAX];
        json_t *list = json_array();

        if (!list)
                return gbx_fail_memory(err);
        sort(problems, sorted);
        for (size_t i = 0; i < problems->count; i++)
                if (json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s}", "file", file_name(problems), "line",
                                                          (json_int_t)sorted[i]->line, "column",
                                                          (json_int_t)sorted[i]->column, "message",
                                                          sorted[i]->message)) < 0) {
                        json_decref(list);
                        return gbx_fail_memory(err);
                }
        *ret = list;
        return 0;
}

void gbx_problems_free(struct gbx_problems *problems) {
        for (size_t i = 0; i < problems->count; i++)
                free(problems->items[i].message);
        free(problems->items);
        free(problems->file);
        *problems = (struct gbx_problems){};
}
