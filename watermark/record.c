#include "watermark/record.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "watermark/json.h"

#include <stdlib.h>
#include <string.h>

static const char *const types[] = { "text", "integer", "decimal" };
static const char *const roles[] = { "value", "key", "count" };
static const char *const codes[] = { "auto", "unbiased", "tardos" };
static const char *const claims[] = { "manifest-only", "content-registry", "traceable" };
static const char *const layouts[] = { "table", "json" };

static int write_column(const struct gbx_record *record, unsigned index, struct gbx_buffer *buffer,
                        struct gbx_error *err) {
        const struct gbx_plan_column *c = &record->plan.columns[index];
        char unit[GBX_NUMBER_TEXT_SIZE] = "";
        int r;

        if (c->markable && !c->mark_text)
                (void)gbx_number_print(c->unit, unit);
        r = gbx_buffer_append_text(buffer, index ? ",{\"name\":" : "{\"name\":", err);
        if (r >= 0)
                r = gbx_json_write_string(buffer, c->name, strlen(c->name), err);
        if (r >= 0)
                r = gbx_buffer_printf(buffer, err, ",\"type\":\"%s\",\"role\":\"%s\",\"unit\":\"%s\",\"weight\":%u",
                                      types[c->type], roles[c->role], unit, c->weight);
        if (r >= 0 && c->mark_text)
                r = gbx_buffer_append_text(buffer, ",\"text\":true", err);
        if (r >= 0 && c->prose)
                r = gbx_buffer_append_text(buffer, ",\"prose\":true", err);
        if (r >= 0 && record->rounded && record->rounded[index])
                r = gbx_buffer_append_text(buffer, ",\"rounded\":true", err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, ",\"sketch\":\"", err);
        for (unsigned i = 0; i < c->sketch.count && r >= 0; i++)
                r = gbx_buffer_printf(buffer, err, "%08x", c->sketch.hashes[i]);
        if (r >= 0)
                r = gbx_buffer_printf(buffer, err, "\",\"sketched_rows\":%u,\"sketch_counts\":\"", c->sketch.rows);
        for (unsigned i = 0; i < c->sketch.count && r >= 0; i++)
                r = gbx_buffer_printf(buffer, err, "%04x", c->sketch.counts[i]);
        if (r >= 0 && c->spike_count > 0)
                r = gbx_buffer_append_text(buffer, "\",\"spikes\":\"", err);
        for (unsigned i = 0; i < c->spike_count && r >= 0; i++)
                r = gbx_buffer_printf(buffer, err, "%08x", c->spikes[i]);
        return r < 0 ? r : gbx_buffer_append_text(buffer, "\"}", err);
}

static int write_layer(const struct gbx_layer *layer, bool first, struct gbx_buffer *buffer, struct gbx_error *err) {
        int r = gbx_buffer_printf(buffer, err, "%s{\"virtual\":%s,\"keys\":[", first ? "" : ",",
                                  layer->virtual ? "true" : "false");

        for (unsigned i = 0; i < layer->key_count && r >= 0; i++) {
                char bucket[GBX_NUMBER_TEXT_SIZE] = "";

                if (layer->keys[i].bucket.mantissa)
                        (void)gbx_number_print(layer->keys[i].bucket, bucket);
                r = gbx_buffer_printf(buffer, err, "%s[%u,\"%s\"]", i ? "," : "", layer->keys[i].column, bucket);
        }
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, "],\"marks\":[", err);
        for (unsigned i = 0; i < layer->mark_count && r >= 0; i++)
                r = gbx_buffer_printf(buffer, err, "%s%u", i ? "," : "", layer->marks[i]);
        return r < 0 ? r : gbx_buffer_append_text(buffer, "]}", err);
}

int gbx_record_write(const struct gbx_record *record, const char *scheme, struct gbx_buffer *buffer,
                     struct gbx_error *err) {
        char digest[GBX_SHA256_TEXT_SIZE], content[GBX_SHA256_TEXT_SIZE] = "";
        int r;

        gbx_sha256_text(record->digest, digest);
        if (record->has_content)
                gbx_sha256_text(record->content, content);
        r = gbx_buffer_printf(buffer, err,
                              "{\"v\":1,\"scheme\":\"%s\",\"layout\":\"%s\",\"claim\":\"%s\",\"code\":\"%s\","
                              "\"coalition\":%u,\"gamma\":%u,\"cells_per_row\":%u,\"capacity\":%llu,\"floor\":%llu,"
                              "\"layout_marks\":%u,\"digest\":\"%s\",\"content\":\"%s\",\"columns\":[",
                              scheme, layouts[record->json], claims[record->claim], codes[record->code.kind],
                              record->code.coalition, record->plan.gamma, record->plan.cells_per_row,
                              (unsigned long long)record->capacity, (unsigned long long)record->floor, record->layout, digest, content);
        for (unsigned i = 0; i < record->plan.column_count && r >= 0; i++)
                r = write_column(record, i, buffer, err);
        if (r >= 0)
                r = gbx_buffer_append_text(buffer, "],\"layers\":[", err);
        for (unsigned i = 0; i < record->plan.layer_count && r >= 0; i++)
                r = write_layer(&record->plan.layers[i], i == 0, buffer, err);
        return r < 0 ? r : gbx_buffer_append_text(buffer, "]}", err);
}

/* --- reading ----------------------------------------------------------------- */

struct source {
        const struct gbx_json *json;
        struct gbx_error *err;
};

static int damaged(const struct source *source, const char *what) {
        return gbx_fail(source->err, -EINVAL, "the record of a mark is damaged: %s", what);
}

static int get_number(const struct source *source, uint32_t object, const char *name, uint64_t limit, uint64_t *ret) {
        uint32_t node = gbx_json_member(source->json, object, name);
        uint64_t value;

        if (!node || source->json->nodes[node].kind != GBX_JSON_NUMBER ||
            gbx_parse_u64(gbx_json_text(source->json, node), &value, NULL) < 0 || value > limit)
                return damaged(source, name);
        *ret = value;
        return 0;
}

static const char *get_text(const struct source *source, uint32_t object, const char *name) {
        uint32_t node = gbx_json_member(source->json, object, name);

        return node && source->json->nodes[node].kind == GBX_JSON_STRING ? gbx_json_text(source->json, node) : NULL;
}

static int get_word(const struct source *source, uint32_t object, const char *name, const char *const *words,
                    unsigned count, unsigned *ret) {
        const char *text = get_text(source, object, name);

        for (unsigned i = 0; text && i < count; i++)
                if (strcmp(text, words[i]) == 0) {
                        *ret = i;
                        return 0;
                }
        return damaged(source, name);
}

static bool get_flag(const struct source *source, uint32_t object, const char *name) {
        uint32_t node = gbx_json_member(source->json, object, name);

        return node && source->json->nodes[node].kind == GBX_JSON_TRUE;
}

/* Hashes of eight hexadecimal digits each, one behind the other. */
static int read_hashes(const struct source *source, const char *text, const char *what, uint32_t *ret, size_t limit,
                       unsigned *ret_count) {
        size_t length = strlen(text);

        if (length % 8 != 0 || length / 8 > limit)
                return damaged(source, what);
        for (size_t i = 0; i < length / 8; i++) {
                uint8_t bytes[4];

                if (gbx_hex_decode(text + 8 * i, 8, bytes, 4, NULL) < 0)
                        return damaged(source, what);
                ret[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
                if (i > 0 && ret[i] < ret[i - 1])
                        return damaged(source, what);
        }
        *ret_count = (unsigned)(length / 8);
        return 0;
}

static int read_sketch(const struct source *source, uint32_t node, unsigned limit, struct gbx_sketch *ret) {
        const char *hashes = get_text(source, node, "sketch"), *counts = get_text(source, node, "sketch_counts");
        uint64_t rows, sum = 0;
        int r = get_number(source, node, "sketched_rows", UINT32_MAX, &rows);

        if (r < 0)
                return r;
        if (!hashes || !counts)
                return damaged(source, "sketch");
        r = read_hashes(source, hashes, "sketch", ret->hashes, limit, &ret->count);
        if (r < 0)
                return r;
        if (strlen(counts) != 4 * (size_t)ret->count)
                return damaged(source, "sketch_counts");
        for (unsigned i = 0; i < ret->count; i++) {
                uint8_t bytes[2];

                if (gbx_hex_decode(counts + 4 * (size_t)i, 4, bytes, 2, NULL) < 0)
                        return damaged(source, "sketch_counts");
                ret->counts[i] = (uint16_t)(bytes[0] << 8 | bytes[1]);
                sum += ret->counts[i];
                if (ret->counts[i] == 0 || sum > rows)
                        return damaged(source, "sketch_counts");
        }
        ret->rows = (uint32_t)rows;
        return 0;
}

static int read_looks(const struct source *source, uint32_t node, struct gbx_plan_column *column) {
        const char *spikes = get_text(source, node, "spikes");
        int r = read_sketch(source, node, column->role == GBX_MARK_KEY ? GBX_SKETCH_KEY_SIZE : GBX_SKETCH_SIZE, &column->sketch);

        if (r < 0 || !spikes)
                return r;
        column->spikes = calloc(GBX_SPIKE_SHARE + 2, sizeof *column->spikes);
        if (!column->spikes)
                return gbx_fail_memory(source->err);
        return read_hashes(source, spikes, "spikes", column->spikes, GBX_SPIKE_SHARE + 1, &column->spike_count);
}

static int read_column(const struct source *source, uint32_t node, struct gbx_plan_column *column, bool *rounded) {
        const char *name = get_text(source, node, "name"), *unit = get_text(source, node, "unit");
        unsigned type, role;
        uint64_t weight;
        int r = get_word(source, node, "type", types, gbx_array_size(types), &type);

        if (r >= 0)
                r = get_word(source, node, "role", roles, gbx_array_size(roles), &role);
        if (r >= 0)
                r = get_number(source, node, "weight", 1000000, &weight);
        if (r < 0)
                return r;
        if (!name || !unit || weight == 0)
                return damaged(source, "column");
        column->name = strdup(name);
        if (!column->name)
                return gbx_fail_memory(source->err);
        column->type = (enum gbx_mark_type)type;
        column->role = (enum gbx_mark_role)role;
        column->weight = (unsigned)weight;
        column->sum_group = column->per = -1;
        column->mark_text = get_flag(source, node, "text");
        column->prose = get_flag(source, node, "prose");
        *rounded = get_flag(source, node, "rounded");
        if (*unit && (!gbx_number_parse(unit, strlen(unit), &column->unit) || column->unit.mantissa <= 0))
                return damaged(source, "unit");
        column->markable = *unit || column->mark_text;
        return read_looks(source, node, column);
}

static int read_key(const struct source *source, uint32_t node, unsigned columns, struct gbx_layer *layer) {
        const struct gbx_json_node *pair = &source->json->nodes[node];
        struct gbx_layer_key key = {};
        uint64_t column;
        uint32_t bucket;

        if (pair->kind != GBX_JSON_ARRAY || pair->count != 2 || layer->key_count == GBX_LAYER_MAX_KEYS)
                return damaged(source, "key");
        bucket = source->json->nodes[pair->child].next;
        if (source->json->nodes[pair->child].kind != GBX_JSON_NUMBER ||
            gbx_parse_u64(gbx_json_text(source->json, pair->child), &column, NULL) < 0 || column >= columns ||
            source->json->nodes[bucket].kind != GBX_JSON_STRING)
                return damaged(source, "key");
        key.column = (unsigned)column;
        if (source->json->nodes[bucket].text_size > 0 &&
            (!gbx_number_parse(gbx_json_text(source->json, bucket), source->json->nodes[bucket].text_size, &key.bucket) ||
             key.bucket.mantissa <= 0))
                return damaged(source, "bucket");
        layer->keys[layer->key_count++] = key;
        return 0;
}

static int read_layer(const struct source *source, uint32_t node, struct gbx_plan *plan) {
        struct gbx_layer *layer = &plan->layers[plan->layer_count];
        uint32_t keys = gbx_json_member(source->json, node, "keys"), marks = gbx_json_member(source->json, node, "marks");
        int r = 0;

        if (!keys || !marks)
                return damaged(source, "layer");
        plan->layer_count++;
        layer->virtual = get_flag(source, node, "virtual");
        layer->marks = calloc(plan->column_count + 1, sizeof *layer->marks);
        if (!layer->marks)
                return gbx_fail_memory(source->err);
        for (uint32_t i = source->json->nodes[keys].child; i && r >= 0; i = source->json->nodes[i].next)
                r = read_key(source, i, plan->column_count, layer);
        for (uint32_t i = source->json->nodes[marks].child; i && r >= 0; i = source->json->nodes[i].next) {
                uint64_t column;

                if (source->json->nodes[i].kind != GBX_JSON_NUMBER || layer->mark_count == plan->column_count ||
                    gbx_parse_u64(gbx_json_text(source->json, i), &column, NULL) < 0 || column >= plan->column_count ||
                    !plan->columns[column].markable)
                        return damaged(source, "marks");
                for (unsigned k = 0; k < layer->mark_count; k++)
                        if (layer->marks[k] == column)
                                return damaged(source, "marks");
                layer->marks[layer->mark_count++] = (unsigned)column;
        }
        return r;
}

static int read_digests(const struct source *source, struct gbx_record *record) {
        const char *digest = get_text(source, 0, "digest"), *content = get_text(source, 0, "content");

        if (!digest || gbx_sha256_parse(digest, record->digest, NULL) < 0 || !content)
                return damaged(source, "digest");
        record->has_content = *content;
        if (record->has_content && gbx_sha256_parse(content, record->content, NULL) < 0)
                return damaged(source, "content");
        return 0;
}

static int read_head(const struct source *source, struct gbx_record *record) {
        uint64_t version, coalition, gamma, cells, layout_marks;
        unsigned layout, claim, code;
        int r = get_number(source, 0, "v", 1, &version);

        if (r >= 0)
                r = get_word(source, 0, "layout", layouts, gbx_array_size(layouts), &layout);
        if (r >= 0)
                r = get_word(source, 0, "claim", claims, gbx_array_size(claims), &claim);
        if (r >= 0)
                r = get_word(source, 0, "code", codes, gbx_array_size(codes), &code);
        if (r >= 0)
                r = get_number(source, 0, "coalition", GBX_CODE_MAX_COALITION, &coalition);
        if (r >= 0)
                r = get_number(source, 0, "gamma", UINT32_MAX, &gamma);
        if (r >= 0)
                r = get_number(source, 0, "cells_per_row", UINT32_MAX, &cells);
        if (r >= 0)
                r = get_number(source, 0, "capacity", UINT64_MAX, &record->capacity);
        if (r >= 0)
                r = get_number(source, 0, "floor", UINT64_MAX, &record->floor);
        if (r >= 0)
                r = get_number(source, 0, "layout_marks", GBX_MARK_LAYOUTS, &layout_marks);
        if (r >= 0)
                r = read_digests(source, record);
        if (r < 0)
                return r;
        if (version != 1 || gamma == 0 || cells == 0 || coalition == 0 || code == GBX_MARK_CODE_AUTO)
                return damaged(source, "version or parameters");
        record->json = layout == 1;
        record->layout = (unsigned)layout_marks;
        record->claim = (enum gbx_mark_claim)claim;
        record->code = (struct gbx_code){ (enum gbx_mark_code)code, (unsigned)coalition };
        record->plan.gamma = (uint32_t)gamma;
        record->plan.cells_per_row = (uint32_t)cells;
        return 0;
}

static int read_lists(const struct source *source, struct gbx_record *record) {
        uint32_t columns = gbx_json_member(source->json, 0, "columns"), layers = gbx_json_member(source->json, 0, "layers");
        struct gbx_plan *plan = &record->plan;
        unsigned count;
        int r = 0;

        if (!columns || !layers || source->json->nodes[columns].count > GBX_MARK_MAX_COLUMNS ||
            source->json->nodes[layers].count > GBX_LAYER_MAX)
                return damaged(source, "columns or layers");
        count = source->json->nodes[columns].count;
        plan->columns = calloc(count + 1, sizeof *plan->columns);
        record->rounded = calloc(count + 1, sizeof *record->rounded);
        if (!plan->columns || !record->rounded)
                return gbx_fail_memory(source->err);
        for (uint32_t i = source->json->nodes[columns].child; i && r >= 0; i = source->json->nodes[i].next) {
                bool *rounded = &record->rounded[plan->column_count];

                r = read_column(source, i, &plan->columns[plan->column_count++], rounded);
                record->rounded_any |= *rounded;
        }
        for (uint32_t i = source->json->nodes[layers].child; i && r >= 0; i = source->json->nodes[i].next)
                r = read_layer(source, i, plan);
        return r;
}

int gbx_record_read(struct gbx_record *record, const char *text, struct gbx_error *err) {
        gbx_auto(gbx_json_free) struct gbx_json json = {};
        struct source source = { &json, err };
        int r = gbx_json_read(&json, text, strlen(text), NULL, err);

        if (r < 0)
                return gbx_context(err, r, "the record of a mark");
        if (json.nodes[0].kind != GBX_JSON_OBJECT)
                return damaged(&source, "no object");
        r = read_head(&source, record);
        return r < 0 ? r : read_lists(&source, record);
}

void gbx_record_free(struct gbx_record *record) {
        gbx_plan_free(&record->plan);
        free(record->rounded);
        *record = (struct gbx_record){};
}
