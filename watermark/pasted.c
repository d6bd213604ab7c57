#include "watermark/pasted.h"

#include "base/cleanup.h"
#include "watermark/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 4096 };

static bool looks_numeric(const char *text, size_t size) {
        struct gbx_number number;

        return size > 0 && (gbx_number_parse_loose(text, size, '.', &number) ||
                            gbx_number_parse_loose(text, size, ',', &number));
}

bool gbx_pasted_headless(const char *const *cells, const size_t *sizes, size_t count) {
        size_t numeric = 0, filled = 0;

        for (size_t i = 0; i < count; i++) {
                filled += sizes[i] > 0;
                numeric += looks_numeric(cells[i], sizes[i]);
        }
        return numeric > 0 && 3 * numeric >= filled;
}

int gbx_pasted_first_row(struct gbx_table *table, const char *const *cells, const size_t *sizes, size_t count,
                         struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) const char **names = calloc(count, sizeof *names);
        gbx_auto(gbx_free_pointer) size_t *lengths = calloc(count, sizeof *lengths);
        gbx_auto(gbx_free_pointer) char(*made)[24] = calloc(count, sizeof *made);
        int r;

        if (!names || !lengths || !made)
                return gbx_fail_memory(err);
        if (!gbx_pasted_headless(cells, sizes, count))
                return gbx_table_begin(table, cells, sizes, count, err);
        table->headless = true;
        for (size_t i = 0; i < count; i++) {
                lengths[i] = (size_t)snprintf(made[i], sizeof made[i], "column %zu", i + 1);
                names[i] = made[i];
        }
        r = gbx_table_begin(table, names, lengths, count, err);
        return r < 0 ? r : gbx_table_add_row(table, cells, sizes, count, err);
}

struct line {
        const char *text;
        size_t size;
};

struct fields {
        const char *cells[MAX_FIELDS];
        size_t sizes[MAX_FIELDS];
        size_t count;
};

static bool next_line(const char *text, size_t size, size_t *at, struct line *ret) {
        const char *end;

        if (*at >= size)
                return false;
        end = memchr(text + *at, '\n', size - *at);
        *ret = (struct line){ text + *at, end ? (size_t)(end - text) - *at : size - *at };
        *at += ret->size + (end != NULL);
        if (ret->size > 0 && ret->text[ret->size - 1] == '\r')
                ret->size--;
        return true;
}

static bool blank(char c) { return c == ' ' || c == '\t'; }

static void trim(struct line *line) {
        while (line->size > 0 && blank(*line->text))
                line->text++, line->size--;
        while (line->size > 0 && blank(line->text[line->size - 1]))
                line->size--;
}

/* Bytes of a vertical bar (ASCII or box drawing), 0 if none stands here. */
static size_t bar_at(const char *text, size_t size) {
        static const char *const bars[] = { "|", "\xe2\x94\x82", "\xe2\x94\x83", "\xe2\x95\x91" };

        for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
                size_t n = strlen(bars[i]);

                if (size >= n && memcmp(text, bars[i], n) == 0)
                        return n;
        }
        return 0;
}

/* A line that only draws: dashes, crosses, colons, box characters. */
static bool rule(struct line line) {
        size_t seen = 0;

        for (size_t i = 0; i < line.size; i++) {
                if (strchr("-+=:| \t", line.text[i])) {
                        seen += !blank(line.text[i]);
                } else if ((uint8_t)line.text[i] == 0xe2 && i + 2 < line.size &&
                           ((uint8_t)line.text[i + 1] == 0x94 || (uint8_t)line.text[i + 1] == 0x95)) {
                        seen++;
                        i += 2;
                } else {
                        return false;
                }
        }
        return seen > 0;
}

bool gbx_pasted_drawn(const char *text, size_t size) {
        struct line line;
        size_t at = 0;

        for (int i = 0; i < 3 && next_line(text, size, &at, &line); i++) {
                trim(&line);
                if (line.size > 0 && (rule(line) || bar_at(line.text, line.size)))
                        return true;
        }
        return false;
}

static int add_field(struct fields *fields, struct line field) {
        trim(&field);
        if (fields->count == MAX_FIELDS)
                return -EINVAL;
        fields->cells[fields->count] = field.text;
        fields->sizes[fields->count++] = field.size;
        return 0;
}

static int split_bars(struct line line, struct fields *fields) {
        size_t from, n;

        trim(&line);
        fields->count = 0;
        from = bar_at(line.text, line.size);
        for (size_t i = from; i < line.size; i++) {
                n = bar_at(line.text + i, line.size - i);
                if (n == 0)
                        continue;
                if (add_field(fields, (struct line){ line.text + from, i - from }) < 0)
                        return -EINVAL;
                from = i + n;
                i = from - 1;
        }
        return from < line.size ? add_field(fields, (struct line){ line.text + from, line.size - from }) : 0;
}

static int split_blanks(struct line line, size_t least, struct fields *fields) {
        size_t from = 0;

        trim(&line);
        fields->count = 0;
        for (size_t i = 0; i < line.size; i++) {
                size_t run = 0;

                while (i + run < line.size && blank(line.text[i + run]))
                        run++;
                if (run < least && !(run == 1 && line.text[i] == '\t')) {
                        i += run ? run - 1 : 0;
                        continue;
                }
                if (add_field(fields, (struct line){ line.text + from, i - from }) < 0)
                        return -EINVAL;
                from = i + run;
                i = from - 1;
        }
        return add_field(fields, (struct line){ line.text + from, line.size - from });
}

enum splitting { BY_BARS, BY_TWO_BLANKS, BY_ONE_BLANK };

static int split(struct line line, enum splitting how, struct fields *fields) {
        return how == BY_BARS ? split_bars(line, fields) : split_blanks(line, how == BY_TWO_BLANKS ? 2 : 1, fields);
}

/* Reads all lines one way; lines that do not fit are passed over and counted. */
static int read_lines(struct gbx_table *table, const char *text, size_t size, enum splitting how, size_t *ret_misfits,
                      struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct fields *fields = calloc(1, sizeof *fields);
        size_t at = 0, misfits = 0;
        struct line line;
        int r;

        if (!fields)
                return gbx_fail_memory(err);
        while (next_line(text, size, &at, &line)) {
                trim(&line);
                if (line.size == 0 || rule(line))
                        continue;
                if (split(line, how, fields) < 0)
                        return gbx_fail(err, -EINVAL, "more than %d fields in a line", MAX_FIELDS);
                if (table->columns && fields->count != table->columns) {
                        misfits++;
                        continue;
                }
                if (!table->columns && fields->count < 2) {
                        misfits++; /* a title above the table */
                        continue;
                }
                r = table->columns ? gbx_table_add_row(table, fields->cells, fields->sizes, fields->count, err)
                                   : gbx_pasted_first_row(table, fields->cells, fields->sizes, fields->count, err);
                if (r < 0)
                        return r;
        }
        *ret_misfits = misfits;
        return table->columns ? gbx_table_end(table, err) : gbx_fail(err, -EINVAL, "no line has two columns");
}

int gbx_pasted_read_drawn(struct gbx_table *table, const char *text, size_t size, struct gbx_error *err) {
        size_t misfits;
        int r = read_lines(table, text, size, BY_BARS, &misfits, err);

        return r < 0 ? gbx_context(err, r, "read as a table drawn with bars") : 0;
}

int gbx_pasted_read_aligned(struct gbx_table *table, const char *text, size_t size, struct gbx_error *err) {
        for (enum splitting how = BY_TWO_BLANKS; how <= BY_ONE_BLANK; how++) {
                size_t misfits = 0;
                int r = read_lines(table, text, size, how, &misfits, err);

                if (r >= 0 && 5 * misfits <= table->rows)
                        return 0;
                if (r < 0 && r != -EINVAL)
                        return r;
                gbx_table_free(table);
        }
        return gbx_fail(err, -EINVAL,
                        "the file is no table: neither CSV, TSV nor JSON, and its lines do not agree in their columns");
}
