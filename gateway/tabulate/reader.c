#include "gateway/tabulate/reader.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "base/text.h"
#include "gateway/tabulate/expression/fixed.h"
#include "runtime/engine/typed.h"

#include <fcntl.h>
#include <string.h>

struct place {
        size_t field, column; /* in the file, in the schema */
};

struct gbx_reader {
        const struct gbx_source_schema *schema;
        const bool *wanted;
        int fd;
        struct gbx_csv *csv;
        struct place *places; /* the wanted ones */
        size_t count;
};

struct gbx_reader *gbx_reader_free(struct gbx_reader *reader) {
        if (reader) {
                (void)gbx_csv_free(reader->csv);
                gbx_close_fd(&reader->fd);
                free(reader->places);
                free(reader);
        }
        return NULL;
}

static int read_header(struct gbx_reader *reader, struct gbx_error *err) {
        const struct gbx_source_schema *schema = reader->schema;
        gbx_auto(gbx_free_pointer) bool *seen = calloc(schema->count, sizeof *seen);
        struct gbx_csv_row row;
        int r;

        reader->places = calloc(schema->count, sizeof *reader->places);
        if (!seen || !reader->places)
                return gbx_fail_memory(err);
        r = gbx_csv_next(reader->csv, &row, err);
        if (r < 0)
                return gbx_context(err, r, "dataset '%s'", schema->dataset);
        if (r == 0 || row.count != schema->count)
                return gbx_fail(err, -EINVAL, "dataset '%s': the header has %zu columns, the schema %zu", schema->dataset,
                                r == 0 ? (size_t)0 : row.count, schema->count);
        for (size_t i = 0; i < row.count; i++) {
                size_t column = memchr(row.fields[i].data, 0, row.fields[i].size) ? SIZE_MAX : gbx_source_schema_find(schema, row.fields[i].data);

                if (column == SIZE_MAX || seen[column])
                        return gbx_fail(err, -EINVAL, "dataset '%s': column %zu of the header is %s", schema->dataset, i + 1,
                                        column == SIZE_MAX ? "not in the schema" : "there twice");
                seen[column] = true;
                if (reader->wanted[column])
                        reader->places[reader->count++] = (struct place){ i, column };
        }
        return 0;
}

int gbx_reader_open(struct gbx_reader **ret, int root, const struct gbx_source_schema *schema, const bool *wanted, struct gbx_error *err) {
        gbx_auto(gbx_reader_freep) struct gbx_reader *reader = calloc(1, sizeof *reader);
        char path[128];
        int r;

        if (!reader)
                return gbx_fail_memory(err);
        reader->fd = -1;
        reader->schema = schema;
        reader->wanted = wanted;
        if (!gbx_name_valid(schema->dataset))
                return gbx_fail(err, -EINVAL, "'%s' is not the name of a dataset", schema->dataset);
        (void)snprintf(path, sizeof path, "data/%s", schema->dataset);
        reader->fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (reader->fd < 0)
                return gbx_fail_errno(err, "dataset '%s'", schema->dataset);
        r = gbx_csv_new(&reader->csv, reader->fd, &(struct gbx_csv_options){ .max_columns = schema->count }, err);
        if (r >= 0)
                r = read_header(reader, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(reader);
        return 0;
}

static bool all_ascii(const char *text, size_t size) {
        unsigned char bits = 0;

        for (size_t i = 0; i < size; i++)
                bits |= (unsigned char)text[i];
        return bits < 0x80;
}

static bool convert(const struct gbx_csv_field *field, const struct gbx_source_column *column, struct gbx_scalar *ret) {
        bool truth;

        *ret = (struct gbx_scalar){};
        switch (column->type.kind) {
        case GBX_KIND_NUMBER:
                return column->integer ? gbx_typed_integer(field->data, field->size, &ret->number) :
                                         gbx_fixed_parse(field->data, field->size, column->type.scale, column->round, &ret->number);
        case GBX_KIND_DATE:
                if (!gbx_typed_date(field->data, field->size))
                        return false;
                ret->number = gbx_days_from_text(field->data);
                return true;
        case GBX_KIND_BOOLEAN:
                if (!gbx_typed_boolean(field->data, field->size, &truth))
                        return false;
                ret->number = truth;
                return true;
        case GBX_KIND_TEXT:
                break;
        }
        ret->text = field->data;
        ret->size = field->size;
        return all_ascii(field->data, field->size) || gbx_utf8_valid(field->data, field->size);
}

static const char *wanted_of(const struct gbx_source_column *column) {
        return column->type.kind == GBX_KIND_NUMBER && column->integer ? "a whole number" :
               column->type.kind == GBX_KIND_NUMBER                    ? "a number with as many decimals as the schema allows" :
               column->type.kind == GBX_KIND_TEXT                      ? "UTF-8 text" :
               column->type.kind == GBX_KIND_DATE                      ? "a date" :
                                                                         "true or false";
}

int gbx_reader_next(struct gbx_reader *reader, struct gbx_scalar *values, struct gbx_error *err) {
        struct gbx_csv_row row;
        int r = gbx_csv_next(reader->csv, &row, err);

        if (r <= 0)
                return r == 0 ? 0 : gbx_context(err, r, "dataset '%s'", reader->schema->dataset);
        for (size_t i = 0; i < reader->count; i++) {
                const struct place *place = &reader->places[i];
                const struct gbx_source_column *column = &reader->schema->columns[place->column];
                const struct gbx_csv_field *field = &row.fields[place->field];

                if (field->size == 0 && column->type.missing) {
                        values[place->column] = (struct gbx_scalar){ .missing = true };
                        continue;
                }
                if (field->size == 0 || !convert(field, column, &values[place->column]))
                        return gbx_fail(err, -EINVAL, "dataset '%s', line %llu, column '%s': %s is wanted", reader->schema->dataset,
                                        (unsigned long long)row.line, column->name, field->size == 0 ? "a value" : wanted_of(column));
        }
        return 1;
}
