#include "watermark/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double common = 8; /* rows from which on the share of a value is compared */

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

/* A whole number as it would be printed: hashed as it stands. */
static bool is_plain(const char *text, size_t size) {
        if (size == 0 || size > 18 || (text[0] == '0' && size > 1))
                return false;
        for (size_t i = 0; i < size; i++)
                if (text[i] < '0' || text[i] > '9')
                        return false;
        return true;
}

uint32_t gbx_sketch_exact(const struct gbx_sip_key *key, const char *text, size_t size, char separator) {
        char canonical[GBX_NUMBER_TEXT_SIZE];
        struct gbx_number number;

        if (!is_plain(text, size)) {
                if (separator ? !gbx_number_parse_loose(text, size, separator, &number)
                              : !gbx_number_parse(text, size, &number))
                        return gbx_sketch_text(key, text, size);
                size = gbx_number_print(gbx_number_reduce(number), canonical);
                text = canonical;
        }
        return (uint32_t)gbx_sip64(key, text, size) ^ 0x6b657973;
}

void gbx_sketch_add(struct gbx_sketch *sketch, unsigned limit, uint32_t hash) {
        unsigned at = sketch->count;

        sketch->rows++;
        if (at == limit && hash > sketch->hashes[at - 1])
                return;
        while (at > 0 && sketch->hashes[at - 1] > hash)
                at--;
        if (at > 0 && sketch->hashes[at - 1] == hash) {
                sketch->counts[at - 1] = (uint16_t)(sketch->counts[at - 1] + (sketch->counts[at - 1] < UINT16_MAX));
                return;
        }
        if (sketch->count < limit)
                sketch->count++;
        memmove(sketch->hashes + at + 1, sketch->hashes + at, (sketch->count - at - 1) * sizeof *sketch->hashes);
        memmove(sketch->counts + at + 1, sketch->counts + at, (sketch->count - at - 1) * sizeof *sketch->counts);
        sketch->hashes[at] = hash;
        sketch->counts[at] = 1;
}

static int compare_hashes(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

int gbx_column_profile_new(struct gbx_column_profile *ret, uint32_t *hashes, size_t count, uint64_t rows, struct gbx_error *err) {
        struct gbx_column_profile profile = { .hashes = hashes, .rows = rows };

        profile.before = calloc(count + 1, sizeof *profile.before);
        if (!profile.before)
                return gbx_fail_memory(err);
        qsort(hashes, count, sizeof *hashes, compare_hashes);
        for (size_t i = 0, end; i < count; i = end) {
                for (end = i; end < count && hashes[end] == hashes[i]; end++)
                        ;
                hashes[profile.count] = hashes[i];
                profile.before[++profile.count] = (uint32_t)end;
        }
        *ret = profile;
        return 0;
}

void gbx_column_profile_free(struct gbx_column_profile *profile) {
        free(profile->hashes);
        free(profile->before);
        *profile = (struct gbx_column_profile){};
}

/* How many of the profile's hashes are below `hash`. */
static size_t lower_bound(const struct gbx_column_profile *profile, uint32_t hash) {
        size_t low = 0, high = profile->count;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (profile->hashes[middle] < hash)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

double gbx_sketch_likeness(const struct gbx_sketch *sketch, unsigned limit, const struct gbx_column_profile *profile) {
        double expected = 0, hits = 0, known = 0, agree = 0, total = 0, rows = (double)profile->rows, comparable;
        size_t at = 0;

        if (sketch->count == 0 || profile->count == 0)
                return 0;
        for (unsigned i = 0; i < sketch->count; i++) {
                double share = sketch->counts[i] / (double)sketch->rows, here = 0;

                at = lower_bound(profile, sketch->hashes[i]);
                if (at < profile->count && profile->hashes[at] == sketch->hashes[i])
                        here = profile->before[at + 1] - profile->before[at];
                hits += here > 0;
                known += here;
                expected += -expm1(-share * rows);
                if (fmax(share * rows, here) >= common) {
                        agree += fmin(share * rows, here);
                        total += fmax(share * rows, here);
                } else {
                        agree += here;
                        total += here;
                }
        }
        /* Below the largest hash all values of the column are known; of a column with few values, all are. */
        comparable = sketch->count < limit ? rows : profile->before[at + (at < profile->count && profile->hashes[at] == sketch->hashes[sketch->count - 1])];
        if (hits == 0 || (hits < 2 && sketch->count > 1))
                return 0;
        return known / comparable * fmin(1, hits / expected) * agree / total;
}
