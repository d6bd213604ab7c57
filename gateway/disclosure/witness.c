#include "gateway/disclosure/witness.h"

#include "base/cleanup.h"

#include <math.h>
#include <string.h>

void gbx_witness_clear(struct gbx_witness *witness) {
        free(witness->moves);
        *witness = (struct gbx_witness){};
}

/* Takes the amounts as they are, if they make a good witness: 0, else 1. */
static int accept(const struct gbx_system *system, const bool *open, const int64_t *amounts, struct gbx_witness *witness,
                  struct gbx_witness *ret, struct gbx_error *err) {
        size_t count = 0;

        for (size_t i = 0; i < system->cell_count; i++)
                count += amounts[i] != 0;
        witness->moves = calloc(count + 1, sizeof *witness->moves);
        if (!witness->moves)
                return gbx_fail_memory(err);
        witness->move_count = 0;
        for (size_t i = 0; i < system->cell_count; i++)
                if (amounts[i] != 0)
                        witness->moves[witness->move_count++] = (struct gbx_witness_move){ .cell = i, .amount = amounts[i] };
        if (gbx_witness_fault(system, open, witness)) {
                gbx_witness_clear(witness);
                return 1;
        }
        *ret = *witness;
        return 0;
}

/* Amounts that equations with one unknown left determine: whole numbers, since all coefficients are 1 and -1. Where no
 * equation has just one, the next unknown is taken as the solver said it. */
struct peeling {
        const struct gbx_system *system;
        int64_t *amounts;
        bool *known;
        const double *moves;
};

static bool peel_equation(struct peeling *p, const struct gbx_system_equation *equation) {
        const struct gbx_system_term *terms = p->system->terms + equation->first;
        size_t unknown = equation->count;
        __int128 sum = 0;

        for (size_t t = 0; t < equation->count; t++) {
                if (p->known[terms[t].cell]) {
                        sum += (__int128)terms[t].coefficient * p->amounts[terms[t].cell];
                        continue;
                }
                if (unknown < equation->count)
                        return false;
                unknown = t;
        }
        if (unknown == equation->count || sum > INT64_MAX || sum < -INT64_MAX)
                return false;
        p->amounts[terms[unknown].cell] = (int64_t)(terms[unknown].coefficient > 0 ? -sum : sum);
        p->known[terms[unknown].cell] = true;
        return true;
}

static void peel(struct peeling *p) {
        for (size_t next = 0;;) {
                bool changed = true;

                while (changed) {
                        changed = false;
                        for (size_t e = 0; e < p->system->equation_count; e++)
                                changed = peel_equation(p, &p->system->equations[e]) || changed;
                }
                while (next < p->system->cell_count && p->known[next])
                        next++;
                if (next == p->system->cell_count)
                        return;
                p->amounts[next] = llround(p->moves[next]);
                p->known[next] = true;
        }
}

static int64_t need_of(const struct gbx_system *system, size_t cell, bool high) {
        return high ? system->cells[cell].upper : -system->cells[cell].lower;
}

/* Which amounts are certain: the cell itself, what is published, what stands at a bound. */
static void start_peeling(struct peeling *p, const bool *open, size_t cell, bool high) {
        double scale = fmax(1, fabs((double)need_of(p->system, cell, high)));

        for (size_t i = 0; i < p->system->cell_count; i++) {
                const struct gbx_system_cell *other = &p->system->cells[i];

                p->amounts[i] = 0;
                p->known[i] = !open[other->decision] || fabs(p->moves[i]) < 1e-7 * scale;
                if (!p->known[i] && other->non_negative && fabs(p->moves[i] + (double)other->value) < 1e-7 * scale) {
                        p->amounts[i] = -other->value;
                        p->known[i] = true;
                }
        }
        p->amounts[cell] = need_of(p->system, cell, high);
        p->known[cell] = true;
}

/* The smallest denominator that makes all amounts nearly whole; 0: none up to the limit. */
static int64_t common_denominator(const double *moves, size_t count) {
        int64_t denominator = 1;

        for (size_t i = 0; i < count; i++) {
                int64_t factor = 1;

                while (factor <= 1000) {
                        double scaled = moves[i] * (double)denominator * (double)factor;

                        if (fabs(scaled - round(scaled)) < 1e-6 * fmax(1, fabs(scaled) * 1e-3))
                                break;
                        factor++;
                }
                denominator *= factor;
                if (factor > 1000 || denominator > GBX_WITNESS_MAX_DENOMINATOR)
                        return 0;
        }
        return denominator;
}

int gbx_witness_from(const struct gbx_system *system, const bool *open, size_t cell, bool high, const double *moves,
                     struct gbx_witness *ret, struct gbx_error *err) {
        size_t count = system->cell_count;
        gbx_auto(gbx_free_pointer) int64_t *amounts = calloc(count + 1, sizeof *amounts);
        gbx_auto(gbx_free_pointer) bool *known = calloc(count + 1, sizeof *known);
        struct peeling peeling = { .system = system, .amounts = amounts, .known = known, .moves = moves };
        struct gbx_witness witness = { .cell = cell, .high = high, .denominator = 1 };
        int r;

        if (!amounts || !known)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count; i++) {
                if (!(fabs(moves[i]) < (double)GBX_DISCLOSURE_MAX_VALUE * 1024))
                        return 1;
                amounts[i] = open[system->cells[i].decision] ? llround(moves[i]) : 0;
        }
        r = accept(system, open, amounts, &witness, ret, err);
        if (r <= 0)
                return r;
        start_peeling(&peeling, open, cell, high);
        peel(&peeling);
        r = accept(system, open, amounts, &witness, ret, err);
        if (r <= 0)
                return r;
        witness.denominator = common_denominator(moves, count);
        if (witness.denominator <= 1)
                return 1;
        for (size_t i = 0; i < count; i++)
                amounts[i] = open[system->cells[i].decision] ? llround(moves[i] * (double)witness.denominator) : 0;
        return accept(system, open, amounts, &witness, ret, err);
}
