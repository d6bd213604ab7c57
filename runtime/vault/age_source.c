/* Bytes of an age file from a descriptor or from memory, and the sinks they go to. */
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/vault/age_internal.h"

#include <string.h>
#include <unistd.h>

enum { BLOCK_SIZE = 16 * 1024 };

/* Once through read(2) or pread(2). 0 at the end. */
static ssize_t read_some(struct gbx_age_source *source, uint8_t *data, size_t size) {
        ssize_t n;

        do
                n = source->offset < 0 ? read(source->fd, data, size) :
                                         pread(source->fd, data, size, source->offset);
        while (n < 0 && errno == EINTR);
        if (n > 0 && source->offset >= 0)
                source->offset += n;
        return n;
}

static int read_error(struct gbx_age_source *source, struct gbx_error *err) {
        source->failure = GBX_AGE_OTHER_FAILURE;
        return gbx_fail_errno(err, "cannot read the encrypted file");
}

/* Puts more bytes behind `end` while the block has room. */
static int read_ahead(struct gbx_age_source *source, struct gbx_error *err) {
        size_t used;
        ssize_t n;

        if (source->next == source->end)
                source->next = source->end = source->block;
        used = (size_t)(source->end - source->block);
        n = read_some(source, source->block + used, BLOCK_SIZE - used);
        if (n < 0)
                return read_error(source, err);
        source->at_end = n == 0;
        source->end += n;
        return 0;
}

/* Decides between armor and binary by the first bytes. */
static int settle_form(struct gbx_age_source *source, enum gbx_age_form form, struct gbx_error *err) {
        enum { LOOK = 2048 };
        bool armored = form == GBX_AGE_ARMORED;

        if (form == GBX_AGE_DETECT) {
                while (!source->at_end && source->end - source->next < LOOK) {
                        int r = read_ahead(source, err);

                        if (r < 0)
                                return r;
                }
                armored = gbx_age_armor_detect(source->next, (size_t)(source->end - source->next));
        }
        source->armor = armored ? GBX_AGE_ARMOR_BEGIN : GBX_AGE_ARMOR_NONE;
        return 0;
}

int gbx_age_source_open(struct gbx_age_source *ret, int fd, off_t offset, enum gbx_age_form form,
                        struct gbx_error *err) {
        uint8_t *block = malloc(BLOCK_SIZE);
        int r;

        *ret = (struct gbx_age_source){ .fd = fd, .offset = offset, .block = block, .next = block, .end = block };
        if (!block)
                return gbx_fail_memory(err);
        r = settle_form(ret, form, err);
        if (r < 0)
                gbx_age_source_close(ret);
        return r;
}

int gbx_age_source_open_memory(struct gbx_age_source *ret, const void *data, size_t size, enum gbx_age_form form,
                               struct gbx_error *err) {
        const uint8_t *bytes = data ? data : (const uint8_t *)"";

        *ret = (struct gbx_age_source){ .fd = -1, .next = bytes, .end = bytes + size, .at_end = true };
        return settle_form(ret, form, err);
}

void gbx_age_source_close(struct gbx_age_source *source) {
        free(source->block);
        *source = (struct gbx_age_source){ .fd = -1 };
}

int gbx_age_source_read_raw(struct gbx_age_source *source, uint8_t *data, size_t size, size_t *ret_size,
                            struct gbx_error *err) {
        size_t got = (size_t)(source->end - source->next);

        if (got > size)
                got = size;
        if (got > 0)
                memcpy(data, source->next, got);
        source->next += got;
        while (got < size && !source->at_end) {
                ssize_t n = read_some(source, data + got, size - got);

                if (n < 0)
                        return read_error(source, err);
                source->at_end = n == 0;
                got += (size_t)n;
        }
        *ret_size = got;
        return 0;
}

int gbx_age_source_byte_raw(struct gbx_age_source *source, uint8_t *ret_byte, struct gbx_error *err) {
        if (source->next == source->end) {
                int r = source->at_end ? 0 : read_ahead(source, err);

                if (r < 0)
                        return r;
                if (source->at_end)
                        return 0;
        }
        *ret_byte = *source->next++;
        return 1;
}

int gbx_age_source_read(struct gbx_age_source *source, void *data, size_t size, size_t *ret_size,
                        struct gbx_error *err) {
        uint8_t *bytes = data;
        size_t got = 0;

        if (source->armor == GBX_AGE_ARMOR_NONE)
                return gbx_age_source_read_raw(source, data, size, ret_size, err);
        while (got < size) {
                size_t step = source->line_end - source->line_begin;

                if (step == 0) {
                        int r = gbx_age_armor_fill(source, err);

                        if (r < 0)
                                return r;
                        step = source->line_end - source->line_begin;
                        if (step == 0)
                                break;
                }
                if (step > size - got)
                        step = size - got;
                memcpy(bytes + got, source->line + source->line_begin, step);
                source->line_begin += step;
                got += step;
        }
        *ret_size = got;
        return 0;
}

/* SHA256_Init and friends are deprecated in name only, and cannot fail. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void gbx_age_digest_begin(SHA256_CTX *digest) { (void)SHA256_Init(digest); }
void gbx_age_digest_add(SHA256_CTX *digest, const void *data, size_t size) { (void)SHA256_Update(digest, data, size); }
void gbx_age_digest_end(SHA256_CTX *digest, uint8_t ret_digest[static GBX_SHA256_SIZE]) {
        (void)SHA256_Final(ret_digest, digest);
}
#pragma GCC diagnostic pop

void gbx_age_sink_open(struct gbx_age_sink *ret, int fd, struct gbx_buffer *buffer) {
        *ret = (struct gbx_age_sink){ .fd = fd, .buffer = buffer };
        gbx_age_digest_begin(&ret->digest);
}

int gbx_age_sink_write(struct gbx_age_sink *sink, const void *data, size_t size, struct gbx_error *err) {
        int r = sink->fd >= 0 ? gbx_write_all(sink->fd, data, size, err) :
                                gbx_buffer_append(sink->buffer, data, size, err);

        if (r < 0)
                return gbx_context(err, r, "encrypted output");
        gbx_age_digest_add(&sink->digest, data, size);
        sink->size += size;
        return 0;
}
