#include "gateway/cli/table.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/run/usage.h"
#include "gateway/store/view.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CELL_SIZE = 400, DIGEST_DIGITS = 12 };

/* Columns of the view that hold lists or objects as JSON text become what they mean. */
static void unpack(json_t *row) {
        const char *field;
        json_t *value;
        void *next;

        json_object_foreach_safe(row, next, field, value) {
                const char *text = json_string_value(value);
                json_t *inner = text && (*text == '[' || *text == '{') ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

                if (inner)
                        (void)json_object_set_new(row, field, inner);
        }
}

/* Numbers of entries, which jobs can move by what they make the log hold, are for those who read the log. */
static bool sees_places(const struct gbx_cli *cli) {
        bool exact = false;

        return !cli->site || (gbx_usage_exact(cli->site, cli->caller, &exact, NULL) >= 0 && exact);
}

/* A row of the view as it is printed. */
static void prepare(json_t *row, bool places) {
        unpack(row);
        if (!places) {
                (void)json_object_del(row, "seq");
                (void)json_object_del(row, "state_seq");
        }
}

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

/* The text of a value, safe for a terminal. */
static void cell_text(const json_t *value, int kind, char text[static CELL_SIZE]) {
        gbx_auto(gbx_free_pointer) char *dumped = NULL;
        const char *raw = json_string_value(value);

        if (!value || json_is_null(value))
                raw = "-";
        if (!raw)
                raw = dumped = join_texts(value);
        if (!raw)
                raw = dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(5));
        if (!raw)
                raw = "?";
        if (kind == GBX_COLUMN_DIGEST && strncmp(raw, "sha256:", 7) == 0)
                (void)snprintf(text, CELL_SIZE, "%.*s", 7 + DIGEST_DIGITS, raw);
        else
                gbx_text_printable(raw, strlen(raw), text, CELL_SIZE);
}

static void unref_table(struct libscols_table **table) {
        scols_unref_table(*table);
}

static int fill_table(struct libscols_table *table, const json_t *rows, const struct gbx_cli_column *columns,
                      struct gbx_error *err) {
        size_t index;
        json_t *row;

        for (const struct gbx_cli_column *c = columns; c->field; c++)
                if (!scols_table_new_column(table, c->title, 0, c->kind == GBX_COLUMN_NUMBER ? SCOLS_FL_RIGHT : 0))
                        return gbx_fail_memory(err);
        json_array_foreach(rows, index, row) {
                struct libscols_line *line = scols_table_new_line(table, NULL);
                size_t place = 0;

                if (!line)
                        return gbx_fail_memory(err);
                for (const struct gbx_cli_column *c = columns; c->field; c++) {
                        char text[CELL_SIZE];

                        cell_text(json_object_get(row, c->field), (int)c->kind, text);
                        if (scols_line_set_data(line, place++, text) < 0)
                                return gbx_fail_memory(err);
                }
        }
        return 0;
}

int gbx_cli_print_rows(const struct gbx_cli *cli, json_t *rows, const struct gbx_cli_column *columns, const char *nothing,
                       struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *owned = rows;
        gbx_auto(unref_table) struct libscols_table *table = NULL;
        bool places = sees_places(cli);
        size_t index;
        json_t *row;
        int r;

        json_array_foreach(rows, index, row)
                prepare(row, places);
        if (cli->json) {
                gbx_cli_print_json(json_incref(rows));
                return 0;
        }
        if (json_array_size(rows) == 0) {
                puts(nothing);
                return 0;
        }
        table = scols_new_table();
        if (!table)
                return gbx_fail_memory(err);
        r = fill_table(table, rows, columns, err);
        if (r < 0)
                return r;
        return scols_print_table(table) < 0 ? gbx_fail(err, -EIO, "cannot print a table") : 0;
}

int gbx_cli_print_object(const struct gbx_cli *cli, json_t *object, const struct gbx_cli_column *columns,
                         struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *owned = object;

        if (!object)
                return gbx_fail_memory(err);
        prepare(object, sees_places(cli));
        if (cli->json) {
                gbx_cli_print_json(json_incref(object));
                return 0;
        }
        for (const struct gbx_cli_column *c = columns; c->field; c++) {
                char text[CELL_SIZE];

                if (!json_object_get(object, c->field))
                        continue;
                cell_text(json_object_get(object, c->field), GBX_COLUMN_TEXT, text);
                printf("%-14s %s\n", c->title, text);
        }
        return 0;
}

void gbx_cli_say(const struct gbx_cli *cli, const char *format, ...) {
        va_list args;

        if (cli->json)
                return;
        va_start(args, format);
        (void)vfprintf(stderr, format, args);
        va_end(args);
}

void gbx_cli_progress(const struct gbx_cli *cli, const char *label, double fraction) {
        enum { WIDTH = 30 };
        char bar[WIDTH + 1];
        size_t full;

        if (cli->json || !isatty(STDERR_FILENO))
                return;
        if (fraction < 0) {
                fputs("\r\x1b[K", stderr);
                return;
        }
        full = fraction >= 1 ? WIDTH : (size_t)(fraction * WIDTH);
        memset(bar, '.', WIDTH);
        memset(bar, '#', full);
        bar[WIDTH] = '\0';
        fprintf(stderr, "\r%s [%s] %3d %%", label, bar, (int)(fraction * 100));
}
