#include "watermark/layout.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "watermark/layout_json.h"

#include <stdlib.h>
#include <string.h>

static const char zero_width[] = "\xe2\x80\x8b";
enum { ZERO_WIDTH_SIZE = 3 };

int gbx_layout_symbol(const struct gbx_mark_keys *keys, const uint8_t key[static 16], char channel,
                      const struct gbx_buffer *text, unsigned *ret, struct gbx_error *err) {
        struct gbx_sip_key mine = keys->layout;
        struct gbx_cell_id id;
        struct gbx_draw draw;
        int r;

        mine.half[1] ^= (uint8_t)channel;
        id = gbx_sip128(&mine, text->data, text->size);
        r = gbx_mark_draw(key, &id, 1, &draw, err);
        if (r < 0)
                return r;
        *ret = draw.symbol >> 31;
        return 0;
}

/* --- pairs of rows ------------------------------------------------------------------ */

struct piece {
        size_t from, to; /* in the text; line end included */
};

/* Where the rows of a CSV stand. */
static int find_rows(const char *text, size_t size, struct piece **ret, size_t *ret_count, struct gbx_error *err) {
        const struct gbx_csv_options options = { .allow_ragged = true };
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        gbx_auto(gbx_free_pointer) struct piece *rows = NULL;
        size_t count = 0, capacity = 0;
        struct gbx_csv_row row;
        int r = gbx_csv_new_memory(&csv, text, size, &options, err);

        if (r < 0)
                return r;
        while ((r = gbx_csv_next(csv, &row, err)) > 0) {
                if (count == capacity) {
                        struct piece *grown;

                        capacity = capacity ? 2 * capacity : 64;
                        grown = reallocarray(rows, capacity, sizeof *rows);
                        if (!grown)
                                return gbx_fail_memory(err);
                        rows = grown;
                }
                if (count > 0)
                        rows[count - 1].to = row.offset;
                rows[count++] = (struct piece){ row.offset, size };
        }
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(rows);
        *ret_count = count;
        return 0;
}

static size_t line_size(const char *text, struct piece row) {
        size_t size = row.to - row.from;

        while (size > 0 && (text[row.from + size - 1] == '\n' || text[row.from + size - 1] == '\r'))
                size--;
        return size;
}

static int compare_rows(const char *text, struct piece a, struct piece b) {
        size_t x = line_size(text, a), y = line_size(text, b);
        int order = memcmp(text + a.from, text + b.from, x < y ? x : y);

        return order ? order : x < y ? -1 : x > y;
}

/* The symbol of two rows: 1 if the smaller one comes first. Returns 1 if they are alike. */
static int pair_symbol(const struct gbx_mark_keys *keys, const uint8_t key[static 16], const char *text, struct piece a,
                       struct piece b, unsigned *ret_wanted, unsigned *ret_shown, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer both = {};
        int order = compare_rows(text, a, b), r;
        struct piece first = order < 0 ? a : b, second = order < 0 ? b : a;

        if (order == 0)
                return 1;
        r = gbx_buffer_append(&both, text + first.from, line_size(text, first), err);
        if (r >= 0)
                r = gbx_buffer_append_byte(&both, '\n', err);
        if (r >= 0)
                r = gbx_buffer_append(&both, text + second.from, line_size(text, second), err);
        if (r >= 0)
                r = gbx_layout_symbol(keys, key, 'r', &both, ret_wanted, err);
        *ret_shown = order < 0;
        return r;
}

static int order_rows(const struct gbx_mark_keys *keys, const uint8_t key[static 16], struct gbx_buffer *copy,
                      struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = { .secret = copy->secret };
        gbx_auto(gbx_free_pointer) struct piece *rows = NULL;
        const char *text = gbx_buffer_text(copy);
        size_t count = 0;
        int r = find_rows(text, copy->size, &rows, &count, err);

        if (r < 0 || count < 3)
                return r;
        r = gbx_buffer_append(&out, text, rows[1].from, err);
        for (size_t i = 1; i < count && r >= 0; i += 2) {
                struct piece first = rows[i], second;
                unsigned wanted, shown;

                if (i + 1 == count || text[rows[i + 1].to - 1] != '\n') { /* a last line without its end stays last */
                        r = gbx_buffer_append(&out, text + first.from, copy->size - first.from, err);
                        break;
                }
                second = rows[i + 1];
                r = pair_symbol(keys, key, text, first, second, &wanted, &shown, err);
                if (r == 0 && wanted != shown) {
                        first = rows[i + 1];
                        second = rows[i];
                }
                if (r >= 0)
                        r = gbx_buffer_append(&out, text + first.from, first.to - first.from, err);
                if (r >= 0)
                        r = gbx_buffer_append(&out, text + second.from, second.to - second.from, err);
        }
        if (r < 0)
                return r;
        gbx_buffer_free(copy);
        *copy = out;
        out = (struct gbx_buffer){};
        return 0;
}

static int compare_order(const struct gbx_mark_keys *keys, const uint8_t key[static 16], const char *text, size_t size,
                         struct gbx_layout_evidence *evidence, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct piece *rows = NULL;
        size_t count = 0;
        int r = find_rows(text, size, &rows, &count, NULL);

        for (size_t i = 1; r >= 0 && i + 1 < count; i += 2) {
                unsigned wanted, shown;
                int alike = pair_symbol(keys, key, text, rows[i], rows[i + 1], &wanted, &shown, err);

                if (alike < 0)
                        return alike;
                evidence->rows += alike == 0;
                evidence->rows_agree += alike == 0 && wanted == shown;
        }
        return 0; /* not CSV: no evidence */
}

/* --- invisible characters -------------------------------------------------------------- */

/* A cell of prose: where the character stands or would stand, behind the first blank. */
struct prose {
        size_t at;
        bool present;
        struct gbx_buffer text; /* without it */
};

static int look_at_prose(const struct gbx_csv_field *field, struct prose *prose, struct gbx_error *err) {
        const char *blank = memchr(field->data, ' ', field->size);
        size_t rest;
        int r;

        gbx_buffer_clear(&prose->text);
        if (!blank || memchr(field->data, '"', (size_t)(blank - field->data)))
                return 1;
        prose->at = (size_t)(blank - field->data) + 1;
        rest = field->size - prose->at;
        prose->present = rest >= ZERO_WIDTH_SIZE && memcmp(blank + 1, zero_width, ZERO_WIDTH_SIZE) == 0;
        r = gbx_buffer_append(&prose->text, field->data, prose->at, err);
        if (r >= 0 && prose->present)
                r = gbx_buffer_append(&prose->text, blank + 1 + ZERO_WIDTH_SIZE, rest - ZERO_WIDTH_SIZE, err);
        else if (r >= 0)
                r = gbx_buffer_append(&prose->text, blank + 1, rest, err);
        return r;
}

static bool is_prose(const struct gbx_record *record, const char *name) {
        for (unsigned i = 0; i < record->plan.column_count; i++)
                if (record->plan.columns[i].prose && strcmp(record->plan.columns[i].name, name) == 0)
                        return true;
        return false;
}

struct pass {
        const struct gbx_record *record;
        const struct gbx_mark_keys *keys;
        const uint8_t *key;
        const char *text;
        struct gbx_buffer *out; /* writing; NULL: comparing */
        size_t written;         /* of the text */
        struct gbx_layout_evidence *evidence;
        bool columns[4096];
        struct prose prose;
};

static int pass_row(struct pass *pass, const struct gbx_csv_row *row, struct gbx_error *err) {
        for (size_t i = 0; i < row->count && i < gbx_array_size(pass->columns); i++) {
                size_t place = row->offset + row->fields[0].quoted + (size_t)(row->fields[i].data - row->fields[0].data);
                unsigned wanted;
                int r = pass->columns[i] ? look_at_prose(&row->fields[i], &pass->prose, err) : 1;

                if (r == 0)
                        r = gbx_layout_symbol(pass->keys, pass->key, 'z', &pass->prose.text, &wanted, err);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (!pass->out) {
                        pass->evidence->zeros++;
                        pass->evidence->zeros_agree += wanted == pass->prose.present;
                        continue;
                }
                if (!wanted || pass->prose.present)
                        continue;
                place += pass->prose.at;
                r = gbx_buffer_append(pass->out, pass->text + pass->written, place - pass->written, err);
                if (r >= 0)
                        r = gbx_buffer_append(pass->out, zero_width, ZERO_WIDTH_SIZE, err);
                if (r < 0)
                        return r;
                pass->written = place;
        }
        return 0;
}

static int pass_prose(struct pass *pass, size_t size, struct gbx_error *err) {
        const struct gbx_csv_options options = { .allow_ragged = true };
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        struct gbx_csv_row row;
        int r = gbx_csv_new_memory(&csv, pass->text, size, &options, err);

        if (r < 0)
                return r;
        for (size_t line = 0; gbx_csv_next(csv, &row, NULL) > 0; line++) {
                for (size_t i = 0; line == 0 && i < row.count && i < gbx_array_size(pass->columns); i++)
                        pass->columns[i] = is_prose(pass->record, row.fields[i].data);
                r = line > 0 ? pass_row(pass, &row, err) : 0;
                if (r < 0)
                        return r;
        }
        return 0; /* what does not read as CSV has no evidence; a copy does */
}

static int write_prose(const struct gbx_record *record, const struct gbx_mark_keys *keys, const uint8_t key[static 16],
                       struct gbx_buffer *copy, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = { .secret = copy->secret };
        struct pass pass = { .record = record, .keys = keys, .key = key, .text = gbx_buffer_text(copy), .out = &out };
        int r = pass_prose(&pass, copy->size, err);

        gbx_buffer_free(&pass.prose.text);
        if (r >= 0)
                r = gbx_buffer_append(&out, pass.text + pass.written, copy->size - pass.written, err);
        if (r < 0)
                return r;
        gbx_buffer_free(copy);
        *copy = out;
        out = (struct gbx_buffer){};
        return 0;
}

/* --- all together -------------------------------------------------------------------------- */

int gbx_layout_apply(const struct gbx_record *record, const struct gbx_mark_keys *keys,
                     const uint8_t release_key[static 16], struct gbx_buffer *copy, struct gbx_error *err) {
        int r = 0;

        if (record->json)
                return gbx_layout_write_json(record->layout, keys, release_key, copy, err);
        if (record->layout & GBX_MARK_ZERO_WIDTH)
                r = write_prose(record, keys, release_key, copy, err);
        if (r >= 0 && record->layout & GBX_MARK_ROW_ORDER)
                r = order_rows(keys, release_key, copy, err);
        return r;
}

int gbx_layout_banner(const char *text, struct gbx_buffer *copy, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = { .secret = copy->secret };
        int r;

        if (strpbrk(text, "\r\n"))
                return gbx_fail(err, -EINVAL, "the banner must be one line");
        r = gbx_buffer_printf(&out, err, "# %s\n", text);
        if (r >= 0)
                r = gbx_buffer_append(&out, copy->data, copy->size, err);
        if (r < 0)
                return r;
        gbx_buffer_free(copy);
        *copy = out;
        out = (struct gbx_buffer){};
        return 0;
}

int gbx_layout_compare(const struct gbx_record *record, const struct gbx_mark_keys *keys,
                       const uint8_t release_key[static 16], const char *text, size_t size,
                       struct gbx_layout_evidence *ret, struct gbx_error *err) {
        struct gbx_layout_evidence evidence = {};
        int r = 0;

        while (size > 0 && *text == '#') { /* the banner */
                const char *end = memchr(text, '\n', size);
                size_t line = end ? (size_t)(end - text) + 1 : size;

                text += line;
                size -= line;
        }
        if (record->json)
                r = gbx_layout_compare_json(record->layout, keys, release_key, text, size, &evidence, err);
        if (r >= 0 && !record->json && record->layout & GBX_MARK_ROW_ORDER)
                r = compare_order(keys, release_key, text, size, &evidence, err);
        if (r >= 0 && !record->json && record->layout & GBX_MARK_ZERO_WIDTH) {
                struct pass pass = { .record = record, .keys = keys, .key = release_key, .text = text, .evidence = &evidence };

                r = pass_prose(&pass, size, err);
                gbx_buffer_free(&pass.prose.text);
        }
        if (r < 0)
                return r;
        *ret = evidence;
        return 0;
}
