#include "watermark/copy.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "watermark/json.h"

#include <stdlib.h>
#include <string.h>

/* A replacement in the input. */
struct patch {
        size_t from, to;
        const struct gbx_edit *edit;
        bool quoted;
};

static int by_place(const void *a, const void *b) {
        const struct patch *x = a, *y = b;

        return x->from < y->from ? -1 : x->from > y->from;
}

/* The end of a CSV field or of a JSON string that begins with a quote. */
static size_t quoted_end(const char *input, size_t size, size_t at, bool json) {
        for (at++; at < size; at++) {
                if (input[at] == '"' && (json || at + 1 == size || input[at + 1] != '"'))
                        return at + 1;
                if (input[at] == (json ? '\\' : '"'))
                        at++;
        }
        return size;
}

static size_t csv_field_end(const char *input, size_t size, size_t at) {
        if (at < size && input[at] == '"')
                return quoted_end(input, size, at, false);
        while (at < size && input[at] != ',' && input[at] != '\n' && input[at] != '\r')
                at++;
        return at;
}

static size_t json_value_end(const char *input, size_t size, size_t at) {
        if (at < size && input[at] == '"')
                return quoted_end(input, size, at, true);
        while (at < size && !strchr(" \t\r\n,]}", input[at]))
                at++;
        return at;
}

static struct patch locate(const struct gbx_table *table, const struct gbx_view *view, const struct gbx_edit *edit,
                           const char *input, size_t size) {
        size_t column = (size_t)view->columns[edit->column].column, from, to;

        if (table->places) {
                from = table->places[edit->row * table->columns + column];
                to = json_value_end(input, size, from);
        } else {
                from = table->row_offsets[edit->row];
                for (size_t i = 0; i < column; i++)
                        from = csv_field_end(input, size, from) + 1;
                to = csv_field_end(input, size, from);
        }
        return (struct patch){ from, to, edit, from < to && input[from] == '"' };
}

static int write_patch(const struct gbx_table *table, const struct gbx_view *view, const struct patch *patch,
                       struct gbx_buffer *copy, struct gbx_error *err) {
        const struct gbx_edit *edit = patch->edit;
        const char *text = edit->text;
        size_t size = edit->size;

        if (edit->donor)
                text = gbx_table_cell(table, edit->donor - 1, (size_t)view->columns[edit->column].column, &size);
        if (table->places && patch->quoted)
                return gbx_json_write_string(copy, text, size, err);
        if (table->places)
                return gbx_buffer_append(copy, text, size, err);
        return gbx_csv_write_field(copy, text, size, patch->quoted, err);
}

int gbx_copy_with_edits(const struct gbx_table *table, const struct gbx_view *view, const struct gbx_edits *edits,
                        const char *input, size_t size, struct gbx_buffer *copy, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct patch *patches = calloc(edits->count + 1, sizeof *patches);
        size_t at = 0;
        int r;

        if (!patches)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < edits->count; i++)
                patches[i] = locate(table, view, &edits->items[i], input, size);
        if (table->places)
                qsort(patches, edits->count, sizeof *patches, by_place);
        r = gbx_buffer_reserve(copy, size + size / 16 + 64, err);
        for (size_t i = 0; i < edits->count && r >= 0; i++) {
                r = gbx_buffer_append(copy, input + at, patches[i].from - at, err);
                if (r >= 0)
                        r = write_patch(table, view, &patches[i], copy, err);
                at = patches[i].to;
        }
        return r < 0 ? r : gbx_buffer_append(copy, input + at, size - at, err);
}
