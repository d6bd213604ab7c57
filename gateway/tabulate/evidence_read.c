#include "gateway/tabulate/evidence.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

enum { HEAD_SIZE = 16 };

struct gbx_evidence *gbx_evidence_free(struct gbx_evidence *evidence) {
        if (!evidence)
                return NULL;
        for (size_t i = 0; i < evidence->cell_count; i++) {
                for (size_t k = 0; k < evidence->key_count; k++)
                        free(evidence->cells[i].keys[k]);
                free(evidence->cells[i].values);
        }
        for (size_t i = 0; i < GBX_TABLE_MAX_KEYS; i++)
                free(evidence->keys[i]);
        for (size_t i = 0; i < GBX_TABLE_MAX_STATISTICS; i++)
                free(evidence->statistics[i].name);
        free(evidence->cells);
        free(evidence->table);
        free(evidence->data);
        gbx_buffer_free(&evidence->sets);
        free(evidence);
        return NULL;
}

/* Readers of one value; each false if it is not there or not as it should be. */

static bool read_text(const json_t *object, const char *key, char **ret) {
        const char *text = gbx_json_text(object, key);

        *ret = text ? strdup(text) : NULL;
        return *ret != NULL;
}

static bool read_number(const json_t *object, const char *key, uint64_t *ret) {
        const json_t *value = json_object_get(object, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0)
                return false;
        *ret = (uint64_t)json_integer_value(value);
        return true;
}

static bool read_set(const struct gbx_evidence *evidence, const json_t *object, struct gbx_evidence_set *ret) {
        const json_t *pair = json_object_get(object, "members"), *place = json_array_get(pair, 0), *size = json_array_get(pair, 1);

        if (json_array_size(pair) != 2 || !json_is_integer(place) || !json_is_integer(size) || json_integer_value(place) < 0 ||
            json_integer_value(size) < 0)
                return false;
        *ret = (struct gbx_evidence_set){ (uint64_t)json_integer_value(place), (uint64_t)json_integer_value(size) };
        return ret->place <= evidence->sets.size && ret->size <= evidence->sets.size - ret->place;
}

/* At most 76 digits: 253 bits. */
static bool read_wide(const json_t *json, struct gbx_wide *ret) {
        const char *text = json_string_value(json);
        uint64_t limbs[4] = {};
        bool negative, good;
        mpz_t number;

        if (!text || strlen(text) > 76)
                return false;
        mpz_init(number);
        good = *text && mpz_set_str(number, text, 10) == 0;
        negative = mpz_sgn(number) < 0;
        if (good) {
                (void)mpz_export(limbs, NULL, -1, sizeof limbs[0], 0, 0, number);
                *ret = (struct gbx_wide){ { limbs[0], limbs[1], limbs[2], limbs[3] } };
                if (negative)
                        gbx_wide_negate(ret);
        }
        mpz_clear(number);
        return good;
}

static bool read_sum(const json_t *json, struct gbx_evidence_sum *ret) {
        const json_t *top = json_object_get(json, "top"), *negative = json_object_get(json, "negative");

        if (!json)
                return true;
        if (!json_is_array(top) || json_array_size(top) > GBX_TALLY_TOP || !json_is_boolean(negative) ||
            !read_wide(json_object_get(json, "total"), &ret->total))
                return false;
        ret->negative = json_is_true(negative);
        for (; ret->count < json_array_size(top); ret->count++)
                if (!read_wide(json_array_get(json_array_get(top, ret->count), 0), &ret->top[ret->count]))
                        return false;
        return true;
}

static bool read_twofold(const struct gbx_evidence *evidence, const json_t *json, struct gbx_evidence_value *ret) {
        const json_t *list = json_object_get(json, "with");
        uint64_t different;

        if (!json_object_get(json, "different"))
                return true;
        if (!read_number(json, "different", &different) || different > 3 || json_array_size(list) != 2)
                return false;
        ret->different = (unsigned)different;
        ret->holds_first = json_is_true(json_object_get(json, "holds_first"));
        for (size_t i = 0; i < 2; i++)
                if (!read_number(json_array_get(list, i), "contributors", &ret->with[i]) ||
                    !read_set(evidence, json_array_get(list, i), &ret->with_members[i]))
                        return false;
        return true;
}

/* What a kind of statistic must come with, so that leaving it out cannot switch a rule off. */
static bool is_whole(enum gbx_statistic_kind kind, const json_t *json) {
        bool sums = kind == GBX_STATISTIC_SUM || kind == GBX_STATISTIC_MEAN || kind == GBX_STATISTIC_VARIANCE || kind == GBX_STATISTIC_SHARE ||
                    kind == GBX_STATISTIC_PERCENT || kind == GBX_STATISTIC_RATIO || kind == GBX_STATISTIC_CORRELATION;
        bool second = kind == GBX_STATISTIC_RATIO || kind == GBX_STATISTIC_CORRELATION;
        bool twofold = sums || kind == GBX_STATISTIC_QUANTILE || kind == GBX_STATISTIC_MINIMUM || kind == GBX_STATISTIC_MAXIMUM;

        return (!sums || json_object_get(json, "of")) && (!second || json_object_get(json, "over")) && (!twofold || json_object_get(json, "different")) &&
               (kind != GBX_STATISTIC_QUANTILE || gbx_json_number(json, "rows") == 0 || (json_object_get(json, "below") && json_object_get(json, "above")));
}

static bool read_value(const struct gbx_evidence *evidence, const json_t *json, enum gbx_statistic_kind kind, struct gbx_evidence_value *ret) {
        const char *text = gbx_json_text(json, "value");

        if (!text || strlen(text) >= sizeof ret->text || !is_whole(kind, json) || !read_number(json, "rows", &ret->rows) ||
            !read_number(json, "contributors", &ret->contributors) || !read_set(evidence, json, &ret->members) ||
            !read_sum(json_object_get(json, "of"), &ret->sums[0]) || !read_sum(json_object_get(json, "over"), &ret->sums[1]) ||
            !read_twofold(evidence, json, ret))
                return false;
        memcpy(ret->text, text, strlen(text) + 1);
        return !json_object_get(json, "below") || (read_number(json, "below", &ret->below) && read_number(json, "above", &ret->above));
}

/* The cell is counted first, so that what was read of it is freed. */
static bool read_cell(struct gbx_evidence *evidence, const json_t *json) {
        struct gbx_evidence_cell *cell = &evidence->cells[evidence->cell_count++];
        const json_t *keys = json_object_get(json, "keys"), *states = json_object_get(json, "states"), *values = json_object_get(json, "values");

        cell->values = calloc(evidence->statistic_count + 1, sizeof *cell->values);
        if (!cell->values || json_array_size(keys) != evidence->key_count || json_array_size(states) != evidence->key_count ||
            json_array_size(values) != evidence->statistic_count || !read_number(json, "rows", &cell->rows) ||
            !read_number(json, "contributors", &cell->contributors) || !read_set(evidence, json, &cell->members))
                return false;
        for (size_t i = 0; i < evidence->key_count; i++) {
                const char *text = json_string_value(json_array_get(keys, i));
                json_int_t state = json_integer_value(json_array_get(states, i));

                if (!text || !json_is_integer(json_array_get(states, i)) || state < 0 || state > GBX_CELL_ALL || !(cell->keys[i] = strdup(text)))
                        return false;
                cell->states[i] = (uint8_t)state;
        }
        for (size_t i = 0; i < evidence->statistic_count; i++)
                if (!read_value(evidence, json_array_get(values, i), evidence->statistics[i].kind, &cell->values[i]))
                        return false;
        return true;
}

static bool read_statistic(struct gbx_evidence *evidence, const json_t *json) {
        struct gbx_evidence_statistic *statistic = &evidence->statistics[evidence->statistic_count];
        const char *word = gbx_json_text(json, "kind");

        if (!word || !read_text(json, "name", &statistic->name))
                return false;
        while (statistic->kind < GBX_STATISTIC_KINDS_ && strcmp(gbx_statistic_kind_name(statistic->kind), word) != 0)
                statistic->kind++;
        evidence->statistic_count++;
        return statistic->kind < GBX_STATISTIC_KINDS_;
}

static bool read_json(struct gbx_evidence *evidence, const json_t *json) {
        const json_t *keys = json_object_get(json, "keys"), *statistics = json_object_get(json, "statistics"), *cells = json_object_get(json, "cells");
        uint64_t parameters = 0;

        if (gbx_json_number(json, "version") != 1 || !read_text(json, "table", &evidence->table) || !read_text(json, "data", &evidence->data) ||
            !read_number(json, "dataset_rows", &evidence->rows) || !read_number(json, "dataset_contributors", &evidence->contributors) ||
            !read_number(json, "absent", &evidence->absent) || !json_is_array(keys) || json_array_size(keys) > GBX_TABLE_MAX_KEYS ||
            !json_is_array(statistics) || json_array_size(statistics) > GBX_TABLE_MAX_STATISTICS || !json_is_array(cells) ||
            json_array_size(cells) > GBX_CELLS_MAX)
                return false;
        if (json_object_get(json, "parameters") && (!read_number(json, "parameters", &parameters) || parameters > GBX_TABLE_MAX_TERMS + 1))
                return false;
        evidence->parameters = (unsigned)parameters;
        for (; evidence->key_count < json_array_size(keys); evidence->key_count++) {
                const char *text = json_string_value(json_array_get(keys, evidence->key_count));

                if (!text || !(evidence->keys[evidence->key_count] = strdup(text)))
                        return false;
        }
        for (size_t i = 0; i < json_array_size(statistics); i++)
                if (!read_statistic(evidence, json_array_get(statistics, i)))
                        return false;
        evidence->cells = calloc(json_array_size(cells) + 1, sizeof *evidence->cells);
        for (size_t i = 0; evidence->cells && i < json_array_size(cells); i++)
                if (!read_cell(evidence, json_array_get(cells, i)))
                        return false;
        return evidence->cells != NULL;
}

int gbx_evidence_read(struct gbx_evidence **ret, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_evidence_freep) struct gbx_evidence *evidence = calloc(1, sizeof *evidence);
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        const uint8_t *bytes = data;
        uint8_t digest[GBX_SHA256_SIZE];
        uint64_t length = 0;
        int r;

        if (!evidence)
                return gbx_fail_memory(err);
        if (size < HEAD_SIZE + sizeof digest || memcmp(data, "GBXEVID1", 8) != 0)
                return gbx_fail(err, -EINVAL, "this is no evidence of the tabulator");
        gbx_sha256(data, size - sizeof digest, digest);
        if (memcmp(digest, bytes + size - sizeof digest, sizeof digest) != 0)
                return gbx_fail(err, -EBADMSG, "the evidence is not as the tabulator wrote it: its digest differs");
        for (size_t i = 0; i < 8; i++)
                length |= (uint64_t)bytes[8 + i] << (8 * i);
        if (length > size - sizeof digest - HEAD_SIZE)
                return gbx_fail(err, -EINVAL, "the evidence is cut short");
        r = gbx_buffer_append(&evidence->sets, bytes + HEAD_SIZE + length, size - sizeof digest - HEAD_SIZE - length, err);
        if (r < 0)
                return r;
        json = json_loadb((const char *)bytes + HEAD_SIZE, length, JSON_REJECT_DUPLICATES, NULL);
        if (!json || !read_json(evidence, json))
                return gbx_fail(err, -EINVAL, "the evidence is not of the form that docs/tabulator.md describes");
        *ret = gbx_take_ptr(evidence);
        return 0;
}

int gbx_evidence_members(const struct gbx_evidence *evidence, const struct gbx_evidence_set *set, roaring_bitmap_t **ret, struct gbx_error *err) {
        roaring_bitmap_t *bitmap = roaring_bitmap_portable_deserialize_safe((const char *)evidence->sets.data + set->place, set->size);

        if (!bitmap)
                return gbx_fail(err, -EBADMSG, "a set of the evidence is no Roaring bitmap");
        *ret = bitmap;
        return 0;
}
