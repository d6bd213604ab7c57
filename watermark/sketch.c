#include "watermark/sketch.h"

#include "watermark/match.h"

#include <string.h>

uint32_t gbx_sketch_number(const struct gbx_sip_key *key, struct gbx_number number, int shift) {
        struct {
                int32_t digits, magnitude;
        } bytes = {};
        int64_t mantissa = number.mantissa < 0 ? -number.mantissa : number.mantissa;
        int magnitude = shift - number.decimals;

        for (; mantissa >= 100000; mantissa /= 10)
                magnitude++;
        for (; mantissa > 0 && mantissa < 10000; mantissa *= 10)
                magnitude--;
        if (mantissa > 0) {
                bytes.digits = (int32_t)(mantissa + 50) / 100;
                bytes.magnitude = magnitude;
                if (bytes.digits == 1000) {
                        bytes.digits = 100;
                        bytes.magnitude++;
                }
        }
        if (number.mantissa < 0)
                bytes.digits = -bytes.digits;
        return (uint32_t)gbx_sip64(key, &bytes, sizeof bytes);
}

uint32_t gbx_sketch_text(const struct gbx_sip_key *key, const char *text, size_t size) {
        char lower[256];
        size_t n = 0;

        while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
                size--;
        while (size > 0 && (*text == ' ' || *text == '\t'))
                text++, size--;
        for (; n < size && n < sizeof lower; n++)
                lower[n] = (char)(text[n] >= 'A' && text[n] <= 'Z' ? text[n] | 0x20 : text[n]);
        return (uint32_t)gbx_sip64(key, lower, n) ^ 0x74657874;
}

/* Keeps the smallest different ones, sorted. */
static void keep(struct gbx_plan_column *column, uint32_t value) {
        unsigned at = column->sketch_count;

        while (at > 0 && column->sketch[at - 1] > value)
                at--;
        if ((at > 0 && column->sketch[at - 1] == value) || at == GBX_SKETCH_SIZE)
                return;
        if (column->sketch_count < GBX_SKETCH_SIZE)
                column->sketch_count++;
        memmove(column->sketch + at + 1, column->sketch + at, (column->sketch_count - at - 1) * sizeof *column->sketch);
        column->sketch[at] = value;
}

void gbx_match_sketch(struct gbx_plan *plan, const struct gbx_mark_keys *keys, const struct gbx_view *view) {
        enum { SAMPLE = 8192 };
        size_t rows = view->table->rows, step = (rows + SAMPLE - 1) / SAMPLE;

        for (unsigned i = 0; i < plan->column_count; i++) {
                if (view->columns[i].column < 0)
                        continue;
                plan->columns[i].sketch_count = 0;
                for (size_t row = 0; row < rows; row += step) {
                        struct gbx_number number;
                        size_t size;
                        const char *text = gbx_table_cell(view->table, row, (size_t)view->columns[i].column, &size);

                        if (gbx_view_number(view, i, row, &number))
                                keep(&plan->columns[i], gbx_sketch_number(&keys->sketch, number, 0));
                        else if (size > 0)
                                keep(&plan->columns[i], gbx_sketch_text(&keys->sketch, text, size));
                }
        }
}
