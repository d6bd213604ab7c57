#include "gateway/parse/frames.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <endian.h>
#include <string.h>

enum { HEAD_SIZE = 5 };

/* What an error can be, by number. What is not here travels as the first. */
static const int codes[] = { -EINVAL, -EDQUOT, -EBADMSG, -EIO };

static int malformed(struct gbx_error *err, const char *what) {
        return gbx_fail(err, -EPROTO, "its reader %s", what);
}

static int take_error(const struct gbx_frame *frame, struct gbx_error *err) {
        char message[sizeof err->message];

        if (frame->size < 2 || frame->data[0] >= gbx_array_size(codes))
                return malformed(err, "contradicts itself");
        gbx_text_printable((const char *)frame->data + 1, frame->size - 1, message, sizeof message);
        return gbx_fail(err, codes[frame->data[0]], "%s", message);
}

int gbx_frames_next(struct gbx_frames *frames, struct gbx_frame *ret_frame, struct gbx_error *err) {
        struct gbx_frame frame;
        uint32_t size;

        if (frames->left < HEAD_SIZE)
                return malformed(err, frames->left == 0 ? "ended without a word" : "was cut short");
        memcpy(&size, frames->next, sizeof size);
        frame = (struct gbx_frame){ frames->next[4], frames->next + HEAD_SIZE, le32toh(size) };
        if (frame.size > frames->left - HEAD_SIZE)
                return malformed(err, "was cut short");
        frames->next += HEAD_SIZE + frame.size;
        frames->left -= HEAD_SIZE + frame.size;
        if (frame.kind > GBX_FRAME_ERROR) {
                *ret_frame = frame;
                return 1;
        }
        if (frames->left > 0)
                return malformed(err, "went on behind its end");
        if (frame.kind == GBX_FRAME_ERROR)
                return take_error(&frame, err);
        return frame.size > 0 ? malformed(err, "contradicts itself") : 0;
}

int gbx_frames_check(const void *data, size_t size, struct gbx_error *err) {
        struct gbx_frames frames = { data, size };
        struct gbx_frame frame;
        int r;

        while ((r = gbx_frames_next(&frames, &frame, err)) > 0)
                ;
        return r;
}

int gbx_frame_write(int fd, enum gbx_frame_kind kind, const struct gbx_bytes *parts, size_t count, struct gbx_error *err) {
        uint8_t head[HEAD_SIZE] = { [4] = (uint8_t)kind };
        size_t size = 0;
        uint32_t length;
        int r;

        for (size_t i = 0; i < count; i++)
                size += parts[i].size;
        if (size > UINT32_MAX)
                return gbx_fail(err, -EFBIG, "%zu bytes are too many for one frame", size);
        length = htole32((uint32_t)size);
        memcpy(head, &length, sizeof length);
        r = gbx_write_all(fd, head, sizeof head, err);
        for (size_t i = 0; i < count && r == 0; i++)
                r = gbx_write_all(fd, parts[i].data, parts[i].size, err);
        return r;
}

int gbx_frame_write_end(int fd, int code, const char *message, struct gbx_error *err) {
        uint8_t number = 0;
        const struct gbx_bytes parts[] = { { &number, 1 }, { *message ? message : "?", *message ? strlen(message) : 1 } };

        if (code == 0)
                return gbx_frame_write(fd, GBX_FRAME_END, NULL, 0, err);
        for (size_t i = 0; i < gbx_array_size(codes); i++)
                if (codes[i] == code)
                        number = (uint8_t)i;
        return gbx_frame_write(fd, GBX_FRAME_ERROR, parts, gbx_array_size(parts), err);
}
