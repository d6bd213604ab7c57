#include "gateway/api/tables.h"

#include "base/cleanup.h"
#include "base/json.h"

const struct gbx_column gbx_api_finding_columns[] = {
        { "severity", "SEVERITY", GBX_COLUMN_TEXT, 0 }, { "rule", "RULE", GBX_COLUMN_TEXT, 0 },
        { "output", "OUTPUT", GBX_COLUMN_TEXT, 0 },     { "row", "ROW", GBX_COLUMN_NUMBER, 0 },
        { "column", "COLUMN", GBX_COLUMN_TEXT, 0 },     { "detail", "DETAIL", GBX_COLUMN_TEXT, 0 },
        {},
};

int gbx_api_tables(const struct gbx_gate_result *result, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *tables = json_array();

        for (size_t i = 0; i < result->table_count; i++) {
                const struct gbx_gate_table *table = &result->tables[i];
                json_t *csv = json_stringn(gbx_buffer_text(&table->csv), table->csv.size); /* canonical, and so UTF-8 */

                if (!csv || json_array_append_new(tables, json_pack("{s:s, s:I, s:o}", "name", table->name, "rows", (json_int_t)table->rows,
                                                                    "csv", csv)) < 0)
                        return gbx_fail_memory(err);
        }
        *ret = gbx_take_ptr(tables);
        return 0;
}
