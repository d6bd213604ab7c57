/*
 * Suppression measured: instances of growing size, exact and heuristic
 *
 *   disclosure-lab [SECONDS]
 *   disclosure-lab --certificate SHAPE SEED > FILE
 *
 * One line an instance: shape, cells, unsafe cells, information lost by the
 * heuristic and by the exact search, whether that is proven to be the least,
 * integer programs, seconds of both, witnesses. SECONDS is the exact search's limit (20).
 */
#include "base/cleanup.h"
#include "gateway/disclosure/certificate.h"
#include "gateway/disclosure/solver.h"
#include "gateway/disclosure/suppress.h"
#include "tests/tools/disclosure_tables.h"

static const struct {
        const char *name;
        struct made_shape shape;
} shapes[] = {
        { "two-way 6x6", { .codes = { 6, 6 }, .small = 20 } },
        { "two-way 10x10", { .codes = { 10, 10 }, .small = 20 } },
        { "two-way 20x20", { .codes = { 20, 20 }, .small = 15 } },
        { "two-way 30x30", { .codes = { 30, 30 }, .small = 10 } },
        { "nested 24/4 x 8", { .codes = { 24, 8 }, .groups = { 4, 0 }, .small = 15 } },
        { "nested 40/8 x 20/4", { .codes = { 40, 20 }, .groups = { 8, 4 }, .small = 8 } },
        { "three-way 4x4x4", { .codes = { 4, 4, 4 }, .small = 15 } },
        { "three-way 6x6x6", { .codes = { 6, 6, 6 }, .small = 10 } },
        { "three-way 10x10x5", { .codes = { 10, 10, 5 }, .small = 5 } },
        { "linked 8x8x2", { .codes = { 8, 8, 2 }, .small = 85, .linked = true } },
        { "money 10x10", { .codes = { 10, 10 }, .small = 20, .money = true } },
        { "two-way 3x4", { .codes = { 3, 4 }, .small = 20 } },
        { "two-way 60x40", { .codes = { 60, 40 }, .small = 4 } },
};

static int run(const struct gbx_system *system, double seconds, struct gbx_suppression *ret, double *ret_seconds) {
        struct gbx_suppress_options options = { .seconds = seconds, .heuristic_only = seconds <= 0 };
        double start = gbx_solver_clock();
        struct gbx_error err = {};
        int r = gbx_suppress(system, &options, ret, &err);

        *ret_seconds = gbx_solver_clock() - start;
        if (r < 0)
                fprintf(stderr, "disclosure-lab: %s\n", err.message);
        return r;
}

/* The certificate of one instance of a shape, by number. */
static int certify(size_t shape, uint64_t seed) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = {};
        struct gbx_suppression suppression = {};
        struct gbx_system system = {};
        struct gbx_error err = {};
        struct made_tables made;
        double seconds;
        int r;

        if (shape >= gbx_array_size(shapes))
                return 2;
        make_tables(&made, &shapes[shape].shape, seed);
        r = gbx_system_derive(&made.set, &system, &err);
        if (r == 0)
                r = run(&system, 5, &suppression, &seconds);
        if (r == 0)
                r = gbx_certificate_write(&made.set, &system, &suppression, &out, &err);
        if (r == 0)
                r = fwrite(out.data, 1, out.size, stdout) == out.size ? 0 : 1;
        gbx_suppression_clear(&suppression);
        gbx_system_free(&system);
        free_tables(&made);
        return r ? 1 : 0;
}

int main(int argc, char **argv) {
        if (argc == 4 && strcmp(argv[1], "--certificate") == 0)
                return certify((size_t)atoi(argv[2]), (uint64_t)atoi(argv[3]));

        double limit = argc > 1 ? atof(argv[1]) : 20;

        printf("%-20s %6s %6s %9s %9s %7s %6s %8s %8s %9s\n", "tables", "cells", "unsafe", "heuristic", "exact", "proven", "rounds",
               "s heur.",
               "s exact", "witnesses");
        for (size_t i = 0; i < gbx_array_size(shapes); i++) {
                struct made_tables made;
                struct gbx_system system = {};
                struct gbx_suppression quick = {}, exact = {};
                double quick_seconds, exact_seconds;
                size_t unsafe = 0;
                struct gbx_error err = {};

                make_tables(&made, &shapes[i].shape, i + 1);
                if (gbx_system_derive(&made.set, &system, &err) < 0) {
                        fprintf(stderr, "disclosure-lab: %s\n", err.message);
                        return 1;
                }
                for (size_t c = 0; c < system.cell_count; c++)
                        unsafe += system.cells[c].unsafe;
                if (run(&system, 0, &quick, &quick_seconds) != 0 || run(&system, limit, &exact, &exact_seconds) != 0)
                        return 1;
                printf("%-20s %6zu %6zu %9lld %9lld %7s %6zu %8.2f %8.2f %9zu\n", shapes[i].name, system.cell_count, unsafe,
                       (long long)quick.cost, (long long)exact.cost, exact.optimal ? "yes" : "no", exact.rounds, quick_seconds,
                               exact_seconds,
                       exact.witness_count);
                (void)fflush(stdout);
                gbx_suppression_clear(&quick);
                gbx_suppression_clear(&exact);
                gbx_system_free(&system);
                free_tables(&made);
        }
        return 0;
}
