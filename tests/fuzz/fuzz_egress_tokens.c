/* Text of a request against a set of identifiers, and the set's own file: no crash, and what was put in is found. */
#include "gateway/egress/tokens.h"

#include "base/cleanup.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_damaged(const uint8_t *data, size_t size) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
        gbx_auto(gbx_close_fd) int fd = memfd_create("fuzz", MFD_CLOEXEC);

        if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0)
                return;
        if (gbx_tokens_read(&tokens, fd, NULL) == 0)
                (void)gbx_tokens_find(tokens, (const char *)data, size);
}

/* What a confined reader sends back. */
static void import_damaged(const uint8_t *data, size_t size) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;

        if (gbx_tokens_new(&tokens, NULL) < 0)
                return;
        if (gbx_tokens_import(tokens, data, size, NULL) < 0 ? gbx_tokens_count(tokens) != 0 : gbx_tokens_count(tokens) != size / 8 - 1)
                abort();
        (void)gbx_tokens_find(tokens, (const char *)data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
        gbx_auto(gbx_close_fd) int fd = -1;
        size_t length = size > 0 ? data[0] : 0;
        bool added, whole = true;

        read_damaged(data, size);
        import_damaged(data, size);
        if (length == 0 || length >= size || gbx_tokens_new(&tokens, NULL) < 0)
                return 0;
        for (size_t i = 1; i <= length; i++) /* in one piece */
                whole &= data[i] >= '0' && data[i] <= '9';
        added = gbx_tokens_add(tokens, (const char *)data + 1, length, NULL) == 0;
        fd = gbx_tokens_write(tokens, NULL);
        if (fd < 0)
                return 0;
        if (gbx_tokens_find(tokens, (const char *)data + 1, length) != added && (whole || !added))
                abort();
        (void)gbx_tokens_find(tokens, (const char *)data + 1 + length, size - 1 - length);
        return 0;
}
