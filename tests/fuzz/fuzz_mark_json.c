/* JSON to be marked: refused, or marked into JSON that differs in numbers only. */
#include "watermark/json.h"
#include "watermark/mark.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t root[GBX_MARK_ROOT_SIZE] = "a root key of thirty-two bytes!";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct gbx_mark_column columns[] = {
                { .name = "/*/id", .role = GBX_MARK_KEY },
                { .name = "/*/v", .type = GBX_MARK_DECIMAL, .unit = "0.01" },
        };
        const struct gbx_mark_request request = { .root = root, .family = "f", .release = "r", .recipient = "b",
                                                  .columns = columns, .column_count = 2 };
        struct gbx_buffer copy = {};
        struct gbx_json json = {};
        struct gbx_mark mark = {};
        struct gbx_error err = {};

        if (size > 1 << 16)
                return 0;
        if (gbx_mark_json(&request, data, size, &copy, &mark, &err) == 0) {
                if (gbx_json_read(&json, gbx_buffer_text(&copy), copy.size, NULL, &err) < 0)
                        abort();
                gbx_json_free(&json);
        }
        gbx_mark_clear(&mark);
        gbx_buffer_free(&copy);
        return 0;
}
