/* CSV to be marked, by key or by virtual keys: refused, or a copy of as many rows and fields. */
#include "watermark/mark.h"
#include "watermark/table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t root[GBX_MARK_ROOT_SIZE] = "a root key of thirty-two bytes!";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct gbx_mark_column columns[] = {
                { .name = "v", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
                { .name = "w", .type = GBX_MARK_INTEGER, .unit = "5", .minimum = "-100", .threshold = "10" },
                { .name = "t", .type = GBX_MARK_TEXT, .mark_text = true },
                { .name = "k", .role = GBX_MARK_KEY },
        };
        const struct gbx_mark_request request = { .root = root, .family = "f", .release = "r", .recipient = "b",
                                                  .columns = columns, .column_count = size & 1 ? 4 : 3 };
        struct gbx_buffer copy = {};
        struct gbx_table before = {}, after = {};
        struct gbx_mark mark = {};
        struct gbx_error err = {};

        if (size > 1 << 16)
                return 0;
        if (gbx_mark_table(&request, data, size, &copy, &mark, &err) == 0) {
                if (gbx_table_read_csv(&before, data, size, &err) < 0 ||
                    gbx_table_read_csv(&after, copy.data, copy.size, &err) < 0 || before.rows != after.rows ||
                    before.columns != after.columns)
                        abort();
        }
        gbx_table_free(&before);
        gbx_table_free(&after);
        gbx_mark_clear(&mark);
        gbx_buffer_free(&copy);
        return 0;
}
