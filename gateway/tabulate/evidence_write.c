#include "gateway/tabulate/evidence.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

struct writer {
        const struct gbx_cells *cells;
        struct gbx_buffer sets;
        struct gbx_error *err;
};

/* Appends a set and returns [place, size]; NULL with the error recorded. */
static json_t *put_set(struct writer *writer, const struct gbx_members *members) {
        size_t place = writer->sets.size, size;

        if (!members->bitmap)
                return json_pack("[i,i]", 0, 0);
        (void)roaring_bitmap_run_optimize(members->bitmap);
        size = roaring_bitmap_portable_size_in_bytes(members->bitmap);
        if (gbx_buffer_reserve(&writer->sets, size, writer->err) < 0)
                return NULL;
        (void)roaring_bitmap_portable_serialize(members->bitmap, (char *)writer->sets.data + place);
        writer->sets.size += size;
        return json_pack("[I,I]", (json_int_t)place, (json_int_t)size);
}

static json_t *wide_json(const struct gbx_wide *value) {
        char text[GBX_WIDE_TEXT_SIZE];
        mpz_t number;

        mpz_init(number);
        gbx_wide_to_mpz(value, number);
        (void)mpz_get_str(text, 10, number);
        mpz_clear(number);
        return json_string(text);
}

/* The two sums, as {"total":…,"top":[…],"negative":…}. */
static json_t *put_sum(const struct gbx_wide *total, const struct gbx_top *top) {
        json_t *list = json_array();

        for (size_t i = 0; i < top->count; i++) {
                struct gbx_wide value = {};

                gbx_wide_add_wide_number(&value, top->items[i].value);
                (void)json_array_append_new(list, json_pack("[o,I]", wide_json(&value), (json_int_t)top->items[i].contributor));
        }
        return json_pack("{s:o,s:o,s:b}", "total", wide_json(total), "top", list, "negative", (int)top->negative);
}

/* Contributors of a sorted part of the values: each once. */
static uint64_t count_contributors(const struct gbx_measured *values, size_t count, bool one_row_each) {
        roaring_bitmap_t *set = one_row_each ? NULL : roaring_bitmap_create();
        uint64_t result = count;

        if (!set)
                return one_row_each ? count : 0;
        for (size_t i = 0; i < count; i++)
                roaring_bitmap_add(set, values[i].contributor);
        result = roaring_bitmap_get_cardinality(set);
        roaring_bitmap_free(set);
        return result;
}

static int put_sides(json_t *object, const struct gbx_tally *tally, const struct gbx_tally_plan *plan) {
        unsigned __int128 place = (unsigned __int128)(tally->measured_count - 1) * (uint64_t)plan->statistic->at_millionths;
        size_t low = (size_t)(place / 1000000), high = place % 1000000 ? low + 1 : low;

        return json_object_set_new(object, "below", json_integer((json_int_t)count_contributors(tally->measured, low + 1, plan->one_row_each))) |
               json_object_set_new(object, "above", json_integer((json_int_t)count_contributors(tally->measured + high, tally->measured_count - high,
                                                                                                 plan->one_row_each)));
}

/* While there are no more than two different values: who has which. */
static int put_twofold(struct writer *writer, json_t *object, struct gbx_tally *tally, const struct gbx_tally_plan *plan) {
        struct gbx_members *sets[] = { &tally->first, &tally->second };
        json_t *list = json_array();
        int r = json_object_set_new(object, "different", json_integer(tally->different));

        for (unsigned i = 0; i < 2; i++) {
                json_t *place = i < tally->different && tally->different < 3 ? put_set(writer, sets[i]) : json_pack("[i,i]", 0, 0);
                uint64_t count = i < tally->different && tally->different < 3 ? gbx_members_count(sets[i]) : 0;

                if (!place)
                        return -1;
                r |= json_array_append_new(list, json_pack("{s:I,s:o}", "contributors", (json_int_t)count, "members", place));
        }
        if (plan->statistic->kind == GBX_STATISTIC_SHARE || plan->statistic->kind == GBX_STATISTIC_PERCENT)
                r |= json_object_set_new(object, "holds_first", json_boolean(tally->different > 0 && tally->values[0] == 1));
        return r | json_object_set_new(object, "with", list);
}

static int put_value(struct writer *writer, const struct gbx_cell *cell, size_t index, json_t *list) {
        const struct gbx_tally_plan *plan = &writer->cells->plans[index];
        struct gbx_tally *tally = &cell->tallies[index];
        uint64_t contributors = plan->own_members ? gbx_members_count(&tally->members) : roaring_bitmap_get_cardinality(cell->members.bitmap);
        uint64_t rows = plan->own_members || plan->statistic->of_expression ? tally->rows : cell->rows;
        char text[GBX_WIDE_TEXT_SIZE];
        json_t *object, *place;
        int r = gbx_tally_text(tally, plan, contributors, text, writer->err);

        if (r < 0)
                return r;
        place = plan->own_members ? put_set(writer, &tally->members) : json_pack("[i,i]", 0, 0);
        if (!place)
                return -ENOMEM;
        object = json_pack("{s:s,s:I,s:I,s:o}", "value", text, "rows", (json_int_t)rows, "contributors", (json_int_t)contributors, "members", place);
        if (plan->sums)
                r |= json_object_set_new(object, "of", put_sum(&tally->x, &tally->top[0]));
        if (plan->second)
                r |= json_object_set_new(object, "over", put_sum(&tally->y, &tally->top[1]));
        if (plan->twofold)
                r |= put_twofold(writer, object, tally, plan);
        if (plan->values && tally->measured_count)
                r |= put_sides(object, tally, plan);
        r |= json_array_append_new(list, object);
        return r ? gbx_fail_memory(writer->err) : 0;
}

static int put_cell(struct writer *writer, struct gbx_cell *cell, json_t *list) {
        const struct gbx_table *table = writer->cells->table;
        json_t *keys = json_array(), *states = json_array(), *values = json_array(), *place;
        int r = 0, j = 0;

        for (size_t i = 0; i < table->by.count && r >= 0; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

                r = gbx_cell_key_text(writer->cells, cell, i, &text, writer->err);
                j |= json_array_append_new(keys, json_stringn(gbx_buffer_text(&text), text.size)) |
                     json_array_append_new(states, json_integer(cell->states[i]));
        }
        for (size_t i = 0; i < table->statistics.count && r >= 0; i++)
                r = put_value(writer, cell, i, values);
        place = r < 0 ? NULL : put_set(writer, &cell->members);
        if (!place) {
                json_decref(keys);
                json_decref(states);
                json_decref(values);
                return r < 0 ? r : -ENOMEM;
        }
        j |= json_array_append_new(list, json_pack("{s:o,s:o,s:I,s:I,s:o,s:o}", "keys", keys, "states", states, "rows", (json_int_t)cell->rows,
                                                   "contributors", (json_int_t)gbx_members_count(&cell->members), "members", place, "values", values));
        return j ? gbx_fail_memory(writer->err) : 0;
}

static json_t *head(const struct gbx_cells *cells, const struct gbx_evidence_source *source, json_t *list) {
        const struct gbx_statistic *statistics = cells->table->statistics.items;
        json_t *keys = json_array(), *kinds = json_array();
        int j = 0;

        for (size_t i = 0; i < cells->table->by.count; i++)
                j |= json_array_append_new(keys, json_string(cells->table->by.items[i]));
        for (size_t i = 0; i < cells->table->statistics.count; i++)
                j |= json_array_append_new(kinds, json_pack("{s:s,s:s}", "name", statistics[i].name, "kind", gbx_statistic_kind_name(statistics[i].kind)));
        if (j)
                return NULL;
        return json_pack("{s:i,s:s,s:s,s:s?,s:I,s:I,s:I,s:i,s:o,s:o,s:O}", "version", 1, "table", cells->table->name, "data", source->data, "contributor",
                         source->contributor, "dataset_rows", (json_int_t)source->rows, "dataset_contributors", (json_int_t)source->contributors,
                         "absent", (json_int_t)(cells->absent > INT64_MAX ? INT64_MAX : cells->absent), "parameters",
                         (int)source->parameters, "keys", keys, "statistics", kinds, "cells", list);
}

int gbx_evidence_write(const struct gbx_cells *cells, const struct gbx_evidence_source *source, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *list = json_array(), *json = NULL;
        struct writer writer = { .cells = cells, .err = err };
        gbx_auto(gbx_free_pointer) char *text = NULL;
        uint8_t digest[GBX_SHA256_SIZE], size[8];
        size_t length, start = ret->size;
        int r = list ? 0 : gbx_fail_memory(err);

        for (size_t i = 0; i < cells->count && r >= 0; i++)
                r = put_cell(&writer, cells->items[i], list);
        json = r < 0 ? NULL : head(cells, source, list);
        text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        if (r >= 0 && !text)
                r = gbx_fail_memory(err);
        length = text ? strlen(text) : 0;
        for (size_t i = 0; i < sizeof size; i++)
                size[i] = (uint8_t)(length >> (8 * i));
        if (r >= 0)
                r = gbx_buffer_append_text(ret, "GBXEVID1", err);
        if (r >= 0)
                r = gbx_buffer_append(ret, size, sizeof size, err);
        if (r >= 0)
                r = gbx_buffer_append(ret, text, length, err);
        if (r >= 0)
                r = gbx_buffer_append(ret, writer.sets.data, writer.sets.size, err);
        gbx_buffer_free(&writer.sets);
        if (r < 0)
                return r;
        gbx_sha256(ret->data + start, ret->size - start, digest);
        return gbx_buffer_append(ret, digest, sizeof digest, err);
}
