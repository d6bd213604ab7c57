/*
 * The linear system of a set of tables
 *
 * What a reader knows without seeing a number: which cells add up to which.
 * For every cell and every key whose code has children, the cell is the sum of
 * the cells of the children; and so between tables, because common margins are
 * the same cell. Totals that no table shows take part as hidden cells, so does
 * a rest that a total contains and none of its parts (see tables.h).
 *
 * Cells are in this order: those of the tables as they first appear, then the
 * totals that nobody shows, then the rests. The order is part of the
 * certificate's format. The code of the rest of code c is code_count + c.
 */
#pragma once

#include "gateway/disclosure/tables.h"

struct gbx_system_cell {
        size_t decision; /* cells with the same decision are suppressed together */
        int64_t value;
        uint64_t count;
        int64_t lower, upper; /* protection, as in tables.h; `lower` never below what is possible */
        bool hidden;          /* in no table: nobody shows it anyway */
        bool unsafe;
        bool non_negative, integer;
        size_t universe, measure;
        size_t codes[GBX_DISCLOSURE_MAX_KEYS]; /* one for each key of the set */
};

struct gbx_system_decision {
        int64_t cost;
        bool forced; /* unsafe or hidden: suppressed in every solution */
};

/* sum of coefficient * cell over its terms = 0; the first term is the total with -1, the others are parts with 1. */
struct gbx_system_term {
        size_t cell;
        int coefficient;
};

struct gbx_system_equation {
        size_t first, count; /* place in `terms` */
};

struct gbx_system {
        struct gbx_system_cell *cells;
        size_t cell_count;
        struct gbx_system_decision *decisions;
        size_t decision_count;
        struct gbx_system_equation *equations;
        size_t equation_count;
        struct gbx_system_term *terms;
        size_t term_count;
        size_t key_count;
        size_t *table_cells; /* the system's cell of each cell of each table, tables one behind the other */
        size_t table_cell_count;
};

/* Derives the system. -EINVAL: the tables contradict each other (the message says where) or are no such tables;
 * -EDQUOT: too many cells. */
int gbx_system_derive(const struct gbx_disclosure_set *set, struct gbx_system *ret, struct gbx_error *err);
void gbx_system_free(struct gbx_system *system);

/* "weather=rain, location=(all)", for messages; "everything" if no key is named. Cut short to fit. */
void gbx_system_cell_text(const struct gbx_disclosure_set *set, const struct gbx_system_cell *cell, char *ret, size_t ret_size);
