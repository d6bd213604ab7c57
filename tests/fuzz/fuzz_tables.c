/* Descriptions of tables, YAML and JSON: no crash, and a refusal always names a problem. */
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/tabulate/description.h"

#include <stdlib.h>
#include <string.h>

static const char credit[] = "{\"columns\":[{\"name\":\"id\",\"type\":\"text\",\"missing\":false,\"key\":true},{\"name\":\"age\",\"type\":\"integer\"},"
                             "{\"name\":\"home\",\"type\":\"text\"},{\"name\":\"paid\",\"type\":\"decimal\",\"decimals\":2},"
                             "{\"name\":\"good\",\"type\":\"boolean\"}],\"contributor\":\"id\"}";
static const char homes[] = "{\"columns\":[{\"name\":\"code\",\"type\":\"text\",\"missing\":false,\"key\":true},{\"name\":\"label\",\"type\":\"text\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        gbx_auto(gbx_json_freep) json_t *first = json_loads(credit, 0, NULL), *second = json_loads(homes, 0, NULL);
        gbx_auto(gbx_tables_freep) struct gbx_tables *tables = NULL;
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        struct gbx_source_schema schemas[2] = {};
        struct gbx_error err = {};
        int r;

        if (gbx_source_schema_read("credit", first, &schemas[0], &err) < 0 || gbx_source_schema_read("homes", second, &schemas[1], &err) < 0)
                abort();
        r = gbx_tables_parse(&tables, "f", data, size, schemas, 2, &problems, &err);
        if ((r < 0) != (tables == NULL) || (r == 0 && problems.count > 0))
                abort();
        for (size_t i = 0; i < 2; i++)
                gbx_source_schema_free(&schemas[i]);
        return 0;
}
