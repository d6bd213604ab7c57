/* Archives of algorithms: whatever is accepted has only plain relative paths, sorted, no two alike. */
#include "gateway/parse/program/archive.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_bundle_file *files = NULL;
        size_t count = 0, total = 0;

        if (gbx_archive_read(data, size, &files, &count, NULL) < 0)
                return 0;
        for (size_t i = 0; i < count; i++) {
                const char *path = files[i].path;

                if (!*path || *path == '/' || strstr(path, "..") == path || strstr(path, "/.") || strstr(path, "//"))
                        abort();
                for (const char *p = path; *p; p++)
                        if (*p <= ' ' || *p > '~' || *p == '\\')
                                abort();
                if (i > 0 && strcasecmp(files[i - 1].path, path) == 0)
                        abort();
                total += files[i].size;
        }
        if (count == 0 || count > GBX_BUNDLE_MAX_ENTRIES || total > GBX_BUNDLE_MAX_UNPACKED)
                abort();
        gbx_bundle_files_free(files, count);
        return 0;
}
