#include "runtime/engine/release.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

struct gbx_release {
        int root;
        json_t *outputs;
};

static const char *const roles[GBX_ROLE_COUNT_] = {
        [GBX_ROLE_KEY] = "key",
        [GBX_ROLE_COUNT] = "count",
        [GBX_ROLE_VALUE] = "value",
};

const char *gbx_role_name(enum gbx_role role) { return roles[role]; }

bool gbx_role_parse(const char *name, enum gbx_role *ret) {
        for (int i = 0; i < GBX_ROLE_COUNT_; i++)
                if (strcmp(name, roles[i]) == 0) {
                        *ret = (enum gbx_role)i;
                        return true;
                }
        return false;
}

int gbx_release_new(struct gbx_release **ret, int root, struct gbx_error *err) {
        struct gbx_release *release = calloc(1, sizeof *release);

        if (release)
                release->outputs = json_array();
        if (!release || !release->outputs) {
                free(release);
                return gbx_fail_memory(err);
        }
        release->root = root;
        *ret = release;
        return 0;
}

struct gbx_release *gbx_release_free(struct gbx_release *release) {
        if (release) {
                json_decref(release->outputs);
                free(release);
        }
        return NULL;
}

static int write_output(const struct gbx_release *release, const char *file, const void *data, size_t size,
                        struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        char path[128];
        int r;

        (void)snprintf(path, sizeof path, "out/%s", file);
        fd = openat(release->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot create '%s'", path);
        r = gbx_write_all(fd, data, size, err);
        return r < 0 ? gbx_context(err, r, "'%s'", path) : 0;
}

static int add_output(struct gbx_release *release, json_t *output, struct gbx_error *err) {
        const char *file = json_string_value(json_object_get(output, "file"));
        const json_t *other;
        size_t i;

        if (json_array_size(release->outputs) == GBX_RELEASE_OUTPUTS_MAX) {
                json_decref(output);
                return gbx_fail(err, -EINVAL, "more than %d outputs", GBX_RELEASE_OUTPUTS_MAX);
        }
        json_array_foreach(release->outputs, i, other) {
                if (strcmp(file, json_string_value(json_object_get(other, "file"))) == 0) {
                        gbx_fail(err, -EINVAL, "'%s' is released twice", file);
                        json_decref(output);
                        return -EINVAL;
                }
        }
        return json_array_append_new(release->outputs, output) < 0 ? gbx_fail_memory(err) : 0;
}

/* --- checks --------------------------------------------------------------------- */

/* Names of columns go into a header that people and programs read. */
static bool is_identifier(const char *text) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
        size_t size = strspn(text, letters);

        return size > 0 && size <= GBX_RELEASE_NAME_MAX && !text[size] && (*text < '0' || *text > '9');
}

static int check_columns(const struct gbx_table *table, struct gbx_error *err) {
        if (table->width == 0 || table->width > GBX_RELEASE_COLUMNS_MAX)
                return gbx_fail(err, -EINVAL, "not 1 to %d columns", GBX_RELEASE_COLUMNS_MAX);
        for (size_t i = 0; i < table->width; i++) {
                const struct gbx_table_column *column = &table->columns[i];
                bool number = column->type == GBX_VALUE_INTEGER || column->type == GBX_VALUE_DECIMAL;

                if (!is_identifier(column->name))
                        return gbx_fail(err, -EINVAL,
                                        "column %zu: its name is not 1 to %d letters, digits and '_', no digit first", i + 1,
                                        GBX_RELEASE_NAME_MAX);
                for (size_t k = 0; k < i; k++)
                        if (strcmp(column->name, table->columns[k].name) == 0)
                                return gbx_fail(err, -EINVAL, "two columns '%s'", column->name);
                if (column->role == GBX_ROLE_COUNT && column->type != GBX_VALUE_INTEGER)
                        return gbx_fail(err, -EINVAL, "column '%s': a count is an integer", column->name);
                if (column->role == GBX_ROLE_KEY && column->type == GBX_VALUE_DECIMAL)
                        return gbx_fail(err, -EINVAL, "column '%s': a decimal is no key", column->name);
                if (column->unit.steps && (!number || column->role != GBX_ROLE_VALUE))
                        return gbx_fail(err, -EINVAL, "column '%s': only a value that is a number has a unit",
                                        column->name);
                if (column->unit.decimals > 0 && column->type == GBX_VALUE_INTEGER)
                        return gbx_fail(err, -EINVAL, "column '%s': the unit of an integer is an integer", column->name);
        }
        return 0;
}

static const size_t table_name_max = GBX_RELEASE_NAME_MAX - (sizeof ".csv" - 1);

static int check_table(const struct gbx_table *table, struct gbx_error *err) {
        if (!gbx_name_valid(table->name) || strlen(table->name) > table_name_max)
                return gbx_fail(err, -EINVAL, "a table's name has 1 to %zu of a-z, 0-9, '.', '_' and '-'", table_name_max);
        if (table->rows > GBX_RELEASE_ROWS_MAX)
                return gbx_fail(err, -EINVAL, "table '%s': more than %d rows", table->name, GBX_RELEASE_ROWS_MAX);
        return 0;
}

/* --- order ---------------------------------------------------------------------- */

static int compare_values(const struct gbx_value *a, const struct gbx_value *b) {
        size_t common;
        int order;

        if (a->missing || b->missing)
                return b->missing - a->missing;
        switch (a->type) {
        case GBX_VALUE_INTEGER:
                return (a->integer > b->integer) - (a->integer < b->integer);
        case GBX_VALUE_DECIMAL:
                return (a->decimal > b->decimal) - (a->decimal < b->decimal);
        case GBX_VALUE_BOOLEAN:
                return a->boolean - b->boolean;
        case GBX_VALUE_TEXT:
        case GBX_VALUE_DATE:
        case GBX_VALUE_COUNT_:
                break;
        }
        common = a->text.size < b->text.size ? a->text.size : b->text.size;
        order = common ? memcmp(a->text.data, b->text.data, common) : 0;
        return order ? order : (a->text.size > b->text.size) - (a->text.size < b->text.size);
}

static int compare_rows(const void *left, const void *right, void *context) {
        const struct gbx_table *table = context;
        size_t l = *(const size_t *)left, r = *(const size_t *)right;
        const struct gbx_value *a = table->cells + l * table->width, *b = table->cells + r * table->width;

        for (int keys = 1; keys >= 0; keys--)
                for (size_t i = 0; i < table->width; i++) {
                        int order;

                        if ((table->columns[i].role == GBX_ROLE_KEY) != keys)
                                continue;
                        order = compare_values(&a[i], &b[i]);
                        if (order)
                                return order;
                }
        return l < r ? -1 : l > r;
}

/* --- writing -------------------------------------------------------------------- */

static int append_row(const struct gbx_table *table, size_t row, struct gbx_buffer *buffer, struct gbx_error *err) {
        for (size_t i = 0; i < table->width; i++) {
                const struct gbx_value *cell = &table->cells[row * table->width + i];
                const struct gbx_table_column *column = &table->columns[i];
                int r = i > 0 ? gbx_buffer_append_byte(buffer, ',', err) : 0;

                if (r >= 0 && column->role == GBX_ROLE_COUNT && (cell->missing || cell->integer < 0))
                        r = gbx_fail(err, -EINVAL, "a count is an integer from 0");
                if (r >= 0)
                        r = gbx_release_format(cell, &column->unit, buffer, err);
                if (r < 0)
                        return gbx_context(err, r, "table '%s', row %zu, column '%s'", table->name, row + 1, column->name);
        }
        return gbx_buffer_append_byte(buffer, '\n', err);
}

static int append_header(const struct gbx_table *table, struct gbx_buffer *buffer, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; i < table->width && r >= 0; i++) {
                const char *name = table->columns[i].name;

                if (i > 0)
                        r = gbx_buffer_append_byte(buffer, ',', err);
                if (r >= 0)
                        r = gbx_csv_write_field(buffer, name, strlen(name), false, err);
        }
        return r < 0 ? r : gbx_buffer_append_byte(buffer, '\n', err);
}

static json_t *describe(const struct gbx_table *table, const char *file) {
        json_t *columns = json_array();

        for (size_t i = 0; i < table->width; i++) {
                const struct gbx_table_column *column = &table->columns[i];
                json_t *json = json_pack("{s:s, s:s, s:s}", "name", column->name, "type", gbx_value_type_name(column->type),
                                         "role", gbx_role_name(column->role));

                if (column->unit.steps)
                        (void)json_object_set_new(json, "unit", json_string(column->unit.text));
                (void)json_array_append_new(columns, json);
        }
        return json_pack("{s:s, s:s, s:o}", "file", file, "kind", "table", "columns", columns);
}

int gbx_release_add_table(struct gbx_release *release, const struct gbx_table *table, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = { .secret = true };
        gbx_auto(gbx_free_pointer) size_t *order = NULL;
        char file[80];
        json_t *output;
        int r;

        r = check_table(table, err);
        if (r < 0)
                return r;
        r = check_columns(table, err);
        if (r < 0)
                return gbx_context(err, r, "table '%s'", table->name);
        order = calloc(table->rows + 1, sizeof *order);
        if (!order)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < table->rows; i++)
                order[i] = i;
        if (!table->keep_order)
                qsort_r(order, table->rows, sizeof *order, compare_rows, (void *)(uintptr_t)table);
        r = append_header(table, &buffer, err);
        for (size_t i = 0; i < table->rows && r >= 0; i++)
                r = append_row(table, order[i], &buffer, err);
        if (r < 0)
                return r;
        (void)snprintf(file, sizeof file, "%s.csv", table->name);
        output = describe(table, file);
        if (!output)
                return gbx_fail_memory(err);
        r = add_output(release, output, err);
        return r < 0 ? r : write_output(release, file, buffer.data, buffer.size, err);
}

int gbx_release_add_text(struct gbx_release *release, const char *file, const char *text, size_t size,
                         struct gbx_error *err) {
        json_t *output = json_pack("{s:s, s:s}", "file", file, "kind", "opaque");
        int r;

        if (!output)
                return gbx_fail_memory(err);
        r = add_output(release, output, err);
        return r < 0 ? r : write_output(release, file, text ? text : "", size, err);
}

int gbx_release_finish(struct gbx_release *release, struct gbx_error *err) {
        json_t *manifest = json_pack("{s:i, s:O}", "version", 1, "outputs", release->outputs);
        gbx_auto(gbx_free_pointer) char *text = manifest ? json_dumps(manifest, JSON_INDENT(1) | JSON_ENSURE_ASCII) : NULL;

        json_decref(manifest);
        if (!text)
                return gbx_fail_memory(err);
        return write_output(release, "release.json", text, strlen(text), err);
}
