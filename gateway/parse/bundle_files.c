#include "gateway/parse/bundle_files.h"

#include "base/cleanup.h"
#include "gateway/parse/bundle_paths.h"
#include "gateway/parse/frames.h"

#include <string.h>

enum { HEAD_SIZE = 3 };

struct list {
        struct gbx_bundle_file *files;
        size_t count;
        size_t bytes;
        struct gbx_bundle_paths paths;
};

void gbx_bundle_files_free(struct gbx_bundle_file *files, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(files[i].path);
                free(files[i].data);
        }
        free(files);
}

static void free_list(struct list *list) {
        gbx_bundle_files_free(list->files, list->count);
        gbx_bundle_paths_free(&list->paths);
}

int gbx_bundle_files_write(const struct gbx_bundle_file *files, size_t count, int fd, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; i < count && r == 0; i++) {
                size_t length = strlen(files[i].path);
                const uint8_t head[HEAD_SIZE] = { files[i].executable, (uint8_t)length, (uint8_t)(length >> 8) };
                const struct gbx_bytes parts[] = { { head, sizeof head }, { files[i].path, length }, { files[i].data, files[i].size } };

                r = gbx_frame_write(fd, GBX_FRAME_FILE, parts, gbx_array_size(parts), err);
        }
        return r;
}

static int contradiction(struct gbx_error *err) { return gbx_fail(err, -EPROTO, "its reader contradicts itself"); }

/* The path is one that an archive may have, spelled as it comes out of the check, and behind the one before. */
static int check_path(struct list *list, char *path, size_t length, struct gbx_error *err) {
        const char *taken = NULL;

        if (strlen(path) != length || (list->count > 1 && strcmp(list->files[list->count - 2].path, path) >= 0) ||
            gbx_bundle_paths_add(&list->paths, path, false, &taken, NULL) < 0 || taken != path)
                return contradiction(err);
        return 0;
}

static int take_file(struct list *list, const struct gbx_frame *frame, struct gbx_error *err) {
        struct gbx_bundle_file *files, *file;
        const uint8_t *content;
        size_t length, size;

        if (frame->kind != GBX_FRAME_FILE || frame->size < HEAD_SIZE || frame->data[0] > 1 || list->count == GBX_BUNDLE_MAX_ENTRIES)
                return contradiction(err);
        length = (size_t)frame->data[1] | (size_t)frame->data[2] << 8;
        if (length > GBX_BUNDLE_MAX_PATH || length > frame->size - HEAD_SIZE)
                return contradiction(err);
        size = frame->size - HEAD_SIZE - length;
        if (size > GBX_BUNDLE_MAX_UNPACKED - list->bytes)
                return contradiction(err);
        files = reallocarray(list->files, list->count + 1, sizeof *files);
        if (!files)
                return gbx_fail_memory(err);
        list->files = files;
        file = &files[list->count++];
        content = frame->data + HEAD_SIZE + length;
        *file = (struct gbx_bundle_file){ .path = strndup((const char *)frame->data + HEAD_SIZE, length), .data = malloc(size + 1),
                                          .size = size, .executable = frame->data[0] };
        if (!file->path || !file->data)
                return gbx_fail_memory(err);
        memcpy(file->data, content, size);
        file->data[size] = 0;
        list->bytes += size;
        return check_path(list, file->path, length, err);
}

int gbx_bundle_files_read(const void *data, size_t size, struct gbx_bundle_file **ret_files, size_t *ret_count,
                          struct gbx_error *err) {
        gbx_auto(free_list) struct list list = {};
        struct gbx_frames frames = { data, size };
        struct gbx_frame frame;
        int r;

        while ((r = gbx_frames_next(&frames, &frame, err)) > 0) {
                r = take_file(&list, &frame, err);
                if (r < 0)
                        return r;
        }
        if (r == 0 && list.count == 0)
                r = contradiction(err);
        if (r < 0)
                return r;
        *ret_files = gbx_take_ptr(list.files);
        *ret_count = list.count;
        list.count = 0;
        return 0;
}
