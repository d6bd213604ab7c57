/*
 * Sketches: what a column looks like, without its values
 *
 * A sketch holds the smallest keyed hashes of a column's values (bottom-k,
 * Cohen 1997) and how many rows each has. Numbers count by sign, magnitude
 * and their first three significant digits, so that a mark or a rounding
 * hardly changes them; a key column counts by its exact values.
 *
 * All values of another column whose hashes are below the sketch's largest
 * one can be compared with it, whichever rows were deleted: that tells a part
 * of the same column from a column that merely contains the same values.
 */
#pragma once

#include "watermark/number.h"
#include "watermark/prf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_SKETCH_SIZE = 48,      /* of an ordinary column */
        GBX_SKETCH_KEY_SIZE = 160, /* of a key column: few rows must do to find it */
};

struct gbx_sketch {
        uint32_t hashes[GBX_SKETCH_KEY_SIZE]; /* ascending, different */
        uint16_t counts[GBX_SKETCH_KEY_SIZE]; /* rows with that value; UINT16_MAX: so many or more */
        unsigned count;
        uint32_t rows; /* that were looked at and not empty */
};

/* Of number * 10^shift, by sign, three significant digits and magnitude. */
uint32_t gbx_sketch_number(const struct gbx_sip_key *key, struct gbx_number number, int shift);

/* Of a text, without surrounding blanks and case. */
uint32_t gbx_sketch_text(const struct gbx_sip_key *key, const char *text, size_t size);

/* Of a key column's value: all digits count, not how they are written. `separator` as of gbx_number_parse_loose. */
uint32_t gbx_sketch_exact(const struct gbx_sip_key *key, const char *text, size_t size, char separator);

/* Counts one value; keeps the `limit` smallest hashes. */
void gbx_sketch_add(struct gbx_sketch *sketch, unsigned limit, uint32_t hash);

/* The values of a suspect's column: hashes, ascending, and their rows. */
struct gbx_column_profile {
        uint32_t *hashes;
        uint32_t *before; /* rows of all smaller hashes; one more entry at the end */
        size_t count;
        uint64_t rows; /* not empty */
};

/* Takes `count` hashes in any order (sorts them); `rows` may be more, where hashes above a limit were left out. */
int gbx_column_profile_new(struct gbx_column_profile *ret, uint32_t *hashes, size_t count, uint64_t rows, struct gbx_error *err);
void gbx_column_profile_free(struct gbx_column_profile *profile);

/*
 * How much a column looks like the sketched one, whole or a part of its rows: 0 to 1. The product of three shares:
 * of the suspect's rows that the sketch knows, of the sketch's values that as many rows should show, and of agreement
 * in how common the values are. `limit` as at gbx_sketch_add.
 */
double gbx_sketch_likeness(const struct gbx_sketch *sketch, unsigned limit, const struct gbx_column_profile *profile);
