/* One cell: its type, its canonical text, and what may not stand in it. */
#include "gateway/gate/inspection.h"

#include "base/text.h"

#include <string.h>

enum { NUMBER_MAX = 64 };

/* What one cell is checked in. */
struct cell {
        struct gbx_inspection *inspection;
        struct gbx_grid *grid;
        struct gbx_grid_column *column;
        uint64_t row;
        const char *text;
        size_t size;
};

#define FIND(cell, rule, severity, ...) \
        gbx_inspection_find((cell)->inspection, rule, severity, (cell)->row, (cell)->column->declared->name, __VA_ARGS__)

/* A finding after which the table cannot be made canonical. */
#define REFUSE(cell, rule, ...) \
        ({ \
                (cell)->grid->unusable = true; \
                FIND(cell, rule, GBX_SEVERITY_FAIL, __VA_ARGS__); \
        })

static int store(const struct cell *cell, struct gbx_grid_cell *target, const char *text, size_t size) {
        struct gbx_buffer *buffer = &cell->grid->text;

        if (buffer->size + size > cell->inspection->bytes_left)
                return REFUSE(cell, "table-size", "more bytes than the policy's max-size");
        *target = (struct gbx_grid_cell){ (uint32_t)buffer->size, (uint32_t)size };
        return size ? gbx_buffer_append(buffer, text, size, cell->inspection->err) : 0;
}

/* --- content ----------------------------------------------------------------------- */

struct scanning {
        const struct cell *cell;
        int result;
};

static int report(const struct gbx_scan_match *match, void *userdata) {
        struct scanning *scanning = userdata;

        scanning->result = FIND(scanning->cell, "content-scan", match->severity, "rule '%s' matches %zu bytes", match->rule,
                                match->length);
        return scanning->result < 0;
}

/* Looks for personal data in what would leave. */
static int scan_text(const struct cell *cell, const char *text, size_t size) {
        struct scanning scanning = { cell, 0 };
        int r = gbx_scan(cell->inspection->scan, text, size, report, &scanning, cell->inspection->err);

        return r < 0 ? r : scanning.result;
}

/* --- numbers ----------------------------------------------------------------------- */

static int check_count(const struct cell *cell, const struct gbx_decimal *count) {
        uint64_t minimum = cell->inspection->policy->release.minimum_count;

        if (count->mantissa < 0)
                return REFUSE(cell, "cell-type", "a count is not negative");
        if ((uint64_t)count->mantissa < minimum)
                return FIND(cell, "minimum-count", GBX_SEVERITY_FAIL, "%lld contributors, %llu are asked for",
                            (long long)count->mantissa, (unsigned long long)minimum);
        return 0;
}

static int add_number(const struct cell *cell, struct gbx_grid_cell *target) {
        struct gbx_decimal value, rounded;
        const struct gbx_decimal *unit = &cell->column->unit;
        char text[NUMBER_MAX], canonical[GBX_DECIMAL_TEXT_SIZE];
        bool cut;
        int r = 0;

        if (cell->size >= sizeof text)
                return REFUSE(cell, "cell-type", "%zu bytes are no number", cell->size);
        memcpy(text, cell->text, cell->size);
        text[cell->size] = '\0';
        if (strlen(text) != cell->size || gbx_decimal_read(text, &value, &cut, NULL) < 0)
                return REFUSE(cell, "cell-type", "not a decimal number of at most %d digits before its point", GBX_DECIMAL_MAX_DIGITS);
        if (cell->column->declared->type == GBX_TYPE_INTEGER && value.scale)
                return REFUSE(cell, "cell-type", "not an integer");
        if (cell->column->declared->role == GBX_COLUMN_COUNT)
                r = check_count(cell, &value); /* before it is rounded */
        if (r < 0 || unit->mantissa == 0) /* a decimal without a unit: a finding already */
                return r;
        if (cut && unit->scale >= value.scale)
                return REFUSE(cell, "cell-type", "more digits than can be rounded to its unit");
        if (gbx_decimal_round(&value, unit, &rounded, NULL) < 0)
                return REFUSE(cell, "cell-type", "too large for its unit");
        if (cut || gbx_decimal_compare(&value, &rounded) != 0)
                cell->column->dropped++;
        gbx_decimal_text(&rounded, canonical);
        r = scan_text(cell, canonical, strlen(canonical)); /* 1.3e10 and 13000000000 leave as the same */
        return r < 0 ? r : store(cell, target, canonical, strlen(canonical));
}

/* --- texts -------------------------------------------------------------------------- */

static int check_characters(const struct cell *cell) {
        for (size_t i = 0; i < cell->size; i++)
                if ((unsigned char)cell->text[i] < 0x20 || cell->text[i] == 0x7f)
                        return REFUSE(cell, "cell-control", "a control character, 0x%02x", (unsigned char)cell->text[i]);
        if (!gbx_utf8_valid(cell->text, cell->size))
                return REFUSE(cell, "cell-encoding", "not UTF-8");
        for (const char *at = cell->text; at < cell->text + cell->size;) {
                uint32_t c = gbx_utf8_next(&at);

                if (gbx_character_hidden(c)) /* by which a text that looks the same can differ */
                        return REFUSE(cell, "cell-invisible", "an invisible character, U+%04X", c);
        }
        if (strchr("=+-@", cell->text[0]))
                return REFUSE(cell, "cell-formula", "begins with '%c': a spreadsheet would compute it", cell->text[0]);
        if (cell->text[0] == ' ' || cell->text[cell->size - 1] == ' ' || memmem(cell->text, cell->size, "  ", 2))
                return REFUSE(cell, "cell-spaces", "spaces at an end or in a row");
        return 0;
}

static int check_vocabulary(const struct cell *cell) {
        const struct gbx_texts *values = &cell->column->allowed->values;

        for (size_t i = 0; i < values->count; i++)
                if (strlen(values->items[i]) == cell->size && memcmp(values->items[i], cell->text, cell->size) == 0)
                        return 0;
        return FIND(cell, "cell-value", GBX_SEVERITY_FAIL, "not one of the %zu texts that the policy lists", values->count);
}

static int add_text(const struct cell *cell, struct gbx_grid_cell *target) {
        bool usable = !cell->grid->unusable;
        int r;

        if (cell->size == 0)
                return 0;
        r = check_characters(cell);
        if (r >= 0 && cell->size > cell->inspection->policy->release.max_text)
                r = FIND(cell, "cell-length", GBX_SEVERITY_FAIL, "%zu bytes, %llu are allowed", cell->size,
                         (unsigned long long)cell->inspection->policy->release.max_text);
        if (r >= 0 && cell->column->allowed && cell->column->allowed->values.count)
                r = check_vocabulary(cell);
        if (r < 0 || (usable && cell->grid->unusable))
                return r;
        return store(cell, target, cell->text, cell->size);
}

/* --- the others ---------------------------------------------------------------------- */

static int add_word(const struct cell *cell, struct gbx_grid_cell *target) {
        char text[16] = "";
        bool good;

        if (cell->size < sizeof text)
                memcpy(text, cell->text, cell->size);
        if (cell->column->declared->type == GBX_TYPE_DATE)
                good = gbx_date_valid(text);
        else
                good = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
        if (!good || strlen(text) != cell->size)
                return REFUSE(cell, "cell-type", "not a %s", gbx_column_type_name(cell->column->declared->type));
        return store(cell, target, cell->text, cell->size);
}

int gbx_grid_add_cell(struct gbx_inspection *inspection, struct gbx_grid *grid, size_t column, uint64_t row,
                      const char *text, size_t size) {
        struct gbx_grid_cell *target = grid->cells + (size_t)(row - 1) * grid->column_count + column;
        struct cell cell = { inspection, grid, grid->columns + column, row, text, size };
        int r = 0;

        *target = (struct gbx_grid_cell){};
        if (size == 0) {
                if (cell.column->declared->role != GBX_COLUMN_COUNT)
                        return 0;
                return FIND(&cell, "minimum-count", GBX_SEVERITY_FAIL, "the count is missing");
        }
        if (cell.column->declared->type != GBX_TYPE_INTEGER && cell.column->declared->type != GBX_TYPE_DECIMAL)
                r = scan_text(&cell, text, size);
        if (r < 0)
                return r;
        switch (cell.column->declared->type) {
        case GBX_TYPE_INTEGER:
        case GBX_TYPE_DECIMAL:
                return add_number(&cell, target);
        case GBX_TYPE_TEXT:
                return add_text(&cell, target);
        default:
                return add_word(&cell, target);
        }
}
