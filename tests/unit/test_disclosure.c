/* Complementary suppression: nothing suppressed can be worked out, nothing more than needed is suppressed, and the proof
 * can be checked by others. */
#include "base/cleanup.h"
#include "gateway/disclosure/certificate.h"
#include "gateway/disclosure/solver.h"
#include "tests/tools/disclosure_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void derive(const struct gbx_disclosure_set *set, struct gbx_system *ret) {
        struct gbx_error err = {};

        if (gbx_system_derive(set, ret, &err) < 0)
                fail_msg("%s", err.message);
}

static void suppress(const struct gbx_system *system, bool heuristic, struct gbx_suppression *ret) {
        struct gbx_suppress_options options = { .seconds = 60, .heuristic_only = heuristic };
        struct gbx_error err = {};
        int r = gbx_suppress(system, &options, ret, &err);

        if (r != 0)
                fail_msg("%d %s", r, err.message);
}

/* weather: drizzle 53, fog 101, rain 641, snow 26, sun 640, (all) 1461; the minimum is 30. */
static const struct gbx_disclosure_code weather[] = { { "(all)", 0 }, { "drizzle", 0 }, { "fog", 0 }, { "rain", 0 }, { "snow", 0 },
                                                     { "sun", 0 } };
static const struct gbx_disclosure_key weather_key = { "weather", weather, 6 };
static const size_t weather_codes[] = { 0, 1, 2, 3, 4, 5 }, weather_keys[] = { 0 };
#define DAYS(code, days) { .codes = &weather_codes[code], .value = days, .count = days, .cost = days }
static const struct gbx_disclosure_cell weather_cells[] = {
        DAYS(0, 1461), DAYS(1, 53), DAYS(2, 101), DAYS(3, 641), DAYS(5, 640),
        { .codes = &weather_codes[4], .value = 26, .count = 26, .cost = 26, .unsafe = true, .lower = 26, .upper = 4 },
};

static struct gbx_disclosure_set weather_set(struct gbx_disclosure_table *table, size_t cells) {
        *table = (struct gbx_disclosure_table){ .name = "weather", .keys = weather_keys, .key_count = 1, .cells = weather_cells,
                                                .cell_count = cells, .non_negative = true, .integer = true };
        return (struct gbx_disclosure_set){ .keys = &weather_key, .key_count = 1, .tables = table, .table_count = 1, .minimum = 30 };
}

/* With the row of snow suppressed, and with that row left out by whoever made the table. */
static void test_snow(void **state) {
        (void)state;
        for (size_t cells = 5; cells <= 6; cells++) {
                struct gbx_disclosure_table table;
                struct gbx_disclosure_set set = weather_set(&table, cells);
                gbx_auto(gbx_system_free) struct gbx_system system = {};
                gbx_auto(gbx_suppression_clear) struct gbx_suppression suppression = {};

                derive(&set, &system);
                assert_int_equal(system.cell_count, 6);
                assert_int_equal(system.equation_count, 1);
                assert_int_equal(system.cells[5].value, 26);
                assert_true(system.cells[5].unsafe);
                suppress(&system, false, &suppression);
                assert_true(suppression.optimal);
                /* drizzle goes with it: 53, the least; 26 more where the row is in the table. */
                assert_int_equal(suppression.cost, cells == 6 ? 79 : 53);
                assert_true(suppression.open[system.cells[1].decision]);
                assert_false(suppression.open[system.cells[0].decision]);
                assert_int_equal(suppression.witness_count, 2);
        }
}

/* The bounds of one cell if everything else that is published is known, by trying all whole numbers. */
struct enumeration {
        const struct gbx_system *system;
        const bool *open;
        int64_t *values;
        size_t cell;
        int64_t most, low, high;
};

static bool fits(const struct enumeration *e) {
        for (size_t q = 0; q < e->system->equation_count; q++) {
                int64_t sum = 0;

                for (size_t t = 0; t < e->system->equations[q].count; t++) {
                        const struct gbx_system_term *term = &e->system->terms[e->system->equations[q].first + t];

                        sum += term->coefficient * e->values[term->cell];
                }
                if (sum != 0)
                        return false;
        }
        return true;
}

/* A cell that equations determine from those before it is not tried: only leaves are (hidden ones do not occur here). */
static bool is_leaf(const struct gbx_system_cell *cell, size_t keys) {
        for (size_t k = 0; k < keys; k++)
                if (cell->codes[k] == 0)
                        return false;
        return true;
}

static void fill_totals(struct enumeration *e) {
        for (size_t q = 0; q < e->system->equation_count; q++) {
                const struct gbx_system_term *terms = e->system->terms + e->system->equations[q].first;
                int64_t sum = 0;

                for (size_t t = 1; t < e->system->equations[q].count; t++)
                        sum += e->values[terms[t].cell];
                if (e->open[e->system->cells[terms[0].cell].decision])
                        e->values[terms[0].cell] = sum;
        }
}

static void enumerate(struct enumeration *e, size_t from) {
        while (from < e->system->cell_count &&
               (!e->open[e->system->cells[from].decision] || !is_leaf(&e->system->cells[from], e->system->key_count)))
                from++;
        if (from == e->system->cell_count) {
                fill_totals(e);
                if (fits(e)) {
                        e->low = e->values[e->cell] < e->low ? e->values[e->cell] : e->low;
                        e->high = e->values[e->cell] > e->high ? e->values[e->cell] : e->high;
                }
                return;
        }
        for (e->values[from] = 0; e->values[from] <= e->most; e->values[from]++)
                enumerate(e, from + 1);
}

static void bounds_by_trying(const struct gbx_system *system, const bool *open, size_t cell, int64_t *ret_low, int64_t *ret_high) {
        struct enumeration e = { .system = system, .open = open, .cell = cell, .most = 14, .low = INT64_MAX, .high = INT64_MIN };

        e.values = calloc(system->cell_count, sizeof *e.values);
        assert_non_null(e.values);
        for (size_t i = 0; i < system->cell_count; i++)
                e.values[i] = system->cells[i].value;
        enumerate(&e, 0);
        free(e.values);
        *ret_low = e.low;
        *ret_high = e.high;
}

/* Whether a set of decisions protects everything in it, by enumeration. */
static bool protects(const struct gbx_system *system, const bool *open) {
        for (size_t i = 0; i < system->cell_count; i++) {
                int64_t low, high;

                if (!open[system->cells[i].decision] || (system->cells[i].lower == 0 && system->cells[i].upper == 0))
                        continue;
                bounds_by_trying(system, open, i, &low, &high);
                if (low > system->cells[i].value - system->cells[i].lower || high < system->cells[i].value + system->cells[i].upper)
                        return false;
        }
        return true;
}

/* The least that is lost, by trying all sets of decisions. */
static int64_t least_by_trying(const struct gbx_system *system) {
        int64_t least = INT64_MAX;
        bool open[16];

        assert_true(system->decision_count <= 16);
        for (size_t set = 0; set < (size_t)1 << system->decision_count; set++) {
                int64_t cost = 0;
                size_t count = 0;
                bool good = true;

                for (size_t d = 0; d < system->decision_count; d++) {
                        open[d] = set >> d & 1;
                        good = good && (open[d] || !system->decisions[d].forced);
                        cost += open[d] ? system->decisions[d].cost : 0;
                        count += open[d];
                }
                if (good && cost < least && count <= 7 && protects(system, open))
                        least = cost;
        }
        return least;
}

/* Small two-way tables with cells from 0 to 9 and a minimum of 3: everything can be tried. */
static void small_tables(struct made_tables *made, uint64_t seed) {
        struct made_shape shape = { .codes = { 2, 3 }, .small = 100 };

        make_tables(made, &shape, seed);
        for (size_t i = 0; i < made->tables[0].cell_count; i++) {
                struct gbx_disclosure_cell *cell = &made->cells[0][i];

                cell->unsafe = cell->value > 0 && cell->value < 3;
                cell->lower = cell->unsafe ? 1 : 0;
                cell->upper = cell->unsafe ? 2 : 0;
        }
        made->set.minimum = 3;
}

static void test_nobody_beats_it(void **state) {
        size_t tables = 0;

        (void)state;
        for (uint64_t seed = 1; seed <= 60; seed++) {
                gbx_auto(gbx_system_free) struct gbx_system system = {};
                gbx_auto(gbx_suppression_clear) struct gbx_suppression exact = {}, quick = {};
                struct made_tables made;
                size_t open = 0;

                small_tables(&made, seed);
                derive(&made.set, &system);
                struct gbx_suppress_options options = { .seconds = 60 };
                int r = gbx_suppress(&system, &options, &exact, NULL);

                assert_true(r >= 0);
                if (r == 0) {
                        suppress(&system, true, &quick);
                        for (size_t d = 0; d < system.decision_count; d++)
                                open += exact.open[d];
                        assert_true(quick.cost >= exact.cost);
                        if (open <= 7) {
                                assert_true(protects(&system, exact.open));
                                if (exact.optimal && seed <= 8)
                                        assert_int_equal(exact.cost, least_by_trying(&system));
                                tables++;
                        }
                }
                free_tables(&made);
        }
        assert_true(tables > 20);
}

static const struct made_shape shapes[] = {
        { .codes = { 6, 6 }, .small = 20 },
        { .codes = { 12 }, .small = 30 },
        { .codes = { 12, 5 }, .groups = { 3, 0 }, .small = 20 },
        { .codes = { 3, 3, 3 }, .small = 20 },
        { .codes = { 5, 5, 2 }, .small = 80, .linked = true },
        { .codes = { 5, 5 }, .small = 25, .money = true },
        { .codes = { 4, 3, 3 }, .small = 20, .money = true },
};

/* Writes the certificate of made tables. */
static void certify(uint64_t seed, const struct made_shape *shape, bool heuristic, struct gbx_buffer *ret) {
        gbx_auto(gbx_system_free) struct gbx_system system = {};
        gbx_auto(gbx_suppression_clear) struct gbx_suppression suppression = {};
        struct made_tables made;
        struct gbx_error err = {};

        make_tables(&made, shape, seed);
        derive(&made.set, &system);
        suppress(&system, heuristic, &suppression);
        if (gbx_certificate_write(&made.set, &system, &suppression, ret, &err) < 0)
                fail_msg("%s", err.message);
        free_tables(&made);
}

static void test_certificates_hold(void **state) {
        (void)state;
        for (size_t i = 0; i < gbx_array_size(shapes) * 3; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer certificate = {};
                struct gbx_certificate_facts facts = {};
                struct gbx_error err = {};

                certify(i + 1, &shapes[i % gbx_array_size(shapes)], i % 2 || shapes[i % gbx_array_size(shapes)].codes[2], &certificate);
                if (gbx_certificate_check(certificate.data, certificate.size, NULL, &facts, &err) < 0)
                        fail_msg("%zu: %s", i, err.message);
                assert_true(facts.witnesses >= facts.unsafe); /* zeroes have no lower side */
        }
}

/* Puts the right digest behind a body that was changed, as an attacker would. */
static void forge_digest(struct gbx_buffer *certificate) {
        char *place = strstr((char *)certificate->data, ",\"digest\":\""), text[GBX_SHA256_TEXT_SIZE];
        uint8_t digest[GBX_SHA256_SIZE];

        assert_non_null(place);
        gbx_sha256(certificate->data, (size_t)(place - (char *)certificate->data), digest);
        gbx_sha256_text(digest, text);
        memcpy(place + 11, text, strlen(text));
}

/* Every byte, changed to others of its kind: never accepted. With a forged digest: never under the name of the true one. */
static void test_tampering(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer certificate = {};
        uint8_t digest[GBX_SHA256_SIZE];
        size_t proofs = 0;

        (void)state;
        certify(3, &(struct made_shape){ .codes = { 4, 4 }, .small = 20 }, false, &certificate);
        gbx_sha256(certificate.data, certificate.size, digest);
        assert_int_equal(gbx_certificate_check(certificate.data, certificate.size, digest, NULL, NULL), 0);
        for (size_t i = 0; i < certificate.size; i++) {
                const int byte = certificate.data[i];
                const uint8_t saved = (uint8_t)byte, other = (uint8_t)(byte >= '0' && byte <= '9' ? '0' + (byte - '0' + 1) % 10 : byte ^ 1);
                char *moves = strstr((char *)certificate.data, "\"witnesses\"");

                certificate.data[i] = other;
                assert_int_equal(gbx_certificate_check(certificate.data, certificate.size, NULL, NULL, NULL), -EBADMSG);
                if (saved >= '0' && saved <= '9' && strstr((char *)certificate.data, ",\"digest\":\"")) {
                        char *end = strstr((char *)certificate.data, ",\"digest\":\"");

                        if ((char *)certificate.data + i > moves && (char *)certificate.data + i < end) {
                                forge_digest(&certificate); /* a number of a witness: arithmetic alone must find it */
                                assert_int_equal(gbx_certificate_check(certificate.data, certificate.size, NULL, NULL, NULL), -EBADMSG);
                                proofs++;
                        }
                        assert_int_equal(gbx_certificate_check(certificate.data, certificate.size, digest, NULL, NULL), -EBADMSG);
                }
                certificate.data[i] = saved;
                forge_digest(&certificate);
        }
        assert_true(proofs > 100);
        for (size_t size = 0; size < certificate.size; size += 7)
                assert_int_equal(gbx_certificate_check(certificate.data, size, NULL, NULL, NULL), -EBADMSG);
        assert_int_equal(gbx_certificate_check(certificate.data, certificate.size, digest, NULL, NULL), 0);
}

/* A demand that nothing can meet is said, not passed over: one cell and its total, nothing else. */
static void test_impossible(void **state) {
        static const struct gbx_disclosure_code codes[] = { { "(all)", 0 }, { "a", 0 } };
        static const struct gbx_disclosure_key key = { "k", codes, 2 };
        static const size_t at[] = { 0, 1 };
        static const struct gbx_disclosure_cell cells[] = {
                { .codes = &at[0], .value = 5, .count = 5, .unsafe = true, .lower = 5, .upper = 5 },
                { .codes = &at[1], .value = 5, .count = 5, .unsafe = true, .lower = 5, .upper = 5 },
        };
        struct gbx_disclosure_table tables[] = { { .name = "t", .keys = weather_keys, .key_count = 1, .cells = cells, .cell_count = 2,
                                                   .non_negative = true, .integer = true } };
        struct gbx_disclosure_set set = { .keys = &key, .key_count = 1, .tables = tables, .table_count = 1, .minimum = 10 };
        gbx_auto(gbx_system_free) struct gbx_system system = {};
        gbx_auto(gbx_suppression_clear) struct gbx_suppression suppression = {};
        struct gbx_suppress_options options = { .seconds = 5 };
        struct gbx_disclosure_cell wrong[] = { cells[0], cells[1] };

        (void)state;
        derive(&set, &system); /* both suppressed: the reader knows nothing */
        assert_int_equal(gbx_suppress(&system, &options, &suppression, NULL), 0);
        /* Parts that are more than the whole are no table. */
        wrong[1].value = 6;
        tables[0].cells = wrong;
        assert_int_equal(gbx_system_derive(&set, &system, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_snow),      cmocka_unit_test(test_nobody_beats_it), cmocka_unit_test(test_certificates_hold),
                cmocka_unit_test(test_tampering), cmocka_unit_test(test_impossible),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
