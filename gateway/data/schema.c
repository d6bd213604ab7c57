#include "gateway/data/schema.h"

#include "base/cleanup.h"
#include "gateway/store/objects.h"

int gbx_dataset_schema(int site, const json_t *dataset, struct gbx_schema **ret, struct gbx_error *err) {
        const char *name = json_string_value(json_object_get(dataset, "name"));
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = gbx_object_get(site, json_string_value(json_object_get(dataset, "schema_source")), &source, err);

        return r < 0 ? r : gbx_schema_parse(ret, name, source.data, source.size, NULL, err);
}
