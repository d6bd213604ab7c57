#include "gateway/data/dummy.h"

#include "base/csv.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        MISSING_ONE_IN = 20,
        TEXT_VARIANTS = 20,
        DEFAULT_RANGE = 1000,
        FIRST_DAY = 10957, /* 2000-01-01, in days since 1970 */
        DAYS = 9000,
        CELL_SIZE = 64,
};

/* SplitMix64 (Steele, Lea, Flood 2014): small, and enough where nothing is secret. */
static uint64_t next(uint64_t *state) {
        uint64_t z = *state += 0x9e3779b97f4a7c15U;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
        z = (z ^ z >> 27) * 0x94d049bb133111ebU;
        return z ^ z >> 31;
}

static uint64_t below(uint64_t *state, uint64_t bound) {
        return next(state) % bound;
}

/* Digits behind the point of a decimal such as "0.001". */
static int decimals_of(const char *text) {
        const char *point = text ? strchr(text, '.') : NULL;

        return point ? (int)strlen(point + 1) : 0;
}

static void make_number(const struct gbx_schema_column *column, uint64_t *state, char cell[static CELL_SIZE]) {
        double low = column->min ? strtod(column->min, NULL) : 0;
        double high = column->max ? strtod(column->max, NULL) : low + DEFAULT_RANGE;
        double unit = column->unit ? strtod(column->unit, NULL) : column->type == GBX_TYPE_INTEGER ? 1 : 0.01;
        double steps = (high - low) / unit;
        uint64_t bound = steps >= 1 && steps < 1e15 ? (uint64_t)steps + 1 : 1;
        int digits = column->unit ? decimals_of(column->unit) : column->type == GBX_TYPE_INTEGER ? 0 : 2;

        if (decimals_of(column->min) > digits)
                digits = decimals_of(column->min);
        (void)snprintf(cell, CELL_SIZE, "%.*f", digits, low + (double)below(state, bound) * unit);
}

static void make_date(uint64_t *state, char cell[static CELL_SIZE]) {
        char text[GBX_TIME_TEXT_SIZE];

        gbx_time_text((int64_t)(FIRST_DAY + below(state, DAYS)) * 86400, text);
        (void)snprintf(cell, CELL_SIZE, "%.10s", text);
}

static const char *make_cell(const struct gbx_schema_column *column, size_t row, uint64_t *state, char cell[static CELL_SIZE]) {
        if (column->key) {
                (void)snprintf(cell, CELL_SIZE, column->type == GBX_TYPE_TEXT ? "D%06zu" : "%zu", row + 1);
                return cell;
        }
        if (column->missing && below(state, MISSING_ONE_IN) == 0)
                return "";
        if (column->values.count)
                return column->values.items[below(state, column->values.count)];
        switch (column->type) {
        case GBX_TYPE_INTEGER:
        case GBX_TYPE_DECIMAL:
                make_number(column, state, cell);
                break;
        case GBX_TYPE_DATE:
                make_date(state, cell);
                break;
        case GBX_TYPE_BOOLEAN:
                (void)snprintf(cell, CELL_SIZE, "%s", below(state, 2) ? "true" : "false");
                break;
        default:
                (void)snprintf(cell, CELL_SIZE, "text-%llu", (unsigned long long)below(state, TEXT_VARIANTS));
                break;
        }
        return cell;
}

int gbx_dummy_twin(const struct gbx_schema *schema, uint64_t seed, size_t rows, struct gbx_buffer *ret_csv, struct gbx_error *err) {
        const struct gbx_schema_column *columns = schema->columns.items;
        size_t count = schema->columns.count;
        uint64_t state = seed;
        int r = 0;

        for (size_t i = 0; i < count && r >= 0; i++)
                r = gbx_buffer_printf(ret_csv, err, "%s%s", i ? "," : "", columns[i].name);
        if (r >= 0)
                r = gbx_buffer_append_byte(ret_csv, '\n', err);
        for (size_t row = 0; row < rows; row++)
                for (size_t i = 0; i < count && r >= 0; i++) {
                        char cell[CELL_SIZE];
                        const char *text = make_cell(&columns[i], row, &state, cell);

                        r = gbx_csv_write_field(ret_csv, text, strlen(text), false, err);
                        if (r >= 0)
                                r = gbx_buffer_append_byte(ret_csv, i + 1 < count ? ',' : '\n', err);
                }
        return r;
}
