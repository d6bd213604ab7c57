#include "watermark/mark.h"

#include "base/cleanup.h"
#include "watermark/content.h"
#include "watermark/copy.h"
#include "watermark/embed.h"
#include "watermark/flatten.h"
#include "watermark/layout.h"
#include "watermark/match.h"
#include "watermark/record.h"

#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum {
        DEFAULT_RELEASES = 1000,
        DEFAULT_VIRTUAL_KEYS = 6,
        LEAST_TARGET = 5000,   /* chosen cells aimed at where the table has them … */
        TARGET_SHARE = 100,    /* … or one in so many, if that is more */
        CONTENT_CELLS = 50000, /* larger tables get no content digest: their marks say more */
};

static const double default_alpha = 1e-6;

const char *gbx_mark_claim_text(enum gbx_mark_claim claim) {
        static const char *const texts[] = { "manifest-only", "content-registry", "traceable" };

        return texts[claim];
}

const char *gbx_mark_code_text(enum gbx_mark_code code) {
        static const char *const texts[] = { "auto", "unbiased", "tardos" };

        return texts[code];
}

void gbx_mark_clear(struct gbx_mark *mark) {
        free(mark->record);
        *mark = (struct gbx_mark){};
}

/* Everything one marking works with. */
struct marking {
        const struct gbx_mark_request *request;
        bool json;
        struct gbx_table table;
        struct gbx_view view;
        struct gbx_record record;
        struct gbx_mark_keys keys;
        struct gbx_cells cells;
        struct gbx_embedding embedding;
        uint8_t release_key[16];
};

static void marking_free(struct marking *m) {
        gbx_table_free(&m->table);
        gbx_view_free(&m->view);
        gbx_record_free(&m->record);
        gbx_mark_keys_clear(&m->keys);
        gbx_cells_free(&m->cells);
        gbx_edits_free(&m->embedding.edits);
        OPENSSL_cleanse(m->release_key, sizeof m->release_key);
}

static int check_request(const struct gbx_mark_request *request, struct gbx_error *err) {
        const struct gbx_mark_options *o = &request->options;

        if (!request->root || !request->family || !request->release || !request->recipient)
                return gbx_fail(err, -EINVAL, "marking needs a root key, a family, a release and a recipient");
        if (o->alpha < 0 || o->alpha >= 1 || o->virtual_keys > GBX_LAYER_MAX_VIRTUAL || o->layout > GBX_MARK_LAYOUTS || o->coalition > GBX_CODE_MAX_COALITION)
                return gbx_fail(err, -EINVAL,
                                "marking options: alpha must be below 1, virtual_keys at most %d, layout at most %d, "
                                "coalition at most %d",
                                GBX_LAYER_MAX_VIRTUAL, GBX_MARK_LAYOUTS, GBX_CODE_MAX_COALITION);
        return 0;
}

static int read_json(struct marking *m, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_json_free) struct gbx_json json = {};
        int r = gbx_json_read(&json, data, size, NULL, err);

        return r < 0 ? r : gbx_flatten(&m->table, &json, false, err);
}

static int prepare(struct marking *m, const void *data, size_t size, struct gbx_error *err) {
        const struct gbx_mark_options *o = &m->request->options;
        struct gbx_plan *plan = &m->record.plan;
        unsigned virtual_keys = o->virtual_keys;
        bool keyed = false;
        int r = gbx_mark_keys_derive(m->request->root, m->request->family, &m->keys, err);

        if (r >= 0)
                r = gbx_mark_release_key(&m->keys, m->request->release, m->request->recipient, m->release_key, err);
        if (r >= 0)
                r = gbx_plan_new(plan, m->request, err);
        if (r >= 0)
                r = m->json ? read_json(m, data, size, err) : gbx_table_read_csv(&m->table, data, size, err);
        if (r >= 0)
                r = gbx_view_new(&m->view, plan, &m->table, err);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < plan->column_count; i++)
                keyed |= plan->columns[i].role == GBX_MARK_KEY;
        if (keyed && m->json) /* outer elements lack the keys of inner ones */
                plan->layers[0].virtual = true;
        if (!keyed && virtual_keys == 0)
                virtual_keys = DEFAULT_VIRTUAL_KEYS;
        if (virtual_keys > 0)
                r = gbx_plan_add_virtual_keys(plan, &m->view, virtual_keys, err);
        if (r < 0)
                return r;
        gbx_plan_finish(plan, &m->keys);
        gbx_match_sketch(plan, &m->keys, &m->view);
        return gbx_view_find_spikes(&m->view, plan, &m->keys, err);
}

/* Chosen cells wanted: enough for the strongest code, and no more than a share of a large table. */
static uint64_t target_cells(const struct gbx_plan *plan, size_t rows) {
        uint64_t columns = 0;

        for (unsigned l = 0; l < plan->layer_count; l++)
                columns += plan->layers[l].mark_count;
        return rows * columns / TARGET_SHARE > LEAST_TARGET ? rows * columns / TARGET_SHARE : LEAST_TARGET;
}

/* One row of gamma, and so many cells in it, for about `wanted` cells if all of them were fit. */
static void choose_density(struct gbx_plan *plan, const struct gbx_mark_options *o, size_t rows, double wanted) {
        double all = (double)rows * (plan->layer_count ? plan->layer_count : 1);

        plan->gamma = o->gamma ? o->gamma : 1;
        if (!o->gamma && all > wanted)
                plan->gamma = (uint32_t)(all / wanted);
        plan->cells_per_row = o->cells_per_row;
        if (!o->cells_per_row)
                plan->cells_per_row = o->gamma || wanted * plan->gamma <= all ? 1 : (uint32_t)ceil(wanted * plan->gamma / all);
}

static int compare_ids(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static int count_distinct(const struct gbx_cells *cells, uint64_t *ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) uint64_t *ids = calloc(cells->count + 1, sizeof *ids);
        uint64_t distinct = 0;

        if (!ids)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < cells->count; i++)
                ids[i] = cells->items[i].id.half[0];
        qsort(ids, cells->count, sizeof *ids, compare_ids);
        for (size_t i = 0; i < cells->count; i++)
                distinct += i == 0 || ids[i] != ids[i - 1];
        *ret = distinct;
        return 0;
}

/* Columns that hold finer digits than their unit. */
static void find_finer(struct marking *m) {
        const struct gbx_plan *plan = &m->record.plan;

        for (unsigned i = 0; i < plan->column_count; i++) {
                if (!plan->columns[i].markable || plan->columns[i].mark_text)
                        continue;
                for (size_t row = 0; row < m->table.rows && !m->record.rounded[i]; row++) {
                        struct gbx_number number, unit = plan->columns[i].unit;
                        uint32_t rest;
                        int64_t units;

                        if (gbx_view_number(&m->view, i, row, &number) &&
                            gbx_number_floor_units(number, unit, &units, &rest) && rest > 0)
                                m->record.rounded[i] = m->record.rounded_any = true;
                }
        }
}

static int collect(struct marking *m, bool everywhere, struct gbx_error *err) {
        int r;

        m->cells.count = 0;
        r = gbx_layer_collect(&m->record.plan, &m->keys, &m->view, everywhere, &m->cells, err);
        return r < 0 ? r : count_distinct(&m->cells, &m->record.capacity, err);
}

/* Zeros, missing and common values leave fewer cells fit than chosen: choose more, a few times. */
static int collect_enough(struct marking *m, struct gbx_error *err) {
        const struct gbx_mark_options *o = &m->request->options;
        double target = (double)target_cells(&m->record.plan, m->table.rows), wanted = target;
        int r = 0;

        for (int attempt = 0; attempt < 4 && r >= 0; attempt++) {
                choose_density(&m->record.plan, o, m->table.rows, wanted);
                r = collect(m, false, err);
                if (r < 0 || (o->gamma && o->cells_per_row) || (double)m->record.capacity > 0.8 * target ||
                    m->record.capacity == 0)
                        break;
                wanted *= fmin(target / (double)m->record.capacity, 64);
                if (wanted > 1e9)
                        break;
        }
        return r;
}

/* Which cells, which code, which claim. */
static int choose(struct marking *m, struct gbx_error *err) {
        const struct gbx_mark_options *o = &m->request->options;
        struct gbx_record *record = &m->record;
        int r;

        record->rounded = calloc(record->plan.column_count + 1, sizeof *record->rounded);
        if (!record->rounded)
                return gbx_fail_memory(err);
        record->json = m->json;
        record->layout = o->layout;
        record->floor = gbx_code_floor(o->releases ? o->releases : DEFAULT_RELEASES, o->alpha > 0 ? o->alpha : default_alpha);
        r = collect_enough(m, err);
        if (r >= 0 && record->capacity < record->floor) {
                find_finer(m);
                if (record->rounded_any) {
                        record->plan.gamma = 1;
                        record->plan.cells_per_row = UINT32_MAX;
                        r = collect(m, true, err);
                }
        }
        if (r < 0)
                return r;
        record->code = gbx_code_choose(o->code, o->coalition, record->capacity);
        return 0;
}

static int finish(struct marking *m, const void *data, size_t size, struct gbx_buffer *ret_marked,
                  struct gbx_mark *ret_mark, struct gbx_error *err) {
        struct gbx_record *record = &m->record;
        gbx_auto(gbx_buffer_free) struct gbx_buffer copy = { .secret = ret_marked->secret }, line = {};
        const char *scheme;
        int r = gbx_copy_with_edits(&m->table, &m->view, &m->embedding.edits, data, size, &copy, err);

        if (r < 0)
                return r;
        record->capacity -= m->embedding.unmarkable < record->capacity ? m->embedding.unmarkable : record->capacity;
        record->claim = record->capacity == 0               ? GBX_MARK_MANIFEST_ONLY
                        : record->rounded_any               ? GBX_MARK_CONTENT_REGISTRY
                        : record->capacity < record->floor ? GBX_MARK_CONTENT_REGISTRY
                                                            : GBX_MARK_TRACEABLE;
        scheme = record->capacity == 0 ? "none" : record->rounded_any ? "keyed-rounding-v1" : "keyed-cell-v1";
        if (m->table.rows * m->table.columns <= CONTENT_CELLS) {
                r = gbx_content_digest(copy.data, copy.size, record->content, err);
                if (r < 0)
                        return r;
                record->has_content = true;
        }
        r = gbx_layout_apply(record, &m->keys, m->release_key, &copy, err);
        if (r >= 0 && m->request->options.banner && !m->json)
                r = gbx_layout_banner(m->request->options.banner, &copy, err);
        if (r < 0)
                return r;
        gbx_sha256(copy.data, copy.size, record->digest);
        r = gbx_record_write(record, scheme, &line, err);
        if (r >= 0 && ret_marked->size > 0)
                r = gbx_buffer_append(ret_marked, copy.data, copy.size, err);
        if (r < 0)
                return r;
        if (ret_marked->size == 0) { /* hand over instead of copying */
                gbx_buffer_free(ret_marked);
                *ret_marked = copy;
                copy = (struct gbx_buffer){};
        }
        *ret_mark = (struct gbx_mark){
                .scheme = scheme,
                .claim = record->claim,
                .code = record->code.kind,
                .coalition = record->code.coalition,
                .gamma = record->plan.gamma,
                .cells_per_row = record->plan.cells_per_row,
                .capacity_cells = record->capacity,
                .floor_cells = record->floor,
                .cells_marked = m->cells.count - m->embedding.unmarkable,
                .cells_changed = m->embedding.edits.count,
                .cells_unmarkable = m->embedding.unmarkable,
        };
        memcpy(ret_mark->digest, record->digest, sizeof ret_mark->digest);
        memcpy(ret_mark->content_digest, record->content, sizeof ret_mark->content_digest);
        ret_mark->record = (char *)line.data;
        line = (struct gbx_buffer){};
        return 0;
}

static int mark(const struct gbx_mark_request *request, bool json, const void *data, size_t size,
                struct gbx_buffer *ret_marked, struct gbx_mark *ret_mark, struct gbx_error *err) {
        gbx_auto(marking_free) struct marking m = { .request = request, .json = json };
        int r = check_request(request, err);

        if (r >= 0)
                r = prepare(&m, data, size, err);
        if (r >= 0)
                r = choose(&m, err);
        if (r < 0)
                return r;
        m.embedding = (struct gbx_embedding){ .plan = &m.record.plan,
                                              .keys = &m.keys,
                                              .view = &m.view,
                                              .code = m.record.code,
                                              .rounded = m.record.rounded,
                                              .release_key = m.release_key };
        r = gbx_embed(&m.embedding, &m.cells, err);
        return r < 0 ? r : finish(&m, data, size, ret_marked, ret_mark, err);
}

int gbx_mark_table(const struct gbx_mark_request *request, const void *csv, size_t size, struct gbx_buffer *ret_marked,
                   struct gbx_mark *ret_mark, struct gbx_error *err) {
        return mark(request, false, csv, size, ret_marked, ret_mark, err);
}

int gbx_mark_json(const struct gbx_mark_request *request, const void *json, size_t size, struct gbx_buffer *ret_marked,
                  struct gbx_mark *ret_mark, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_mark_column *columns = NULL;
        struct gbx_mark_request by_index = *request;
        bool keyed = request->options.virtual_keys > 0;

        for (size_t i = 0; i < request->column_count; i++)
                keyed |= request->columns[i].role == GBX_MARK_KEY;
        if (keyed)
                return mark(request, true, json, size, ret_marked, ret_mark, err);
        columns = calloc(request->column_count + 1, sizeof *columns);
        if (!columns)
                return gbx_fail_memory(err);
        if (request->column_count)
                memcpy(columns, request->columns, request->column_count * sizeof *columns);
        columns[request->column_count] = (struct gbx_mark_column){ .name = GBX_FLATTEN_INDEX, .role = GBX_MARK_KEY };
        by_index.columns = columns;
        by_index.column_count++;
        return mark(&by_index, true, json, size, ret_marked, ret_mark, err);
}
