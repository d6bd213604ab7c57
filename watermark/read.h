/*
 * Reading whatever a leak looks like
 *
 * CSV with comma, semicolon, tab or bar; with or without a header, a byte
 * order mark, comment or banner lines in front; JSON and JSON lines; a table
 * drawn with bars or aligned with spaces; UTF-16. What is recognised but not
 * read (Parquet, spreadsheets, compressed files) is named in the error.
 */
#pragma once

#include "watermark/json.h"
#include "watermark/table.h"

struct gbx_suspect {
        struct gbx_table table;
        const char *format; /* "CSV", "CSV with semicolons", "TSV", "CSV with bars", "JSON", "JSON lines", "text table" */
        struct gbx_json json; /* kept, if the suspect is JSON */
        bool is_json;
        char separator; /* decimal separator that the file uses on the whole */
        uint64_t skipped; /* rows that did not fit the table */
};

/* Errors: -EINVAL with the reason and place; -EFBIG above 1 GiB. */
int gbx_suspect_read(struct gbx_suspect *suspect, const void *data, size_t size, struct gbx_error *err);
void gbx_suspect_free(struct gbx_suspect *suspect);

/* The decimal separator of one column, `fallback` where its values do not tell. */
char gbx_suspect_separator(const struct gbx_table *table, size_t column, char fallback);
/* The same for a column of whole numbers: what might be either is a thousands separator. */
char gbx_suspect_integer_separator(const struct gbx_table *table, size_t column, char fallback);
