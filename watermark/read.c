#include "watermark/read.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "base/text.h"
#include "watermark/flatten.h"
#include "watermark/number.h"
#include "watermark/pasted.h"

#include <stdlib.h>
#include <string.h>

enum {
        PROBE_BYTES = 64 * 1024,
        PROBE_ROWS = 200,
        STYLE_SAMPLE = 4096,
        PREAMBLE_LINES = 64,
};

/* Files that are no text, by their first bytes. */
static const struct {
        const char *magic;
        size_t size;
        const char *what;
} kinds[] = {
        { "PAR1", 4, "a Parquet file; convert it to CSV first" },
        { "PK\x03\x04", 4, "a zip archive or spreadsheet; save the sheet as CSV first" },
        { "\x1f\x8b", 2, "a gzip file; decompress it first" },
        { "\x28\xb5\x2f\xfd", 4, "a zstd file; decompress it first" },
        { "\xd0\xcf\x11\xe0", 4, "an old office document; save the sheet as CSV first" },
        { "%PDF", 4, "a PDF; copy the table as text first" },
        { "\x89PNG", 4, "a picture" },
        { "\x7f" "ELF", 4, "a program" },
        { "SQLite format 3", 15, "a SQLite database; export the table as CSV first" },
        { "age-encryption.org", 18, "an age file; decrypt it first" },
};

static int refuse_binary(const char *text, size_t size, struct gbx_error *err) {
        const char *zero = size ? memchr(text, 0, size) : NULL;

        for (size_t i = 0; i < gbx_array_size(kinds); i++)
                if (size >= kinds[i].size && memcmp(text, kinds[i].magic, kinds[i].size) == 0)
                        return gbx_fail(err, -EINVAL, "the file is %s", kinds[i].what);
        if (zero)
                return gbx_fail(err, -EINVAL, "the file is binary, no table: NUL byte at offset %zu", (size_t)(zero - text));
        for (size_t i = 0; i < size; i++)
                if (!strchr(" \t\r\n", text[i]))
                        return 0;
        return gbx_fail(err, -EINVAL, "the file is empty");
}

/* UTF-16 with a byte order mark to UTF-8. */
static int from_utf16(const uint8_t *data, size_t size, struct gbx_buffer *text, struct gbx_error *err) {
        bool big = data[0] == 0xfe;
        int r = 0;

        for (size_t i = 2; i + 1 < size && r >= 0; i += 2) {
                uint32_t c = (uint32_t)(big ? data[i] << 8 | data[i + 1] : data[i + 1] << 8 | data[i]);
                char bytes[4];

                if (c >= 0xd800 && c < 0xdc00 && i + 3 < size) {
                        uint32_t low = (uint32_t)(big ? data[i + 2] << 8 | data[i + 3] : data[i + 3] << 8 | data[i + 2]);

                        c = 0x10000 + ((c - 0xd800) << 10) + (low & 0x3ff);
                        i += 2;
                }
                if (c < 0x80) {
                        r = gbx_buffer_append_byte(text, (uint8_t)c, err);
                        continue;
                }
                bytes[0] = (char)(c < 0x800 ? 0xc0 | c >> 6 : c < 0x10000 ? 0xe0 | c >> 12 : 0xf0 | c >> 18);
                bytes[1] = (char)(0x80 | (c >> (c < 0x800 ? 0 : c < 0x10000 ? 6 : 12) & 0x3f));
                bytes[2] = (char)(0x80 | (c >> (c < 0x10000 ? 0 : 6) & 0x3f));
                bytes[3] = (char)(0x80 | (c & 0x3f));
                r = gbx_buffer_append(text, bytes, c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, err);
        }
        return r;
}

/* Behind banner and comment lines, empty lines, and the "sep=;" that spreadsheets know. */
static size_t skip_preamble(const char *text, size_t size) {
        size_t at = 0;

        for (int i = 0; i < PREAMBLE_LINES && at < size; i++) {
                const char *end = memchr(text + at, '\n', size - at);
                size_t length = end ? (size_t)(end - text) - at : size - at;
                size_t blanks = strspn(text + at, " \t\r");

                if (text[at] != '#' && blanks < length && strncmp(text + at, "sep=", 4) != 0)
                        break;
                at += length + (end != NULL);
        }
        return at < size ? at : 0;
}

/* How well a separator fits: number of fields that at least nine rows of ten and the first one have; 0: not at all. */
static size_t probe(const char *text, size_t size, char separator) {
        const struct gbx_csv_options options = { .separator = separator, .allow_ragged = true };
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        size_t rows = 0, fitting = 0, fields = 0;
        struct gbx_csv_row row;

        if (size > PROBE_BYTES) {
                const char *end = memrchr(text, '\n', PROBE_BYTES);

                size = end ? (size_t)(end - text) : PROBE_BYTES;
        }
        if (gbx_csv_new_memory(&csv, text, size, &options, NULL) < 0)
                return 0;
        while (rows < PROBE_ROWS && gbx_csv_next(csv, &row, NULL) > 0) {
                if (rows++ == 0)
                        fields = row.count;
                fitting += row.count == fields;
        }
        return rows >= 2 && 10 * fitting >= 9 * rows ? fields : 0;
}

static bool looks_numeric(const char *text, size_t size) {
        struct gbx_number number;

        return size > 0 && (gbx_number_parse_loose(text, size, '.', &number) ||
                            gbx_number_parse_loose(text, size, ',', &number));
}

static int read_separated(struct gbx_suspect *suspect, const char *text, size_t size, char separator,
                          struct gbx_error *err) {
        const struct gbx_csv_options options = { .separator = separator, .allow_ragged = true };
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        gbx_auto(gbx_free_pointer) const char **cells = NULL;
        gbx_auto(gbx_free_pointer) size_t *sizes = NULL;
        struct gbx_table *table = &suspect->table;
        struct gbx_csv_row row;
        size_t columns = 0;
        int r = gbx_csv_new_memory(&csv, text, size, &options, err);

        if (r < 0)
                return r;
        while ((r = gbx_csv_next(csv, &row, err)) > 0) {
                if (!columns) {
                        columns = row.count;
                        cells = calloc(columns, sizeof *cells);
                        sizes = calloc(columns, sizeof *sizes);
                        if (!cells || !sizes)
                                return gbx_fail_memory(err);
                } else if (row.count != columns) {
                        suspect->skipped += row.count > 1 || row.fields[0].size > 0;
                        continue;
                }
                for (size_t i = 0; i < columns; i++) {
                        cells[i] = row.fields[i].data;
                        sizes[i] = row.fields[i].size;
                }
                if (table->columns) {
                        r = gbx_table_add_row(table, cells, sizes, columns, err);
                } else {
                        r = gbx_pasted_first_row(table, cells, sizes, columns, err);
                        if (r >= 0)
                                r = gbx_table_expect(table, text, size, err);
                }
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : gbx_table_end(table, err);
}

static int read_json(struct gbx_suspect *suspect, const char *text, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer array = {};
        size_t end = 0;
        int r = gbx_json_read(&suspect->json, text, size, &end, err);

        suspect->format = "JSON";
        if (r >= 0 && end < size) { /* a value a line: made one array, line feeds kept for the places of errors */
                suspect->format = "JSON lines";
                r = gbx_buffer_append_byte(&array, '[', err);
                for (size_t at = 0; at < size && r >= 0;) {
                        const char *newline = memchr(text + at, '\n', size - at);
                        size_t length = newline ? (size_t)(newline - text) - at : size - at;
                        size_t next = at + length + (newline != NULL);

                        r = gbx_buffer_append(&array, text + at, length, err);
                        next += strspn(text + next, " \t\r\n");
                        if (r >= 0 && next < size)
                                r = gbx_buffer_append(&array, ",\n", 2, err);
                        at = next;
                }
                if (r >= 0)
                        r = gbx_buffer_append_byte(&array, ']', err);
                gbx_json_free(&suspect->json);
                if (r >= 0)
                        r = gbx_json_read(&suspect->json, (const char *)array.data, array.size, NULL, err);
        }
        if (r < 0)
                return gbx_context(err, r, "read as %s", suspect->format);
        suspect->is_json = true;
        return gbx_flatten(&suspect->table, &suspect->json, true, err);
}

static int read_text(struct gbx_suspect *suspect, const char *text, size_t size, struct gbx_error *err) {
        static const struct {
                char separator;
                const char *format;
        } separators[] = { { '\t', "TSV" }, { ';', "CSV with semicolons" }, { ',', "CSV" }, { '|', "CSV with bars" } };
        size_t skip = skip_preamble(text, size), best = 1, fields[gbx_array_size(separators)];
        const char *line = text + skip;
        int chosen = -1, r;

        text += skip;
        size -= skip;
        if (gbx_pasted_drawn(line, size)) {
                suspect->format = "text table";
                return gbx_pasted_read_drawn(&suspect->table, text, size, err);
        }
        for (size_t i = 0; i < gbx_array_size(separators); i++) {
                fields[i] = probe(text, size, separators[i].separator);
                if (fields[i] > best) {
                        best = fields[i];
                        chosen = (int)i;
                }
        }
        if (chosen >= 0) {
                suspect->format = separators[chosen].format;
                r = read_separated(suspect, text, size, separators[chosen].separator, err);
                return r < 0 ? gbx_context(err, r, "read as %s", suspect->format) : 0;
        }
        suspect->format = "text table";
        return gbx_pasted_read_aligned(&suspect->table, text, size, err);
}

static struct gbx_number_style observe_column(const struct gbx_table *table, size_t column) {
        size_t step = (table->rows + STYLE_SAMPLE - 1) / STYLE_SAMPLE;
        struct gbx_number_style style = {};

        for (size_t row = 0; row < table->rows; row += step) {
                size_t size;
                const char *text = gbx_table_cell(table, row, column, &size);

                if (looks_numeric(text, size))
                        gbx_number_observe(&style, text, size);
        }
        return style;
}

char gbx_suspect_separator(const struct gbx_table *table, size_t column, char fallback) {
        struct gbx_number_style style = observe_column(table, column);

        return gbx_number_separator(&style, fallback);
}

char gbx_suspect_integer_separator(const struct gbx_table *table, size_t column, char fallback) {
        struct gbx_number_style style = observe_column(table, column);

        for (int k = 0; k < 2; k++)
                if (style.ambiguous[k] > 0 && style.decimal[k] == 0 && style.ambiguous[!k] + style.decimal[!k] == 0)
                        return k == 0 ? ',' : '.';
        return gbx_number_separator(&style, fallback);
}

/* The separator that most columns speak for. */
static char file_separator(const struct gbx_table *table) {
        size_t points = 0, commas = 0;

        for (size_t i = 0; i < table->columns; i++) {
                char separator = gbx_suspect_separator(table, i, 0);

                points += separator == '.';
                commas += separator == ',';
        }
        return commas > points ? ',' : '.';
}

int gbx_suspect_read(struct gbx_suspect *suspect, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer converted = {};
        const uint8_t *bytes = data;
        size_t first;
        int r;

        if (size > GBX_TABLE_MAX_BYTES)
                return gbx_fail(err, -EFBIG, "the file is larger than %d MiB", GBX_TABLE_MAX_BYTES >> 20);
        if (size >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff)))
                r = from_utf16(bytes, size, &converted, err);
        else if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
                r = gbx_buffer_append(&converted, bytes + 3, size - 3, err);
        else
                r = gbx_buffer_append(&converted, bytes, size, err);
        if (r >= 0)
                r = refuse_binary(gbx_buffer_text(&converted), converted.size, err);
        if (r < 0)
                return r;
        first = strspn(gbx_buffer_text(&converted), " \t\r\n");
        if (first < converted.size && (converted.data[first] == '{' || converted.data[first] == '['))
                r = read_json(suspect, (const char *)converted.data, converted.size, err);
        else
                r = read_text(suspect, (const char *)converted.data, converted.size, err);
        if (r < 0)
                return r;
        suspect->separator = file_separator(&suspect->table);
        return 0;
}

void gbx_suspect_free(struct gbx_suspect *suspect) {
        gbx_table_free(&suspect->table);
        gbx_json_free(&suspect->json);
        *suspect = (struct gbx_suspect){};
}
