/* Records of releases: no crash, and what is read is written back the same. */
#include "gateway/ledger/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_ledger_release release;
        struct gbx_buffer back = {};

        if (gbx_ledger_record_read(data, size, &release, NULL) < 0)
                return 0;
        if (gbx_ledger_record_write(&release, &back, NULL) < 0 || back.size != size || memcmp(back.data, data, size) != 0)
                abort();
        gbx_buffer_free(&back);
        gbx_ledger_release_clear(&release);
        return 0;
}
