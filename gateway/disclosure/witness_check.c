/* What makes a witness good. The certificate's checker rests on this file and system.c; keep both small. */
#include "gateway/disclosure/witness.h"

#include "base/cleanup.h"

static const char *cell_fault(const struct gbx_system_cell *cell, const struct gbx_witness *witness, __int128 amount) {
        if (cell->integer && amount % witness->denominator != 0)
                return "it makes a whole number a fraction";
        if (cell->non_negative && (__int128)cell->value * witness->denominator + amount < 0)
                return "it makes a cell negative that cannot be";
        return NULL;
}

static const char *moves_fault(const struct gbx_system *system, const bool *open, const struct gbx_witness *witness, __int128 *amounts) {
        for (size_t i = 0; i < witness->move_count; i++) {
                const struct gbx_witness_move *move = &witness->moves[i];
                const char *fault;

                if (move->cell >= system->cell_count || (i > 0 && move->cell <= witness->moves[i - 1].cell) || move->amount == 0)
                        return "its cells are not in order";
                if (!open[system->cells[move->cell].decision])
                        return "it changes a cell that is published";
                fault = cell_fault(&system->cells[move->cell], witness, move->amount);
                if (fault)
                        return fault;
                amounts[move->cell] = move->amount;
        }
        return NULL;
}

const char *gbx_witness_fault(const struct gbx_system *system, const bool *open, const struct gbx_witness *witness) {
        gbx_auto(gbx_free_pointer) __int128 *amounts = calloc(system->cell_count + 1, sizeof *amounts);
        const struct gbx_system_cell *cell;
        const char *fault;

        if (!amounts)
                return "there is no memory to check it";
        if (witness->cell >= system->cell_count || witness->denominator < 1 || witness->denominator > GBX_WITNESS_MAX_DENOMINATOR)
                return "its cell or its denominator is out of range";
        fault = moves_fault(system, open, witness, amounts);
        if (fault)
                return fault;
        for (size_t e = 0; e < system->equation_count; e++) {
                __int128 sum = 0;

                for (size_t t = 0; t < system->equations[e].count; t++) {
                        const struct gbx_system_term *term = &system->terms[system->equations[e].first + t];

                        sum += term->coefficient * amounts[term->cell];
                }
                if (sum != 0)
                        return "its numbers do not add up";
        }
        cell = &system->cells[witness->cell];
        if (witness->high ? amounts[witness->cell] < (__int128)cell->upper * witness->denominator
                          : -amounts[witness->cell] < (__int128)cell->lower * witness->denominator)
                return "it does not reach the end of the protection interval";
        return NULL;
}
