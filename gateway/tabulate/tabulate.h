/*
 * Tables from a description: what gbx-tabulator does
 *
 * Below the root: job/tables.json (or job/tables.yaml), job/schema/NAME.json,
 * data/NAME. For each table it writes out/NAME.csv, the cells, and
 * out/NAME.evidence (evidence.h). Cells are sorted by their keys; the same
 * description and data give the same bytes.
 */
#pragma once

#include "gateway/tabulate/cells.h"
#include "gateway/tabulate/source.h"

/* Does all of it. Messages never hold a value of the data. */
int gbx_tabulate(int root, struct gbx_error *err);

/* One table: appends its cells as CSV and its evidence. */
int gbx_tabulate_table(int root, const struct gbx_table *table, const struct gbx_source_schema *schemas, struct gbx_buffer *csv,
                       struct gbx_buffer *evidence, struct gbx_error *err);

/* Reads every job/schema/NAME.json; a list that the caller frees item by item. */
int gbx_tabulate_schemas(int root, struct gbx_source_schema **ret, size_t *ret_count, struct gbx_error *err);
void gbx_tabulate_schemas_free(struct gbx_source_schema *schemas, size_t count);
