/* What gbx-parse answers, as its caller reads it: frames end once, and files of a bundle are safe to unpack. */
#include "gateway/parse/bundle_files.h"
#include "gateway/parse/frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct gbx_error *err) {
        for (const char *p = err->message; *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_frames frames = { data, size };
        struct gbx_bundle_file *files = NULL;
        struct gbx_error err = {};
        struct gbx_frame frame;
        size_t count = 0, total = 0;
        int r, checked = gbx_frames_check(data, size, NULL);

        while ((r = gbx_frames_next(&frames, &frame, &err)) > 0) {
                if (frame.kind <= GBX_FRAME_ERROR || frame.data < data || frame.size > size || frame.data + frame.size > data + size)
                        abort();
                total += frame.size;
        }
        if (r != checked || total > size || (r == 0 && frames.left > 0))
                abort();
        check_message(&err);
        if (gbx_bundle_files_read(data, size, &files, &count, &err) < 0) {
                check_message(&err);
                return 0;
        }
        if (r != 0 || count == 0 || count > GBX_BUNDLE_MAX_ENTRIES)
                abort();
        for (size_t i = 0; i < count; i++) {
                const char *path = files[i].path;

                if (!*path || *path == '/' || *path == '.' || strstr(path, "/.") || strstr(path, "//") ||
                    strlen(path) > GBX_BUNDLE_MAX_PATH ||
                    (i > 0 && strcmp(files[i - 1].path, path) >= 0))
                        abort();
        }
        gbx_bundle_files_free(files, count);
        return 0;
}
