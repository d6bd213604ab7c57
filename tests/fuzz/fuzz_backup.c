/* gateway/store/backup: any bytes as a manifest; what is read can be written again, and nothing leads out of a site */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "gateway/store/backup_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_bytes rest = { data, size };
        struct gbx_backup_file file;

        while (gbx_backup_manifest_next(&rest, &file, NULL) > 0) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};

                if (file.path[0] == '/' || strstr(file.path, "/../") || strncmp(file.path, "keys", 4) == 0)
                        abort();
                if (gbx_backup_manifest_add(&again, &file, NULL) < 0)
                        abort();
        }
        return 0;
}
