#include "gateway/handover/tolerance.h"

#include "base/cleanup.h"
#include "gateway/data/schema.h"
#include "policy/decimal.h"

#include <string.h>

static int apply_column(const struct gbx_schema_column *owned, struct gbx_mark_column *column, struct gbx_error *err) {
        struct gbx_decimal tolerance, unit;
        int r;

        if (!owned->tolerance || !column->unit || strcmp(owned->name, column->name) != 0)
                return 0;
        r = gbx_decimal_parse(owned->tolerance, &tolerance, err);
        if (r >= 0)
                r = gbx_decimal_parse(column->unit, &unit, err);
        if (r >= 0 && gbx_decimal_compare(&unit, &tolerance) > 0)
                column->unit = NULL;
        return r < 0 ? r : 0;
}

static int apply_dataset(struct gbx_site *site, const json_t *dataset, struct gbx_mark_column *columns, size_t count,
                         struct gbx_error *err) {
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        const struct gbx_schema_column *owned;
        int r = gbx_dataset_schema(site->directory, dataset, &schema, err);

        if (r < 0)
                return gbx_context(err, r, "schema of dataset '%s'", json_string_value(json_object_get(dataset, "name")));
        owned = schema->columns.items;
        for (size_t i = 0; r >= 0 && i < schema->columns.count; i++)
                for (size_t j = 0; r >= 0 && j < count; j++)
                        r = apply_column(&owned[i], &columns[j], err);
        return r;
}

int gbx_tolerance_apply(struct gbx_site *site, const json_t *datasets, struct gbx_mark_column *columns, size_t count,
                        struct gbx_error *err) {
        const json_t *dataset;
        size_t index;

        json_array_foreach(datasets, index, dataset) {
                int r = apply_dataset(site, dataset, columns, count, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
