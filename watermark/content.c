#include "watermark/content.h"

#include "base/cleanup.h"
#include "watermark/number.h"
#include "watermark/read.h"

#include <stdlib.h>
#include <string.h>

struct digest {
        uint8_t bytes[GBX_SHA256_SIZE];
};

struct column {
        struct digest digest; /* of all its values, in no order */
        size_t index;
        char separator;
};

static int by_digest(const void *a, const void *b) { return memcmp(a, b, GBX_SHA256_SIZE); }

/* A cell without what reformatting changes. */
static void cell_digest(const struct gbx_table *table, size_t row, const struct column *column, struct digest *ret) {
        size_t size;
        const char *text = gbx_table_cell(table, row, column->index, &size), *invisible;
        struct gbx_number number;
        char print[GBX_NUMBER_TEXT_SIZE];

        while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
                size--;
        while (size > 0 && (*text == ' ' || *text == '\t'))
                text++, size--;
        if (gbx_number_parse_loose(text, size, column->separator, &number)) {
                size = gbx_number_print(gbx_number_reduce(number), print);
                text = print;
        }
        /* The one invisible character that marking may have put in (layout.h). */
        invisible = memmem(text, size, "\xe2\x80\x8b", 3);
        if (invisible) {
                const size_t before = (size_t)(invisible - text);
                const struct gbx_bytes parts[] = { { text, before }, { invisible + 3, size - before - 3 } };

                gbx_sha256_parts(parts, 2, ret->bytes);
                return;
        }
        gbx_sha256(text, size, ret->bytes);
}

static int digest_columns(const struct gbx_suspect *suspect, size_t columns, struct column *ret, struct gbx_error *err) {
        const struct gbx_table *table = &suspect->table;
        gbx_auto(gbx_free_pointer) struct digest *values = calloc(table->rows, sizeof *values);

        if (!values)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < columns; i++) {
                ret[i].index = i;
                ret[i].separator = gbx_suspect_separator(table, i, suspect->separator);
                for (size_t row = 0; row < table->rows; row++)
                        cell_digest(table, row, &ret[i], &values[row]);
                qsort(values, table->rows, sizeof *values, by_digest);
                gbx_sha256(values, table->rows * sizeof *values, ret[i].digest.bytes);
        }
        qsort(ret, columns, sizeof *ret, by_digest);
        return 0;
}

int gbx_content_digest(const void *data, size_t size, uint8_t ret_digest[static GBX_SHA256_SIZE],
                       struct gbx_error *err) {
        gbx_auto(gbx_suspect_free) struct gbx_suspect suspect = {};
        gbx_auto(gbx_free_pointer) struct column *columns = NULL;
        gbx_auto(gbx_free_pointer) struct digest *rows = NULL, *cells = NULL;
        size_t count;
        int r = gbx_suspect_read(&suspect, data, size, err);

        if (r < 0)
                return r;
        count = suspect.table.columns - (suspect.is_json ? 1 : 0); /* without the indices */
        columns = calloc(count + 1, sizeof *columns);
        rows = calloc(suspect.table.rows, sizeof *rows);
        cells = calloc(count + 1, sizeof *cells);
        if (!columns || !rows || !cells)
                return gbx_fail_memory(err);
        r = digest_columns(&suspect, count, columns, err);
        if (r < 0)
                return r;
        for (size_t row = 0; row < suspect.table.rows; row++) {
                for (size_t i = 0; i < count; i++)
                        cell_digest(&suspect.table, row, &columns[i], &cells[i]);
                gbx_sha256(cells, count * sizeof *cells, rows[row].bytes);
        }
        qsort(rows, suspect.table.rows, sizeof *rows, by_digest);
        gbx_sha256(rows, suspect.table.rows * sizeof *rows, ret_digest);
        return 0;
}
