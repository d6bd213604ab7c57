/* Identifiers of a dataset: the values of the columns asked for, as hashes under the key that was given. */
#include "base/cleanup.h"
#include "base/csv.h"
#include "gateway/egress/tokens.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/program/verbs.h"

#include <string.h>

/* What was asked for, from the frames of `extra`. */
struct question {
        struct gbx_tokens *tokens;
        struct gbx_frame *columns;
        size_t count;
};

static void free_question(struct question *question) {
        question->tokens = gbx_tokens_free(question->tokens);
        free(question->columns);
}

static int take(struct question *question, const struct gbx_frame *frame, struct gbx_error *err) {
        struct gbx_frame *columns;

        if (frame->kind == GBX_FRAME_KEY && frame->size == GBX_TOKENS_KEY && !question->tokens)
                return gbx_tokens_new_with_key(&question->tokens, frame->data, err);
        if (frame->kind != GBX_FRAME_COLUMN || frame->size < 1)
                return gbx_fail(err, -EIO, "the question to gbx-parse makes no sense");
        columns = reallocarray(question->columns, question->count + 1, sizeof *columns);
        if (!columns)
                return gbx_fail_memory(err);
        question->columns = columns;
        columns[question->count++] = *frame;
        return 0;
}

static int read_question(const struct gbx_bytes *extra, struct question *question, struct gbx_error *err) {
        struct gbx_frames frames = { extra->data, extra->size };
        struct gbx_frame frame;
        int r;

        while ((r = gbx_frames_next(&frames, &frame, err)) > 0) {
                r = take(question, &frame, err);
                if (r < 0)
                        return r;
        }
        return r == 0 && !question->tokens ? gbx_fail(err, -EIO, "the question to gbx-parse has no key") : r;
}

/* For each field of the header, whether its column identifies somebody. A column that the schema does not know might: refused. */
static int choose_columns(const struct question *question, const struct gbx_csv_row *header, bool *chosen, struct gbx_error *err) {
        for (size_t i = 0; i < header->count; i++) {
                const struct gbx_csv_field *field = &header->fields[i];
                size_t k = 0;

                while (k < question->count && (question->columns[k].size - 1 != field->size ||
                                               memcmp(question->columns[k].data + 1, field->data, field->size) != 0))
                        k++;
                if (k == question->count)
                        return gbx_fail(err, -EBADMSG, "column %zu is not in the schema", i + 1);
                chosen[i] = question->columns[k].data[0];
        }
        return 0;
}

static int read_values(const struct question *question, const struct gbx_bytes *bytes, struct gbx_error *err) {
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        gbx_auto(gbx_free_pointer) bool *chosen = NULL;
        struct gbx_csv_row row;
        int r = gbx_csv_new_memory(&csv, bytes->data, bytes->size, &(struct gbx_csv_options){}, err);

        if (r >= 0)
                r = gbx_csv_next(csv, &row, err);
        if (r <= 0)
                return r < 0 ? r : gbx_fail(err, -EBADMSG, "no header");
        chosen = calloc(row.count, sizeof *chosen);
        if (!chosen)
                return gbx_fail_memory(err);
        r = choose_columns(question, &row, chosen, err);
        while (r >= 0 && (r = gbx_csv_next(csv, &row, err)) > 0)
                for (size_t i = 0; i < row.count && r >= 0; i++)
                        if (chosen[i])
                                r = gbx_tokens_add(question->tokens, row.fields[i].data, row.fields[i].size, err);
        return r == -E2BIG ? gbx_fail(err, -EDQUOT, "more than %d identifiers to look for", GBX_TOKENS_MAX) : r;
}

int gbx_verb_values(const struct gbx_verb_input *input, struct gbx_error *err) {
        gbx_auto(free_question) struct question question = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};
        int r = read_question(&input->extra, &question, err);

        if (r == 0)
                r = read_values(&question, &input->bytes, err);
        if (r == 0)
                r = gbx_tokens_export(question.tokens, &found, err);
        return r < 0 ? r : gbx_frame_write(input->out, GBX_FRAME_VALUES, &(struct gbx_bytes){ found.data, found.size }, 1, err);
}
