#include "gateway/cli/answer.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <libsmartcols/libsmartcols.h>
#include <string.h>

enum { CELL_SIZE = 400, DIGEST_DIGITS = 12 };

void gbx_answer_print_json(const json_t *value) {
        (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        putchar('\n');
}

json_t *gbx_answer_error(const struct gbx_error *err, int exit, const json_t *problems) {
        char text[4 * sizeof err->message];

        gbx_text_printable(err->message, strlen(err->message), text, sizeof text);
        return json_pack("{s:s, s:i, s:O*}", "error", text, "exit", exit, "problems", problems);
}

/* --- values as text --------------------------------------------------------------- */

/* A list of texts as "a, b"; NULL for anything else. */
static char *join_texts(const json_t *list) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        size_t index;
        json_t *item;

        if (!json_is_array(list))
                return NULL;
        json_array_foreach(list, index, item)
                if (!json_is_string(item) || gbx_buffer_printf(&text, NULL, "%s%s", index ? ", " : "", json_string_value(item)) < 0)
                        return NULL;
        return strdup(gbx_buffer_text(&text));
}

/* The text of a value, safe for a terminal; the caller frees it. */
static char *value_text(const json_t *value) {
        gbx_auto(gbx_free_pointer) char *made = NULL;
        const char *raw = json_string_value(value);
        size_t size;
        char *text;

        if (!value || json_is_null(value))
                raw = "-";
        if (!raw)
                raw = made = join_texts(value);
        if (!raw)
                raw = made = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(5));
        if (!raw)
                raw = "?";
        size = 4 * strlen(raw) + 1;
        text = malloc(size);
        if (text)
                gbx_text_printable(raw, strlen(raw), text, size);
        return text;
}

static const json_t *member(const json_t *value, const char *path, size_t length) {
        while (value && length > 0) {
                size_t part = strcspn(path, ".");
                char name[64];

                if (part > length)
                        part = length;
                (void)snprintf(name, sizeof name, "%.*s", (int)part, path);
                value = json_object_get(value, name);
                part += part < length;
                path += part;
                length -= part;
        }
        return value;
}

int gbx_answer_fill(const char *text, const json_t *value, struct gbx_buffer *ret, struct gbx_error *err) {
        while (*text) {
                size_t plain = strcspn(text, "{"), length;
                gbx_auto(gbx_free_pointer) char *filled = NULL;
                int r = gbx_buffer_append(ret, text, plain, err);

                text += plain;
                if (r < 0 || !*text)
                        return r;
                length = strcspn(text + 1, "}");
                filled = value_text(member(value, text + 1, length));
                r = filled ? gbx_buffer_append_text(ret, filled, err) : gbx_fail_memory(err);
                if (r < 0)
                        return r;
                text += 1 + length + (text[1 + length] == '}');
        }
        return 0;
}

static bool holds(const json_t *answer, const char *when) {
        bool turned = when && *when == '!';
        const json_t *value = when ? member(answer, when + turned, strlen(when + turned)) : NULL;
        bool there = value && !json_is_null(value) && !json_is_false(value) && !(json_is_string(value) && json_string_length(value) == 0) &&
                     !(json_is_array(value) && json_array_size(value) == 0) && !(json_is_object(value) && json_object_size(value) == 0) &&
                     !(json_is_integer(value) && json_integer_value(value) == 0);

        return !when || there != turned;
}

/* --- parts -------------------------------------------------------------------------- */

static void unref_table(struct libscols_table **table) {
        scols_unref_table(*table);
}

static int set_cell(struct libscols_line *line, size_t place, const json_t *value, enum gbx_column_kind kind, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *text = value_text(value);

        if (!text)
                return gbx_fail_memory(err);
        if (kind == GBX_COLUMN_DIGEST && strncmp(text, "sha256:", 7) == 0)
                text[7 + DIGEST_DIGITS] = '\0';
        else if (strlen(text) > CELL_SIZE)
                text[CELL_SIZE] = '\0';
        return scols_line_set_data(line, place, text) < 0 ? gbx_fail_memory(err) : 0;
}

/* Of lists that have lines of their own, line `number`; of everything else the first line is all there is. */
static const json_t *cell(const json_t *row, const struct gbx_column *column, size_t number) {
        static json_t *empty;
        const json_t *value = json_object_get(row, column->name);

        if (column->kind == GBX_COLUMN_LINES && json_is_array(value))
                return json_array_get(value, number);
        if (number == 0)
                return value;
        if (!empty)
                empty = json_string("");
        return empty;
}

static size_t count_lines(const json_t *row, const struct gbx_column *columns) {
        size_t lines = 1;

        for (const struct gbx_column *c = columns; c->name; c++)
                if (c->title && c->kind == GBX_COLUMN_LINES && json_array_size(json_object_get(row, c->name)) > lines)
                        lines = json_array_size(json_object_get(row, c->name));
        return lines;
}

static int fill_line(struct libscols_table *table, const json_t *row, const struct gbx_column *columns, size_t number,
                     struct gbx_error *err) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        size_t place = 0;

        if (!line)
                return gbx_fail_memory(err);
        for (const struct gbx_column *c = columns; c->name; c++) {
                int r = c->title ? set_cell(line, place++, cell(row, c, number), c->kind, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int fill_table(struct libscols_table *table, const json_t *rows, const struct gbx_column *columns, struct gbx_error *err) {
        size_t index;
        json_t *row;

        for (const struct gbx_column *c = columns; c->name; c++)
                if (c->title && !scols_table_new_column(table, c->title, 0, c->kind == GBX_COLUMN_NUMBER ? SCOLS_FL_RIGHT : 0))
                        return gbx_fail_memory(err);
        json_array_foreach(rows, index, row) {
                size_t lines = count_lines(row, columns);

                for (size_t number = 0; number < lines; number++) {
                        int r = fill_line(table, row, columns, number, err);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* A row for each object that the rows hold in `each`, with what the row itself says beside it. */
static json_t *spread(const json_t *rows, const char *each) {
        json_t *spread_rows = json_array(), *row, *inner;
        size_t i, k;

        json_array_foreach(rows, i, row)
                json_array_foreach(json_object_get(row, each), k, inner) {
                        json_t *copy = json_copy(row);

                        (void)json_object_update(copy, inner);
                        (void)json_array_append_new(spread_rows, copy);
                }
        return spread_rows;
}

static int print_rows(const struct gbx_part *part, const json_t *answer, struct gbx_error *err) {
        gbx_auto(unref_table) struct libscols_table *table = NULL;
        gbx_auto(gbx_json_freep) json_t *made = part->each ? spread(answer, part->each) : NULL;
        const json_t *rows = made ? made : answer;
        int r;

        if (json_array_size(rows) == 0) {
                if (part->text)
                        puts(part->text);
                return 0;
        }
        table = scols_new_table();
        if (!table)
                return gbx_fail_memory(err);
        r = fill_table(table, rows, part->columns, err);
        if (r < 0)
                return r;
        return scols_print_table(table) < 0 ? gbx_fail(err, -EIO, "cannot print a table") : 0;
}

static int print_fields(const struct gbx_part *part, const json_t *object, struct gbx_error *err) {
        for (const struct gbx_column *c = part->columns; c->name; c++) {
                gbx_auto(gbx_free_pointer) char *text = NULL;

                if (!c->title || !json_object_get(object, c->name))
                        continue;
                text = value_text(json_object_get(object, c->name));
                if (!text)
                        return gbx_fail_memory(err);
                printf("%-14s %s\n", c->title, text);
        }
        return 0;
}

static int print_line(FILE *out, const char *format, const json_t *value, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_answer_fill(format, value, &text, err);

        if (r >= 0)
                fprintf(out, "%s\n", gbx_buffer_text(&text));
        return r;
}

int gbx_answer_write(FILE *out, const void *data, size_t size, struct gbx_error *err) {
        const char *text = data;

        if (!isatty(fileno(out)))
                return size > 0 && fwrite(data, 1, size, out) != size ? gbx_fail_errno(err, "cannot write") : 0;
        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                size_t length = end ? (size_t)(end - text) : size;

                for (size_t at = 0; at <= length;) { /* tabs pass, everything else that does not show is escaped */
                        const char *tab = memchr(text + at, '\t', length - at);
                        size_t part = tab ? (size_t)(tab - text) - at : length - at;
                        gbx_auto(gbx_free_pointer) char *shown = malloc(4 * part + 1);

                        if (!shown)
                                return gbx_fail_memory(err);
                        gbx_text_printable(text + at, part, shown, 4 * part + 1);
                        fputs(shown, out);
                        if (tab)
                                fputc('\t', out);
                        at += part + 1;
                }
                if (end)
                        fputc('\n', out);
                length += end != NULL;
                text += length;
                size -= length;
        }
        return 0;
}

static int print_text(const json_t *value, struct gbx_error *err) {
        const char *text = json_string_value(value);
        size_t length = json_string_length(value);
        int r = text ? gbx_answer_write(stdout, text, length, err) : 0;

        if (text && length > 0 && text[length - 1] != '\n')
                putchar('\n');
        return r;
}

static int print_tables(const struct gbx_part *part, const json_t *tables, struct gbx_error *err) {
        size_t index;
        json_t *table;

        json_array_foreach(tables, index, table) {
                int r;

                putchar('\n');
                r = print_line(stdout, part->text ? part->text : "{name}, {rows} rows:", table, err);
                if (r >= 0)
                        r = print_text(json_object_get(table, "csv"), err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int print_lines(const struct gbx_part *part, const json_t *list, struct gbx_error *err) {
        size_t index;
        json_t *item;

        json_array_foreach(list, index, item) {
                int r = print_line(stdout, part->text, item, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int print_part(const struct gbx_part *part, const json_t *answer, struct gbx_error *err) {
        const json_t *value = part->member ? json_object_get(answer, part->member) : answer;

        switch (part->kind) {
        case GBX_PART_FIELDS:
                return print_fields(part, value, err);
        case GBX_PART_ROWS:
                return print_rows(part, value, err);
        case GBX_PART_LINES:
                return print_lines(part, value, err);
        case GBX_PART_LINE:
                return print_line(stdout, part->text, value, err);
        case GBX_PART_NOTE:
                (void)fflush(stdout);
                return print_line(stderr, part->text, value, err);
        case GBX_PART_TEXT:
                return print_text(value, err);
        case GBX_PART_TABLES:
                return print_tables(part, value, err);
        case GBX_PART_BYTES: /* printed as they came */
        case GBX_PART_END:
                break;
        }
        return 0;
}

int gbx_answer_print(const struct gbx_operation *operation, const json_t *answer, bool json, struct gbx_error *err) {
        if (json) {
                gbx_answer_print_json(answer);
                return 0;
        }
        for (const struct gbx_part *p = operation->answer; p && p->kind; p++) {
                int r = holds(answer, p->when) ? print_part(p, answer, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
