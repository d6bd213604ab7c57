#include "base/csv.h"

#include "base/cleanup.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
        CHUNK = 256 * 1024,
        DEFAULT_COLUMNS = 4096,
        DEFAULT_ROW = 1024 * 1024,
};

/* Classes of bytes that end the fast run over plain field content. */
enum { PLAIN = 0, SEPARATOR, NEWLINE, RETURN, QUOTE, ZERO };

struct gbx_csv {
        struct gbx_csv_options options;
        uint8_t class[256];

        int fd; /* -1: from memory */
        const char *memory;
        size_t memory_left;

        char *buffer;
        size_t capacity;
        size_t start; /* of the next row */
        size_t end;   /* of the bytes in the buffer */
        bool exhausted;

        struct gbx_csv_field *fields;
        size_t field_capacity;
        size_t first_count; /* fields of the first row; 0 before it */
        uint64_t line;
        uint64_t passed; /* bytes of the input before the buffer's first */
};

/* What the scan of one row found, as offsets, since the buffer may still move. */
struct scan {
        size_t count;
        size_t next;  /* where the next row starts */
        uint64_t lines; /* line feeds passed, those inside quotes too */
        bool doubled; /* some field holds "" and must be unescaped */
};

static int new_reader(struct gbx_csv **ret, const struct gbx_csv_options *options, struct gbx_error *err) {
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = calloc(1, sizeof *csv);

        if (!csv)
                return gbx_fail_memory(err);
        csv->fd = -1;
        csv->line = 1;
        if (options)
                csv->options = *options;
        if (!csv->options.separator)
                csv->options.separator = ',';
        if (!csv->options.max_columns)
                csv->options.max_columns = DEFAULT_COLUMNS;
        if (!csv->options.max_row)
                csv->options.max_row = DEFAULT_ROW;
        csv->class[(uint8_t)csv->options.separator] = SEPARATOR;
        csv->class['\n'] = NEWLINE;
        csv->class['\r'] = RETURN;
        csv->class['"'] = QUOTE;
        csv->class[0] = ZERO;
        csv->capacity = CHUNK + 1; /* one byte more for a zero behind a last row without newline */
        csv->buffer = malloc(csv->capacity);
        if (!csv->buffer)
                return gbx_fail_memory(err);
        *ret = gbx_take_ptr(csv);
        return 0;
}

int gbx_csv_new(struct gbx_csv **ret, int fd, const struct gbx_csv_options *options, struct gbx_error *err) {
        struct gbx_csv *csv;
        int r = new_reader(&csv, options, err);

        if (r < 0)
                return r;
        csv->fd = fd;
        *ret = csv;
        return 0;
}

int gbx_csv_new_memory(struct gbx_csv **ret, const void *data, size_t size, const struct gbx_csv_options *options,
                       struct gbx_error *err) {
        struct gbx_csv *csv;
        int r = new_reader(&csv, options, err);

        if (r < 0)
                return r;
        csv->memory = data;
        csv->memory_left = size;
        *ret = csv;
        return 0;
}

struct gbx_csv *gbx_csv_free(struct gbx_csv *csv) {
        if (csv) {
                free(csv->buffer);
                free(csv->fields);
                free(csv);
        }
        return NULL;
}

static int bad(const struct gbx_csv *csv, const struct scan *scan, size_t column, struct gbx_error *err,
               const char *what) {
        return gbx_fail(err, -EINVAL, "line %llu, field %zu: %s", (unsigned long long)(csv->line + scan->lines), column,
                        what);
}

/* Moves the unfinished row to the front and reads more behind it. */
static int refill(struct gbx_csv *csv, struct gbx_error *err) {
        size_t kept = csv->end - csv->start;
        ssize_t n;

        if (kept > csv->options.max_row)
                return gbx_fail(err, -EINVAL, "line %llu: the row is longer than %zu bytes",
                                (unsigned long long)csv->line, csv->options.max_row);
        memmove(csv->buffer, csv->buffer + csv->start, kept);
        csv->passed += csv->start;
        csv->start = 0;
        csv->end = kept;
        if (csv->capacity - 1 - kept < CHUNK / 2) {
                char *grown = realloc(csv->buffer, 2 * csv->capacity);

                if (!grown)
                        return gbx_fail_memory(err);
                csv->buffer = grown;
                csv->capacity *= 2;
        }
        n = (ssize_t)(csv->capacity - 1 - kept);
        if (csv->fd < 0) {
                if ((size_t)n > csv->memory_left)
                        n = (ssize_t)csv->memory_left;
                if (n)
                        memcpy(csv->buffer + kept, csv->memory, (size_t)n);
                csv->memory += n;
                csv->memory_left -= (size_t)n;
        } else {
                do
                        n = read(csv->fd, csv->buffer + kept, (size_t)n);
                while (n < 0 && errno == EINTR);
                if (n < 0)
                        return gbx_fail_errno(err, "line %llu: cannot read", (unsigned long long)csv->line);
        }
        csv->end += (size_t)n;
        csv->exhausted = n == 0;
        return 0;
}

static int add_field(struct gbx_csv *csv, struct scan *scan, size_t from, size_t to, bool quoted,
                     struct gbx_error *err) {
        if (scan->count == csv->options.max_columns)
                return bad(csv, scan, scan->count + 1, err, "more fields than allowed");
        if (scan->count == csv->field_capacity) {
                size_t capacity = csv->field_capacity ? 2 * csv->field_capacity : 32;
                struct gbx_csv_field *grown = reallocarray(csv->fields, capacity, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(err);
                csv->fields = grown;
                csv->field_capacity = capacity;
        }
        /* `data` holds an offset until the row is complete. */
        csv->fields[scan->count++] = (struct gbx_csv_field){ (const char *)(uintptr_t)from, to - from, quoted };
        return 0;
}

/* Scans a quoted field from behind its first quote. Returns 1 with `*at` behind
 * the closing quote and `*ret_to` on it, 0 if the buffer ends first. */
static int scan_quoted(const struct gbx_csv *csv, struct scan *scan, size_t *at, size_t *ret_to, struct gbx_error *err) {
        const char *buffer = csv->buffer;
        size_t i = *at;

        for (;; i++) {
                if (i == csv->end)
                        return csv->exhausted ? bad(csv, scan, scan->count + 1, err, "the quoted field is not closed") : 0;
                if (buffer[i] == '\n')
                        scan->lines++;
                else if (buffer[i] == '\0')
                        return bad(csv, scan, scan->count + 1, err, "NUL byte");
                else if (buffer[i] == '"') {
                        if (i + 1 == csv->end && !csv->exhausted)
                                return 0;
                        if (i + 1 == csv->end || buffer[i + 1] != '"')
                                break;
                        scan->doubled = true;
                        i++;
                }
        }
        *ret_to = i;
        *at = i + 1;
        return 1;
}

/* Where the run of plain bytes from `i` ends: at a byte of another class, or at the end of the buffer. */
static size_t skip_plain(const struct gbx_csv *csv, size_t i) {
        const char *buffer = csv->buffer;

#ifdef __SSE2__ /* sixteen bytes at a time; every x86-64 processor can */
        const __m128i separator = _mm_set1_epi8(csv->options.separator), newline = _mm_set1_epi8('\n'),
                      carriage_return = _mm_set1_epi8('\r'), quote = _mm_set1_epi8('"'), zero = _mm_setzero_si128();

        for (; csv->end - i >= 16; i += 16) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(buffer + i));
                __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, separator), _mm_cmpeq_epi8(bytes, newline)),
                                               _mm_or_si128(_mm_cmpeq_epi8(bytes, carriage_return),
                                                            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, zero))));
                int mask = _mm_movemask_epi8(special);

                if (mask)
                        return i + (size_t)__builtin_ctz((unsigned)mask);
        }
#endif
        while (i < csv->end && csv->class[(uint8_t)buffer[i]] == PLAIN)
                i++;
        return i;
}

/* Scans one row. Returns 1 when it is complete, 0 if the buffer ends first. */
static int scan_row(struct gbx_csv *csv, struct scan *scan, struct gbx_error *err) {
        const char *buffer = csv->buffer;
        size_t i = csv->start;
        int r;

        for (;;) {
                size_t from = i, to = i;
                bool quoted = i < csv->end && buffer[i] == '"';
                uint8_t class;

                if (quoted) {
                        i++;
                        from = i;
                        r = scan_quoted(csv, scan, &i, &to, err);
                        if (r <= 0)
                                return r;
                } else {
                        i = skip_plain(csv, i);
                        to = i;
                }
                if (i == csv->end && !csv->exhausted)
                        return 0;
                class = i == csv->end ? NEWLINE : csv->class[(uint8_t)buffer[i]];
                if (class == RETURN) {
                        if (i + 1 == csv->end && !csv->exhausted)
                                return 0;
                        if (i + 1 == csv->end || buffer[i + 1] != '\n')
                                return bad(csv, scan, scan->count + 1, err, "carriage return without line feed");
                        i++;
                        class = NEWLINE;
                }
                if (class == ZERO)
                        return bad(csv, scan, scan->count + 1, err, "NUL byte");
                if (class == QUOTE)
                        return bad(csv, scan, scan->count + 1, err, "a quote inside a field without quotes around it");
                if (class == PLAIN)
                        return bad(csv, scan, scan->count + 1, err, "text behind the closing quote");
                r = add_field(csv, scan, from, to, quoted, err);
                if (r < 0)
                        return r;
                if (class == NEWLINE) {
                        scan->next = i < csv->end ? i + 1 : i;
                        scan->lines += i < csv->end;
                        return 1;
                }
                i++;
        }
}

static void unescape(char *data, size_t *size) {
        size_t kept = 0;

        for (size_t i = 0; i < *size; i++) {
                data[kept++] = data[i];
                if (data[i] == '"')
                        i++;
        }
        *size = kept;
}

/* Turns offsets into pointers and ends each field with a zero byte. */
static void finish_row(struct gbx_csv *csv, const struct scan *scan) {
        for (size_t k = 0; k < scan->count; k++) {
                struct gbx_csv_field *field = &csv->fields[k];
                char *data = csv->buffer + (uintptr_t)field->data;

                if (scan->doubled && field->quoted)
                        unescape(data, &field->size);
                data[field->size] = '\0';
                field->data = data;
        }
}

int gbx_csv_next(struct gbx_csv *csv, struct gbx_csv_row *ret_row, struct gbx_error *err) {
        struct scan scan;
        bool first = csv->first_count == 0;
        int r;

        for (;;) {
                if (csv->start == csv->end && csv->exhausted)
                        return 0;
                if (first && csv->end >= 3 && memcmp(csv->buffer, "\xef\xbb\xbf", 3) == 0 && csv->start == 0)
                        csv->start = 3;
                scan = (struct scan){};
                r = csv->start < csv->end ? scan_row(csv, &scan, err) : 0;
                if (r < 0)
                        return r;
                if (r > 0)
                        break;
                r = refill(csv, err);
                if (r < 0)
                        return r;
        }
        if (first)
                csv->first_count = scan.count;
        else if (scan.count != csv->first_count && !csv->options.allow_ragged)
                return gbx_fail(err, -EINVAL, "line %llu: %zu fields, expected %zu", (unsigned long long)csv->line,
                                scan.count, csv->first_count);
        if (scan.next - csv->start > csv->options.max_row)
                return gbx_fail(err, -EINVAL, "line %llu: the row is longer than %zu bytes",
                                (unsigned long long)csv->line, csv->options.max_row);
        finish_row(csv, &scan);
        *ret_row = (struct gbx_csv_row){ csv->fields, scan.count, csv->line, csv->passed + csv->start };
        csv->line += scan.lines;
        csv->start = scan.next;
        return 1;
}

int gbx_csv_write_field(struct gbx_buffer *buffer, const char *data, size_t size, bool quote, struct gbx_error *err) {
        int r;

        for (size_t i = 0; i < size && !quote; i++)
                quote = data[i] == ',' || data[i] == '"' || data[i] == '\n' || data[i] == '\r';
        if (!quote)
                return gbx_buffer_append(buffer, data, size, err);
        r = gbx_buffer_append_byte(buffer, '"', err);
        for (size_t i = 0; i < size && r >= 0; i++) {
                if (data[i] == '"')
                        r = gbx_buffer_append_byte(buffer, '"', err);
                if (r >= 0)
                        r = gbx_buffer_append_byte(buffer, (uint8_t)data[i], err);
        }
        return r < 0 ? r : gbx_buffer_append_byte(buffer, '"', err);
}
