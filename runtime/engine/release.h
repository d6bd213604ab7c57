/*
 * What a run wants released: tables, and the manifest that describes them
 *
 * A table is written to out/NAME.csv (RFC 4180, LF, quotes only where needed)
 * and described in out/release.json, which docs/release-manifest.md specifies.
 * The manifest is written last: without it, nothing of a run is released.
 *
 * Rows are sorted by their key columns, then by the others, unless the caller
 * wants to keep their order, so that equal results are equal bytes.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "runtime/engine/dataset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_RELEASE_OUTPUTS_MAX = 64,
        GBX_RELEASE_COLUMNS_MAX = 256,
        GBX_RELEASE_ROWS_MAX = 1000000,
        GBX_RELEASE_TEXT_MAX = 65536, /* bytes of one field */
        GBX_RELEASE_NAME_MAX = 64,    /* bytes of a file's or a column's name */
        GBX_UNIT_DECIMALS_MAX = 9,
};

/* What a column is to the gate. */
enum gbx_role {
        GBX_ROLE_KEY,   /* says which group a row stands for */
        GBX_ROLE_COUNT, /* how many units contributed to the row: an integer from 0 */
        GBX_ROLE_VALUE,
        GBX_ROLE_COUNT_,
};

/* A step that numbers are rounded to: `steps` * 10^-`decimals`, say 5 and 2 for 0.05. */
struct gbx_unit {
        int64_t steps; /* 0: no unit, nothing is rounded */
        int decimals;
        char text[24];
};

struct gbx_table_column {
        const char *name;
        enum gbx_value_type type;
        enum gbx_role role;
        struct gbx_unit unit;
};

/* All memory is the caller's. Cells stand row by row; their `type` is the column's. */
struct gbx_table {
        const char *name;
        const struct gbx_table_column *columns;
        size_t width;
        const struct gbx_value *cells;
        size_t rows;
        bool keep_order;
};

struct gbx_release;

const char *gbx_role_name(enum gbx_role role);
bool gbx_role_parse(const char *name, enum gbx_role *ret);

/* "0.001", "0.05", "1", "1000": a positive decimal of at most nine decimals and fifteen digits. */
int gbx_unit_parse(const char *text, struct gbx_unit *ret, struct gbx_error *err);

/* A value as it stands in a released table. -EINVAL if it does not fit its type or unit. */
int gbx_release_format(const struct gbx_value *value, const struct gbx_unit *unit, struct gbx_buffer *buffer,
                       struct gbx_error *err);

int gbx_release_new(struct gbx_release **ret, int root, struct gbx_error *err);
struct gbx_release *gbx_release_free(struct gbx_release *release);

/* Writes a table. -EINVAL: it cannot be released as described; the message says which place. */
int gbx_release_add_table(struct gbx_release *release, const struct gbx_table *table, struct gbx_error *err);

/* Writes text of no known form to out/`file`; it is released only if a reviewer says so. */
int gbx_release_add_text(struct gbx_release *release, const char *file, const char *text, size_t size,
                         struct gbx_error *err);

/* Writes the manifest. */
int gbx_release_finish(struct gbx_release *release, struct gbx_error *err);
