/* Log entries: no crash, and an accepted text is the canonical one. */
#include "gateway/log/format/entry.h"
#include "gateway/log/verify/export.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_log_export *export;
        struct gbx_buffer text = {};
        json_t *entry;

        if (gbx_entry_parse(data, size, &entry, NULL) < 0)
                return 0;
        if (gbx_entry_format(entry, &text, NULL) < 0 || text.size != size || memcmp(text.data, data, size) != 0)
                abort();
        for (enum gbx_log_format format = GBX_LOG_JSON_LINES; format <= GBX_LOG_OPENLINEAGE; format++) {
                gbx_buffer_clear(&text);
                if (gbx_log_export_new(&export, format, "fuzz.example/log", NULL) == 0 &&
                    gbx_log_export_entry(export, 1, entry, true, &text, NULL) < 0)
                        abort();
                gbx_log_export_free(export);
        }
        gbx_buffer_free(&text);
        json_decref(entry);
        return 0;
}
