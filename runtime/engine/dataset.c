#include "runtime/engine/dataset.h"

#include "base/cleanup.h"
#include "base/csv.h"

#include <fcntl.h>
#include <string.h>

struct gbx_dataset {
        char *name;
        struct gbx_columns schema;
        int fd;
        struct gbx_csv *csv;

        size_t width;
        size_t *places;              /* the field that each chosen column stands in */
        struct gbx_column **columns; /* the chosen columns, in the schema */
        struct gbx_value *values;
};

struct gbx_dataset *gbx_dataset_free(struct gbx_dataset *dataset) {
        if (!dataset)
                return NULL;
        dataset->csv = gbx_csv_free(dataset->csv);
        gbx_close_fd(&dataset->fd);
        gbx_columns_free(&dataset->schema);
        free(dataset->name);
        free(dataset->places);
        free(dataset->columns);
        free(dataset->values);
        free(dataset);
        return NULL;
}

size_t gbx_dataset_width(const struct gbx_dataset *dataset) { return dataset->width; }

const char *gbx_dataset_column(const struct gbx_dataset *dataset, size_t index) {
        return dataset->columns[index]->name;
}

static struct gbx_column *find_column(const struct gbx_columns *schema, const char *name, size_t size) {
        for (size_t i = 0; i < schema->count; i++)
                if (strlen(schema->columns[i].name) == size && memcmp(schema->columns[i].name, name, size) == 0)
                        return &schema->columns[i];
        return NULL;
}

static int choose(struct gbx_dataset *dataset, const char *const *wanted, size_t count, struct gbx_error *err) {
        dataset->width = wanted ? count : dataset->schema.count;
        dataset->places = calloc(dataset->width + 1, sizeof *dataset->places);
        dataset->columns = calloc(dataset->width + 1, sizeof *dataset->columns);
        dataset->values = calloc(dataset->width + 1, sizeof *dataset->values);
        if (!dataset->places || !dataset->columns || !dataset->values)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < dataset->width; i++) {
                dataset->columns[i] = wanted ? find_column(&dataset->schema, wanted[i], strlen(wanted[i]))
                                             : &dataset->schema.columns[i];
                if (wanted && !dataset->columns[i])
                        return gbx_fail(err, -ENOENT, "dataset '%s' has no column '%s'", dataset->name, wanted[i]);
                dataset->values[i].type = dataset->columns[i]->type;
        }
        return 0;
}

/* Compares the header with the schema and notes where each chosen column stands. */
static int read_header(struct gbx_dataset *dataset, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) bool *seen = calloc(dataset->schema.count, sizeof *seen);
        struct gbx_csv_row row;
        int r;

        if (!seen)
                return gbx_fail_memory(err);
        r = gbx_csv_next(dataset->csv, &row, err);
        if (r < 0)
                return gbx_context(err, r, "dataset '%s'", dataset->name);
        if (r == 0)
                return gbx_fail(err, -EINVAL, "dataset '%s': no header", dataset->name);
        for (size_t i = 0; i < row.count; i++) {
                struct gbx_column *column = find_column(&dataset->schema, row.fields[i].data, row.fields[i].size);

                if (!column)
                        return gbx_fail(err, -EINVAL, "dataset '%s': column %zu of the header is not in the schema",
                                        dataset->name, i + 1);
                if (seen[column - dataset->schema.columns])
                        return gbx_fail(err, -EINVAL, "dataset '%s': the header names column '%s' twice", dataset->name,
                                        column->name);
                seen[column - dataset->schema.columns] = true;
                for (size_t k = 0; k < dataset->width; k++)
                        if (dataset->columns[k] == column)
                                dataset->places[k] = i;
        }
        if (row.count != dataset->schema.count)
                return gbx_fail(err, -EINVAL, "dataset '%s': the header has %zu columns, the schema %zu", dataset->name,
                                row.count, dataset->schema.count);
        return 0;
}

int gbx_dataset_open(struct gbx_dataset **ret, int root, const char *name, const char *const *wanted,
                     size_t wanted_count, struct gbx_error *err) {
        gbx_auto(gbx_dataset_freep) struct gbx_dataset *dataset = calloc(1, sizeof *dataset);
        char path[128];
        int r;

        if (!dataset)
                return gbx_fail_memory(err);
        dataset->fd = -1;
        dataset->name = strdup(name);
        if (!dataset->name)
                return gbx_fail_memory(err);
        r = gbx_job_schema(root, name, &dataset->schema, err);
        if (r < 0)
                return r;
        r = choose(dataset, wanted, wanted_count, err);
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof path, "data/%s", name);
        dataset->fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (dataset->fd < 0)
                return gbx_fail_errno(err, "dataset '%s'", name);
        r = gbx_csv_new(&dataset->csv, dataset->fd, &(struct gbx_csv_options){ .max_columns = dataset->schema.count },
                        err);
        if (r < 0)
                return r;
        r = read_header(dataset, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(dataset);
        return 0;
}

static bool convert(const struct gbx_csv_field *field, struct gbx_value *value) {
        switch (value->type) {
        case GBX_VALUE_INTEGER:
                return gbx_typed_integer(field->data, field->size, &value->integer);
        case GBX_VALUE_DECIMAL:
                return gbx_typed_decimal(field->data, field->size, &value->decimal);
        case GBX_VALUE_BOOLEAN:
                return gbx_typed_boolean(field->data, field->size, &value->boolean);
        case GBX_VALUE_DATE:
                if (!gbx_typed_date(field->data, field->size))
                        return false;
                break;
        case GBX_VALUE_TEXT:
        case GBX_VALUE_COUNT_:
                break;
        }
        value->text.data = field->data;
        value->text.size = field->size;
        return true;
}

int gbx_dataset_next(struct gbx_dataset *dataset, const struct gbx_value **ret_values, struct gbx_error *err) {
        struct gbx_csv_row row;
        int r = gbx_csv_next(dataset->csv, &row, err);

        if (r < 0)
                return gbx_context(err, r, "dataset '%s'", dataset->name);
        if (r == 0)
                return 0;
        for (size_t i = 0; i < dataset->width; i++) {
                const struct gbx_csv_field *field = &row.fields[dataset->places[i]];
                struct gbx_value *value = &dataset->values[i];

                value->missing = field->size == 0;
                if (value->missing ? !dataset->columns[i]->required : convert(field, value))
                        continue;
                return gbx_fail(err, -EINVAL, "dataset '%s', line %llu, column '%s': %s%s", dataset->name,
                                (unsigned long long)row.line, dataset->columns[i]->name,
                                value->missing ? "a value is required" : "not a value of type ",
                                value->missing ? "" : gbx_value_type_name(value->type));
        }
        *ret_values = dataset->values;
        return 1;
}
