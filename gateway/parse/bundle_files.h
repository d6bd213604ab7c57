/*
 * The files of a bundle, and how they pass from one process to another
 *
 * A frame of kind GBX_FRAME_FILE: a byte, 1 if the file is executable, else 0;
 * the length of its path (2 bytes, little end first); the path; the content.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_BUNDLE_MAX_BYTES = 64 * 1024 * 1024,    /* as submitted */
        GBX_BUNDLE_MAX_UNPACKED = 64 * 1024 * 1024, /* all files together */
        GBX_BUNDLE_MAX_ENTRIES = 1000,              /* files and directories */
        GBX_BUNDLE_MAX_PATH = 255,
        GBX_BUNDLE_MAX_DEPTH = 8,
        GBX_BUNDLE_MAX_NAME = 64, /* of one part of a path */
};

struct gbx_bundle_file {
        char *path; /* relative, "lib/stats.lua" */
        uint8_t *data; /* a zero byte stands behind the last one */
        size_t size;
        bool executable;
};

/* Writes a frame for each file, and no end. */
int gbx_bundle_files_write(const struct gbx_bundle_file *files, size_t count, int fd, struct gbx_error *err);

/* Reads them back, to the end of the stream: paths are checked as those of an archive are (bundle_paths.h), and have to be
 * in order. -EPROTO: these are not the files of a bundle; the writer's own error, if there is one. */
int gbx_bundle_files_read(const void *data, size_t size, struct gbx_bundle_file **ret_files, size_t *ret_count,
                          struct gbx_error *err);
void gbx_bundle_files_free(struct gbx_bundle_file *files, size_t count);
