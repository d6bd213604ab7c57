/*
 * The space of one column: what is known of it, as vectors over units
 *
 * Units that nothing tells apart are one *atom*, a column of a matrix; each
 * statistic that left is a vector over atoms. The rows of the matrix are those
 * vectors in reduced row-echelon form, so that a new vector is reduced by reading
 * its coefficients off. Pivots stand in large atoms (with the threshold of units
 * or more) wherever there is one; rows with a pivot in a small atom are then
 * exactly a basis of what can be said about small atoms alone.
 *
 * Private to this room.
 */
#pragma once

#include "base/error.h"
#include "gateway/ledger/field.h"
#include "gateway/ledger/record.h"
#include "gateway/ledger/sketch.h"

enum {
        /* Beyond this many numbers in the matrix a decision would take too long: the ledger says so, and holds. */
        GBX_SPACE_MAX_NUMBERS = 400 * 1000 * 1000,
};

struct gbx_vector {
        const struct gbx_ledger_term *terms;
        size_t term_count;
};

struct gbx_space_row {
        uint32_t *values; /* one for each atom */
        uint32_t *origin; /* how it is combined from the vectors that were noted, one for each basis vector */
        uint32_t pivot;   /* the atom where it is 1 and all others are 0 */
};

struct gbx_space {
        struct gbx_field field;
        uint64_t seed;
        uint32_t minimum;
        uint32_t *atom_of; /* by unit; 0: never seen */
        uint32_t *touched; /* by unit, for refining: place in the list, plus one */
        size_t unit_capacity;
        uint32_t *sizes; /* of atoms; atom 0 is what was never seen and has no size */
        size_t atom_count, atom_capacity;
        struct gbx_space_row *rows;
        size_t row_count, row_capacity;
        size_t *basis; /* the caller's number of each vector that made a row */
        uint64_t (*known)[2]; /* fingerprints of vectors that were noted, a hash table */
        size_t known_count, known_capacity;
        struct gbx_sketches sketches; /* of vectors that were noted, and of sums of theirs */
};

int gbx_space_start(struct gbx_space *space, uint32_t minimum, uint64_t seed, struct gbx_error *err);
void gbx_space_clear(struct gbx_space *space);

/* Notes a vector under the caller's number. */
int gbx_space_record(struct gbx_space *space, const struct gbx_vector *vector, size_t number, struct gbx_error *err);

/* A combination: weights of new vectors, then of basis vectors; or of new ones and of one or two that were noted. */
struct gbx_combination {
        uint32_t *weights; /* vector_count + row_count of them, as elements of the field */
        uint64_t units;
        size_t known[2]; /* the caller's numbers */
        int64_t known_weights[2];
        size_t known_count;
};

/* Keeps the sum of vectors as one that pairs are tried with: a table's cells together, say. It says nothing new. */
int gbx_space_keep_sum(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, size_t number, struct gbx_error *err);

int gbx_space_sketch(const struct gbx_space *space, const struct gbx_vector *vector, struct gbx_sketch *ret, struct gbx_error *err);

/* 0: none found; 1: found; 2: too large. */
int gbx_space_decide(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, struct gbx_combination *ret,
                     struct gbx_error *err);

/* How vectors cut atoms: parts of atoms with the same values in all of them. */
struct gbx_part {
        uint32_t atom, size;
        uint32_t unit; /* one of it */
        uint64_t mark;
};

struct gbx_refinement {
        size_t vector_count;
        struct gbx_part *parts;
        size_t part_count;
        uint32_t *values; /* part by vector */
        uint32_t *units;  /* all units of the vectors, each once */
        uint32_t *part_of; /* by place in `units` */
        size_t unit_count;
};

int gbx_refine(struct gbx_space *space, const struct gbx_vector *vectors, size_t count, struct gbx_refinement *ret, struct gbx_error *err);
void gbx_refinement_clear(struct gbx_refinement *refinement);

/* Whether the very same vector was noted before. */
bool gbx_space_knows(const struct gbx_space *space, const struct gbx_vector *vector, uint64_t ret_print[2], struct gbx_error *err);
