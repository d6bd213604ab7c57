/*
 * Frames: how gbx-parse answers
 *
 * A stream of frames: the length of what follows the kind (4 bytes, little
 * end first), the kind (1 byte), and that many bytes. It ends with GBX_FRAME_END,
 * which is empty, or with GBX_FRAME_ERROR: a byte from a table of error codes,
 * then a message. Nothing stands behind either.
 *
 * Whoever writes may have been taken over by what it read. So the reader takes
 * nothing for granted: lengths are checked, a stream without its end is none,
 * codes come from the table alone, and messages are made printable.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum gbx_frame_kind {
        GBX_FRAME_END = 0,
        GBX_FRAME_ERROR = 1,
        GBX_FRAME_FILE = 2,        /* bundle_files.h */
        GBX_FRAME_KEY = 3,         /* to the verb values: the key of the set */
        GBX_FRAME_COLUMN = 4,      /* to the verb values: a byte, 1 if its values are wanted; the column's name */
        GBX_FRAME_VALUES = 5,      /* an export of a set of values (egress/tokens.h) */
        GBX_FRAME_INTERPRETER = 6, /* a path */
        GBX_FRAME_LIBRARY = 7,     /* a name */
};

struct gbx_frame {
        uint8_t kind; /* whatever was said */
        const uint8_t *data;
        size_t size;
};

/* Reads from bytes that the caller keeps: struct gbx_frames frames = { data, size }; */
struct gbx_frames {
        const uint8_t *next;
        size_t left;
};

/* 1: a frame. 0: the stream ended as it should. Negative: the writer's own error, or -EPROTO if this is no such stream. */
int gbx_frames_next(struct gbx_frames *frames, struct gbx_frame *ret_frame, struct gbx_error *err);

/* Walks through all of them: 0, or the error that gbx_frames_next finds. */
int gbx_frames_check(const void *data, size_t size, struct gbx_error *err);

/* Writes a frame of several pieces. -EFBIG: more than its length can say. */
int gbx_frame_write(int fd, enum gbx_frame_kind kind, const struct gbx_bytes *parts, size_t count, struct gbx_error *err);
/* The last frame: GBX_FRAME_END where `code` is 0, otherwise GBX_FRAME_ERROR. */
int gbx_frame_write_end(int fd, int code, const char *message, struct gbx_error *err);
