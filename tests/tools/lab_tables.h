/* The tables of watermark-lab: two real ones, and generated ones */
#pragma once

#include "base/file.h"
#include "tests/tools/lab_attacks.h"

struct lab_table {
        const char *name;
        const char *path; /* fixture; NULL: generated */
        size_t rows, numbers; /* generated: rows, numeric columns */
        const char *key;
        const struct gbx_mark_column *columns;
        size_t column_count;
        struct gbx_mark_options options;
};

#define MONEY(column) { .name = column, .type = GBX_MARK_DECIMAL, .unit = "0.01", .minimum = "0" }
#define HOUSEHOLD(column) { .name = column, .type = GBX_MARK_DECIMAL, .unit = "0.01", .minimum = "0", .per = "db030" }

static const struct gbx_mark_column eusilc_columns[] = {
        { .name = "db030", .type = GBX_MARK_INTEGER }, { .name = "hsize", .type = GBX_MARK_INTEGER },
        { .name = "db040", .type = GBX_MARK_TEXT },    { .name = "rb030", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY },
        { .name = "age", .type = GBX_MARK_INTEGER },   { .name = "rb090", .type = GBX_MARK_TEXT },
        { .name = "pl030", .type = GBX_MARK_INTEGER }, { .name = "pb220a", .type = GBX_MARK_TEXT },
        MONEY("py010n"), MONEY("py050n"), MONEY("py090n"), MONEY("py100n"), MONEY("py110n"), MONEY("py120n"),
        MONEY("py130n"), MONEY("py140n"),
        HOUSEHOLD("hy040n"), HOUSEHOLD("hy050n"), HOUSEHOLD("hy070n"), HOUSEHOLD("hy080n"), HOUSEHOLD("hy090n"),
        HOUSEHOLD("hy110n"), HOUSEHOLD("hy130n"), HOUSEHOLD("hy145n"), HOUSEHOLD("eqIncome"),
        { .name = "eqSS", .type = GBX_MARK_DECIMAL },
};

/* The same without a declared key: three virtual keys. */
static const struct gbx_mark_column eusilc_keyless_columns[] = {
        { .name = "hsize", .type = GBX_MARK_INTEGER },  { .name = "db040", .type = GBX_MARK_TEXT },
        { .name = "age", .type = GBX_MARK_INTEGER },    { .name = "rb090", .type = GBX_MARK_TEXT },
        { .name = "pl030", .type = GBX_MARK_INTEGER },  { .name = "pb220a", .type = GBX_MARK_TEXT },
        MONEY("py010n"), MONEY("py050n"), MONEY("py090n"), MONEY("py100n"), MONEY("hy050n"), MONEY("hy090n"),
        MONEY("hy145n"), MONEY("eqIncome"),
        { .name = "eqSS", .type = GBX_MARK_DECIMAL },   { .name = "rb050", .type = GBX_MARK_DECIMAL },
};

static const struct gbx_mark_column credit_columns[] = {
        { .name = "applicant_id", .type = GBX_MARK_TEXT, .role = GBX_MARK_KEY },
        { .name = "status", .type = GBX_MARK_TEXT },
        { .name = "seniority", .type = GBX_MARK_INTEGER },
        { .name = "home", .type = GBX_MARK_TEXT },
        { .name = "time", .type = GBX_MARK_INTEGER },
        { .name = "age", .type = GBX_MARK_INTEGER },
        { .name = "marital", .type = GBX_MARK_TEXT },
        { .name = "records", .type = GBX_MARK_TEXT },
        { .name = "job", .type = GBX_MARK_TEXT },
        { .name = "expenses", .type = GBX_MARK_INTEGER, .unit = "1" },
        { .name = "income", .type = GBX_MARK_INTEGER, .unit = "1" },
        { .name = "assets", .type = GBX_MARK_INTEGER },
        { .name = "debt", .type = GBX_MARK_INTEGER },
        { .name = "amount", .type = GBX_MARK_INTEGER, .unit = "1" },
        { .name = "price", .type = GBX_MARK_INTEGER, .unit = "1" },
};

enum { LAB_MAX_NUMBERS = 24 };

/* "id" and v00, v01, …: whole numbers, uniform from 1,000 to 99,999. */
static inline const struct gbx_mark_column *generated_columns(size_t numbers) {
        static struct gbx_mark_column columns[LAB_MAX_NUMBERS + 1];
        static char names[LAB_MAX_NUMBERS][8];

        columns[0] = (struct gbx_mark_column){ .name = "id", .type = GBX_MARK_INTEGER, .role = GBX_MARK_KEY };
        for (size_t i = 0; i < numbers; i++) {
                (void)snprintf(names[i], sizeof names[i], "v%02zu", i);
                columns[i + 1] = (struct gbx_mark_column){ .name = names[i], .type = GBX_MARK_INTEGER, .unit = "1" };
        }
        return columns;
}

static inline void lab_make(const struct lab_table *table, struct gbx_buffer *csv) {
        struct gbx_error err = {};

        if (table->path) {
                lab_check(gbx_read_file(AT_FDCWD, table->path, 1 << 28, csv, &err), &err);
                return;
        }
        lab_seed(table->rows * 31 + table->numbers);
        (void)gbx_buffer_append_text(csv, "id", NULL);
        for (size_t i = 0; i < table->numbers; i++)
                (void)gbx_buffer_printf(csv, NULL, ",v%02zu", i);
        (void)gbx_buffer_append_text(csv, "\n", NULL);
        for (size_t row = 0; row < table->rows; row++) {
                (void)gbx_buffer_printf(csv, NULL, "%zu", 100000 + row);
                for (size_t i = 0; i < table->numbers; i++)
                        (void)gbx_buffer_printf(csv, NULL, ",%u", 1000 + lab_random() % 99000);
                (void)gbx_buffer_append_text(csv, "\n", NULL);
        }
}

static inline struct lab_case lab_about(const struct lab_table *table) {
        return (struct lab_case){ table->columns ? table->columns : generated_columns(table->numbers),
                                  table->columns ? table->column_count : table->numbers + 1, table->key, NULL };
}
