/* Records of marks: read or refused; what was read is written and read again the same. */
#include "base/cleanup.h"
#include "watermark/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_record record = {}, again = {};
        struct gbx_buffer first = {}, second = {};
        char *text = strndup((const char *)data, size);

        if (!text)
                return 0;
        if (gbx_record_read(&record, text, NULL) == 0) {
                if (gbx_record_write(&record, "s", &first, NULL) < 0 ||
                    gbx_record_read(&again, gbx_buffer_text(&first), NULL) < 0 ||
                    gbx_record_write(&again, "s", &second, NULL) < 0 ||
                    strcmp(gbx_buffer_text(&first), gbx_buffer_text(&second)) != 0)
                        abort();
        }
        gbx_record_free(&record);
        gbx_record_free(&again);
        gbx_buffer_free(&first);
        gbx_buffer_free(&second);
        free(text);
        return 0;
}
