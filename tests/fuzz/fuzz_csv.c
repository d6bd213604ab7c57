/* The CSV reader: no crash, no overrun, and rows stay within the limits. */
#include "base/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_csv_options options = { .max_columns = 64, .max_row = 4096, .allow_ragged = size & 1 };
        struct gbx_csv *csv;
        struct gbx_csv_row row;
        struct gbx_error err = {};

        if (gbx_csv_new_memory(&csv, data, size, &options, &err) < 0)
                return 0;
        while (gbx_csv_next(csv, &row, &err) > 0)
                if (row.count > 64)
                        abort();
        gbx_csv_free(csv);
        return 0;
}
