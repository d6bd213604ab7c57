#include "gateway/ledger/record.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

/* "GBXL", a version, then numbers as LEB128 and texts with their length in front. A set is its runs: how many, then for
 * each the gap since the last one's end and its length less one. One form only for each record. */
static const char MAGIC[] = "GBXL1";

void gbx_ledger_release_clear(struct gbx_ledger_release *release) {
        for (size_t c = 0; release->cells && c < release->cell_count; c++) {
                struct gbx_ledger_cell *cell = &release->cells[c];

                for (size_t s = 0; cell->statistics && s < cell->statistic_count; s++) {
                        for (size_t t = 0; cell->statistics[s].terms && t < cell->statistics[s].term_count; t++)
                                if (cell->statistics[s].terms[t].units)
                                        roaring_bitmap_free(cell->statistics[s].terms[t].units);
                        free(cell->statistics[s].terms);
                        free(cell->statistics[s].column);
                }
                free(cell->statistics);
                free(cell->label);
        }
        free(release->cells);
        free(release->name);
        free(release->recipient);
        free(release->dataset);
        *release = (struct gbx_ledger_release){};
}

static int put_number(struct gbx_buffer *out, uint64_t value, struct gbx_error *err) {
        int r = 0;

        for (; value >= 0x80 && r == 0; value >>= 7)
                r = gbx_buffer_append_byte(out, (uint8_t)(value | 0x80), err);
        return r ? r : gbx_buffer_append_byte(out, (uint8_t)value, err);
}

static int put_text(struct gbx_buffer *out, const char *text, struct gbx_error *err) {
        int r = put_number(out, strlen(text), err);

        return r ? r : gbx_buffer_append_text(out, text, err);
}

/* The runs of a set: a call for each, in order. */
static int put_set(struct gbx_buffer *out, const roaring_bitmap_t *units, struct gbx_error *err) {
        size_t count = roaring_bitmap_get_cardinality(units), runs = 0;
        gbx_auto(gbx_free_pointer) uint32_t *items = malloc((count + 1) * sizeof *items);
        uint32_t end = 0;
        int r;

        if (!items)
                return gbx_fail_memory(err);
        roaring_bitmap_to_uint32_array(units, items);
        for (size_t i = 0; i < count; i++)
                runs += i == 0 || items[i] != items[i - 1] + 1;
        r = put_number(out, runs, err);
        for (size_t i = 0; i < count && r == 0;) {
                size_t length = 1;

                while (i + length < count && items[i + length] == items[i] + length)
                        length++;
                r = put_number(out, items[i] - end, err);
                if (r == 0)
                        r = put_number(out, length - 1, err);
                end = items[i] + (uint32_t)length;
                i += length;
        }
        return r;
}

static int put_statistic(struct gbx_buffer *out, const struct gbx_ledger_statistic *statistic, struct gbx_error *err) {
        int r = put_text(out, statistic->column, err);

        if (r == 0)
                r = put_number(out, statistic->term_count, err);
        for (size_t t = 0; t < statistic->term_count && r == 0; t++) {
                int64_t weight = statistic->terms[t].weight;

                r = put_number(out, weight < 0 ? (uint64_t)-weight * 2 + 1 : (uint64_t)weight * 2, err);
                if (r == 0)
                        r = put_set(out, statistic->terms[t].units, err);
        }
        return r;
}

int gbx_ledger_record_write(const struct gbx_ledger_release *release, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_buffer_append_text(ret, MAGIC, err);

        if (r == 0)
                r = put_text(ret, release->name, err);
        if (r == 0)
                r = put_text(ret, release->recipient, err);
        if (r == 0)
                r = put_text(ret, release->dataset, err);
        if (r == 0)
                r = put_number(ret, release->cell_count, err);
        for (size_t c = 0; c < release->cell_count && r == 0; c++) {
                r = put_text(ret, release->cells[c].label, err);
                if (r == 0)
                        r = put_number(ret, release->cells[c].statistic_count, err);
                for (size_t s = 0; s < release->cells[c].statistic_count && r == 0; s++)
                        r = put_statistic(ret, &release->cells[c].statistics[s], err);
        }
        return r;
}

struct reading {
        const uint8_t *at, *end;
        uint64_t items; /* left to read, of all kinds */
};

static bool get_number(struct reading *in, uint64_t most, uint64_t *ret) {
        uint64_t value = 0;

        for (unsigned shift = 0; in->at < in->end && shift < 63; shift += 7) {
                uint8_t byte = *in->at++;

                value |= (uint64_t)(byte & 0x7f) << shift;
                if (byte & 0x80)
                        continue;
                if ((byte == 0 && shift > 0) || value > most)
                        return false;
                *ret = value;
                return true;
        }
        return false;
}

static bool get_text(struct reading *in, char **ret) {
        uint64_t length;

        if (!get_number(in, GBX_RECORD_MAX_TEXT, &length) || length > (uint64_t)(in->end - in->at) || memchr(in->at, 0, (size_t)length) ||
            !gbx_utf8_valid((const char *)in->at, (size_t)length))
                return false;
        *ret = strndup((const char *)in->at, (size_t)length);
        in->at += length;
        return *ret;
}

/* Room for as many items as are said, each of which takes a byte at least. */
static void *get_items(struct reading *in, size_t item, size_t *ret_count) {
        uint64_t count;

        if (!get_number(in, in->items, &count) || count > (uint64_t)(in->end - in->at))
                return NULL;
        in->items -= count;
        *ret_count = (size_t)count;
        return calloc((size_t)count + 1, item);
}

static bool get_set(struct reading *in, roaring_bitmap_t **ret) {
        roaring_bitmap_t *units = *ret = roaring_bitmap_create();
        uint64_t runs, next = 0;

        if (!units || !get_number(in, GBX_RECORD_MAX_UNIT, &runs))
                return false;
        for (uint64_t i = 0; i < runs; i++) {
                uint64_t gap, length;

                if (!get_number(in, GBX_RECORD_MAX_UNIT, &gap) || !get_number(in, GBX_RECORD_MAX_UNIT, &length) || (gap == 0 && i > 0) ||
                    next + gap + length > GBX_RECORD_MAX_UNIT)
                        return false;
                roaring_bitmap_add_range_closed(units, (uint32_t)(next + gap), (uint32_t)(next + gap + length));
                next += gap + length + 1;
        }
        return true;
}

static bool get_statistic(struct reading *in, struct gbx_ledger_statistic *statistic) {
        if (!get_text(in, &statistic->column) || !(statistic->terms = get_items(in, sizeof *statistic->terms, &statistic->term_count)))
                return false;
        for (size_t t = 0; t < statistic->term_count; t++) {
                uint64_t weight;

                if (!get_number(in, GBX_RECORD_MAX_WEIGHT * UINT64_C(2) + 1, &weight) || weight < 2)
                        return false;
                statistic->terms[t].weight = weight & 1 ? -(int64_t)(weight / 2) : (int64_t)(weight / 2);
                if (!get_set(in, &statistic->terms[t].units))
                        return false;
        }
        return true;
}

static bool get_release(struct reading *in, struct gbx_ledger_release *release) {
        if (!get_text(in, &release->name) || !get_text(in, &release->recipient) || !get_text(in, &release->dataset) ||
            !(release->cells = get_items(in, sizeof *release->cells, &release->cell_count)))
                return false;
        for (size_t c = 0; c < release->cell_count; c++) {
                struct gbx_ledger_cell *cell = &release->cells[c];

                if (!get_text(in, &cell->label) || !(cell->statistics = get_items(in, sizeof *cell->statistics, &cell->statistic_count)))
                        return false;
                for (size_t s = 0; s < cell->statistic_count; s++)
                        if (!get_statistic(in, &cell->statistics[s]))
                                return false;
        }
        return in->at == in->end;
}

int gbx_ledger_record_read(const void *data, size_t size, struct gbx_ledger_release *ret, struct gbx_error *err) {
        struct reading in = { .at = data, .items = GBX_RECORD_MAX_ITEMS };
        struct gbx_ledger_release release = {};

        if (size > GBX_RECORD_MAX_SIZE || size < strlen(MAGIC) || memcmp(data, MAGIC, strlen(MAGIC)) != 0)
                return gbx_fail(err, -EBADMSG, "ledger: this is no record of a release");
        in.end = in.at + size;
        in.at += strlen(MAGIC);
        if (!get_release(&in, &release)) {
                gbx_ledger_release_clear(&release);
                return gbx_fail(err, -EBADMSG, "ledger: the record of a release is damaged");
        }
        *ret = release;
        return 0;
}
