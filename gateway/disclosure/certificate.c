/* The checker. It reads, derives the equations (system.c), checks each witness (witness_check.c), and asks no solver. */
#include "gateway/disclosure/certificate.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/disclosure/certificate_form.h"

#include <string.h>

/* A certificate as it was read. Texts belong to the JSON. */
struct reading {
        json_t *json;
        struct gbx_disclosure_set set;
        struct gbx_disclosure_key *keys;
        struct gbx_disclosure_table *tables;
        bool *suppressed; /* of each cell of each table */
        struct gbx_witness *witnesses;
        size_t witness_count;
};

static int broken(struct gbx_error *err, const char *what) { return gbx_fail(err, -EBADMSG, "certificate: %s", what); }

/* An array's memory: one item more than it needs, zeroed. */
static void *room(const json_t *array, size_t item) { return calloc(json_array_size(array) + 1, item); }

static bool read_number(const json_t *value, int64_t least, int64_t *ret) {
        if (!json_is_integer(value) || json_integer_value(value) < least)
                return false;
        *ret = json_integer_value(value);
        return true;
}

static bool read_index(const json_t *value, size_t *ret) {
        int64_t number;

        if (!read_number(value, 0, &number))
                return false;
        *ret = (size_t)number;
        return true;
}

static bool read_indices(const json_t *array, size_t count, size_t **ret) {
        bool good = json_is_array(array) && json_array_size(array) == count;
        size_t *items = good ? room(array, sizeof *items) : NULL;

        for (size_t i = 0; items && i < count; i++)
                good = good && read_index(json_array_get(array, i), &items[i]);
        *ret = items;
        return good && items;
}

static bool read_key(const json_t *json, struct gbx_disclosure_key *key) {
        const json_t *codes = json_object_get(json, "codes");
        struct gbx_disclosure_code *items;

        key->name = gbx_json_text(json, "name");
        if (!key->name || !json_is_array(codes))
                return false;
        key->codes = items = room(codes, sizeof *items);
        for (key->code_count = 0; items && key->code_count < json_array_size(codes); key->code_count++) {
                const json_t *pair = json_array_get(codes, key->code_count);

                items[key->code_count].label = json_string_value(json_array_get(pair, 0));
                if (!items[key->code_count].label || !read_index(json_array_get(pair, 1), &items[key->code_count].parent))
                        return false;
        }
        return items;
}

static bool read_cell(const json_t *json, size_t key_count, struct gbx_disclosure_cell *cell, bool *suppressed) {
        int64_t count;
        size_t *codes;

        if (!read_indices(json_object_get(json, "codes"), key_count, &codes)) {
                free(codes);
                return false;
        }
        cell->codes = codes;
        if (!read_number(json_object_get(json, "value"), INT64_MIN, &cell->value) ||
            !read_number(json_object_get(json, "count"), 0, &count) ||
            !read_number(json_object_get(json, "lower"), 0, &cell->lower) ||
                    !read_number(json_object_get(json, "upper"), 0, &cell->upper) ||
            !read_number(json_object_get(json, "cost"), 0, &cell->cost))
                return false;
        cell->count = (uint64_t)count;
        cell->unsafe = json_is_true(json_object_get(json, "unsafe"));
        *suppressed = json_is_true(json_object_get(json, "suppressed"));
        return true;
}

static bool read_table(const json_t *json, struct gbx_disclosure_table *table, bool *suppressed) {
        const json_t *keys = json_object_get(json, "keys"), *cells = json_object_get(json, "cells");
        struct gbx_disclosure_cell *items;
        size_t *indices;
        bool good = read_indices(keys, json_array_size(keys), &indices);

        table->keys = indices;
        table->key_count = good ? json_array_size(keys) : 0;
        table->name = gbx_json_text(json, "name");
        table->non_negative = json_is_true(json_object_get(json, "non_negative"));
        table->integer = json_is_true(json_object_get(json, "integer"));
        if (!good || !table->name || !json_is_array(cells) || !read_index(json_object_get(json, "universe"), &table->universe) ||
            !read_index(json_object_get(json, "measure"), &table->measure))
                return false;
        table->cells = items = room(cells, sizeof *items);
        for (size_t i = 0; items && good && i < json_array_size(cells); i++) {
                table->cell_count++;
                good = read_cell(json_array_get(cells, i), table->key_count, &items[i], &suppressed[i]);
        }
        return good && items;
}

static bool read_witness(const json_t *json, struct gbx_witness *witness) {
        const json_t *moves = json_object_get(json, "moves");
        const char *side = gbx_json_text(json, "side");

        if (!side || !json_is_array(moves) || !read_index(json_object_get(json, "cell"), &witness->cell) ||
            !read_number(json_object_get(json, "denominator"), 1, &witness->denominator))
                return false;
        witness->high = strcmp(side, "high") == 0;
        witness->moves = room(moves, sizeof *witness->moves);
        for (size_t i = 0; witness->moves && i < json_array_size(moves); i++) {
                const json_t *pair = json_array_get(moves, i);

                if (!read_index(json_array_get(pair, 0), &witness->moves[i].cell) ||
                    !read_number(json_array_get(pair, 1), INT64_MIN, &witness->moves[i].amount))
                        return false;
        }
        witness->move_count = json_array_size(moves);
        return witness->moves;
}

static void free_reading(struct reading *reading) {
        for (size_t i = 0; reading->keys && i < reading->set.key_count; i++)
                free((void *)(uintptr_t)reading->keys[i].codes);
        for (size_t i = 0; reading->tables && i < reading->set.table_count; i++) {
                for (size_t c = 0; c < reading->tables[i].cell_count; c++)
                        free((void *)(uintptr_t)reading->tables[i].cells[c].codes);
                free((void *)(uintptr_t)reading->tables[i].cells);
                free((void *)(uintptr_t)reading->tables[i].keys);
        }
        for (size_t i = 0; i < reading->witness_count; i++)
                gbx_witness_clear(&reading->witnesses[i]);
        free(reading->witnesses);
        free(reading->keys);
        free(reading->tables);
        free(reading->suppressed);
        json_decref(reading->json);
}

static size_t count_cells(const json_t *tables) {
        size_t count = 0;

        for (size_t i = 0; i < json_array_size(tables); i++)
                count += json_array_size(json_object_get(json_array_get(tables, i), "cells"));
        return count;
}

/* Missing fields read as something neutral here; the comparison of the bytes finds them. */
static bool read_all(struct reading *reading) {
        const json_t *keys = json_object_get(reading->json, "keys"), *tables = json_object_get(reading->json, "tables");
        const json_t *witnesses = json_object_get(reading->json, "witnesses");
        int64_t minimum;
        size_t cells = 0;

        reading->keys = room(keys, sizeof *reading->keys);
        reading->tables = room(tables, sizeof *reading->tables);
        reading->witnesses = room(witnesses, sizeof *reading->witnesses);
        reading->suppressed = calloc(count_cells(tables) + 1, sizeof(bool));
        if (!reading->keys || !reading->tables || !reading->witnesses || !reading->suppressed ||
            !read_number(json_object_get(reading->json, "minimum"), 0, &minimum))
                return false;
        reading->set = (struct gbx_disclosure_set){ .keys = reading->keys, .tables = reading->tables, .minimum = (uint64_t)minimum };
        for (size_t i = 0; i < json_array_size(keys); i++) {
                reading->set.key_count++;
                if (!read_key(json_array_get(keys, i), &reading->keys[i]))
                        return false;
        }
        for (size_t i = 0; i < json_array_size(tables); i++) {
                reading->set.table_count++;
                if (!read_table(json_array_get(tables, i), &reading->tables[i], reading->suppressed + cells))
                        return false;
                cells += reading->tables[i].cell_count;
        }
        for (size_t i = 0; i < json_array_size(witnesses); i++) {
                reading->witness_count++;
                if (!read_witness(json_array_get(witnesses, i), &reading->witnesses[i]))
                        return false;
        }
        return true;
}

/* Cells that are suppressed together are all marked, and what must be suppressed is. */
static int check_marks(const struct reading *reading, const struct gbx_system *system, bool *open, struct gbx_error *err) {
        for (size_t d = 0; d < system->decision_count; d++)
                open[d] = false;
        for (size_t i = 0; i < system->cell_count; i++)
                open[system->cells[i].decision] = open[system->cells[i].decision] || system->cells[i].hidden;
        for (size_t i = 0; i < system->table_cell_count; i++)
                if (reading->suppressed[i])
                        open[system->cells[system->table_cells[i]].decision] = true;
        for (size_t i = 0; i < system->table_cell_count; i++)
                if (reading->suppressed[i] != open[system->cells[system->table_cells[i]].decision])
                        return broken(err, "a cell is suppressed in one table and shown in another, or for one measure only");
        for (size_t i = 0; i < system->cell_count; i++)
                if (system->cells[i].unsafe && !open[system->cells[i].decision])
                        return broken(err, "an unsafe cell is not suppressed");
        return 0;
}

/* One witness for each side that is asked for, in the order of the cells, the low one first; and no other. */
static int check_witnesses(const struct reading *reading, const struct gbx_system *system, const bool *open, struct gbx_error *err) {
        size_t next = 0;

        for (size_t i = 0; i < system->cell_count; i++) {
                for (int high = 0; high <= 1; high++) {
                        const struct gbx_witness *witness = &reading->witnesses[next];
                        const char *fault;

                        if (!open[system->cells[i].decision] || (high ? system->cells[i].upper : system->cells[i].lower) == 0)
                                continue;
                        if (next == reading->witness_count || witness->cell != i || witness->high != (bool)high)
                                return gbx_fail(err, -EBADMSG, "certificate: cell %zu has no witness on its %s side", i,
                                                high ? "high" : "low");
                        fault = gbx_witness_fault(system, open, witness);
                        if (fault)
                                return gbx_fail(err, -EBADMSG, "certificate: the witness of cell %zu on its %s side is wrong: %s", i,
                                                high ? "high" : "low", fault);
                        next++;
                }
        }
        return next == reading->witness_count ? 0 : broken(err, "it has witnesses that nothing asks for");
}

static void count_facts(const struct reading *reading, const struct gbx_system *system, struct gbx_certificate_facts *ret) {
        *ret = (struct gbx_certificate_facts){ .tables = reading->set.table_count, .cells = system->table_cell_count,
                                               .equations = system->equation_count, .witnesses = reading->witness_count };
        for (size_t i = 0; i < system->table_cell_count; i++)
                ret->suppressed += reading->suppressed[i];
        for (size_t i = 0; i < system->cell_count; i++)
                ret->unsafe += system->cells[i].unsafe;
}

static int check_proof(const struct reading *reading, const void *data, size_t size, struct gbx_certificate_facts *facts,
                       struct gbx_error *err) {
        gbx_auto(gbx_system_free) struct gbx_system system = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer form = { .secret = true };
        gbx_auto(gbx_free_pointer) bool *open = NULL;
        int r = gbx_system_derive(&reading->set, &system, err);

        if (r < 0)
                return r == -ENOMEM ? r : gbx_context(err, -EBADMSG, "certificate");
        open = calloc(system.decision_count + 1, sizeof *open);
        if (!open)
                return gbx_fail_memory(err);
        r = check_marks(reading, &system, open, err);
        if (r == 0)
                r = check_witnesses(reading, &system, open, err);
        if (r == 0)
                r = gbx_certificate_form(&reading->set, &system, open, reading->witnesses, reading->witness_count, &form, err);
        if (r == 0 && (form.size != size || memcmp(form.data, data, size) != 0))
                r = broken(err, "its bytes are not in the one form that a certificate has, or its digest is not that of its content");
        if (r == 0 && facts)
                count_facts(reading, &system, facts);
        return r;
}

int gbx_certificate_check(const void *data, size_t size, const uint8_t *digest, struct gbx_certificate_facts *facts,
                          struct gbx_error *err) {
        gbx_auto(free_reading) struct reading reading = {};
        uint8_t actual[GBX_SHA256_SIZE];

        if (size > GBX_CERTIFICATE_MAX_SIZE)
                return broken(err, "it is too large");
        gbx_sha256(data, size, actual);
        if (digest && memcmp(actual, digest, sizeof actual) != 0)
                return broken(err, "it is not the one that the release names: the digest differs");
        if (!gbx_utf8_valid(data, size))
                return broken(err, "it is no UTF-8");
        reading.json = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
        if (!reading.json || !read_all(&reading))
                return broken(err, "it is no JSON of the form that docs/disclosure.md describes");
        return check_proof(&reading, data, size, facts, err);
}
