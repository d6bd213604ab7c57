#include "gateway/log/writer/journal_frame.h"

#include "base/crypto.h"
#include "gateway/log/writer/journal.h"

#include <endian.h>
#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

enum { FRONT = GBX_JOURNAL_FRAME - GBX_JOURNAL_CHECK /* of a frame, in front of its check */, CHECK = GBX_JOURNAL_CHECK, STEP = 64 * 1024 };
static const char header_magic[8] = "gbxjrnl2", frame_magic[4] = "gbxf", mark_magic[4] = "gbxm";

static void put32(uint8_t *place, uint32_t value) { memcpy(place, &(uint32_t){ htobe32(value) }, 4); }
static void put64(uint8_t *place, uint64_t value) { memcpy(place, &(uint64_t){ htobe64(value) }, 8); }

static uint32_t get32(const uint8_t *place) {
        uint32_t value;

        memcpy(&value, place, sizeof value);
        return be32toh(value);
}

static uint64_t get64(const uint8_t *place) {
        uint64_t value;

        memcpy(&value, place, sizeof value);
        return be64toh(value);
}

static void check_bytes(const struct gbx_journal_key *key, const void *front, size_t front_size, const void *back,
                        size_t back_size, uint8_t ret[static CHECK]) {
        struct gbx_bytes parts[] = { { key->bytes, sizeof key->bytes }, { front, front_size }, { back, back_size } };
        uint8_t digest[GBX_SHA256_SIZE];

        gbx_sha256_parts(parts, 3, digest);
        memcpy(ret, digest, CHECK);
}

static int derive_key(const uint8_t seed[static 32], const uint8_t *salt, struct gbx_journal_key *ret,
                      struct gbx_error *err) {
        static const char info[] = "glovebox log journal v1";

        return gbx_hkdf_sha256(seed, 32, salt, 16, info, sizeof info - 1, ret->bytes, sizeof ret->bytes, err);
}

int gbx_journal_make_header(const uint8_t seed[static 32], uint64_t base, uint8_t ret[static GBX_JOURNAL_HEADER],
                            struct gbx_error *err) {
        uint8_t header[GBX_JOURNAL_HEADER];
        struct gbx_journal_key key;
        int r;

        memcpy(header, header_magic, sizeof header_magic);
        put64(header + 8, base);
        r = gbx_random(header + 16, 16, err);
        if (r == 0)
                r = derive_key(seed, header + 16, &key, err);
        if (r < 0)
                return r;
        check_bytes(&key, header, 32, NULL, 0, header + 32);
        gbx_journal_make_mark(&key, base, header + GBX_JOURNAL_MARKS);
        memcpy(header + GBX_JOURNAL_MARKS + GBX_JOURNAL_MARK, header + GBX_JOURNAL_MARKS, GBX_JOURNAL_MARK);
        OPENSSL_cleanse(&key, sizeof key);
        memcpy(ret, header, sizeof header);
        return 0;
}

int gbx_journal_read_header(const uint8_t seed[static 32], const uint8_t header[static GBX_JOURNAL_HEADER],
                            uint64_t *ret_base, struct gbx_journal_key *ret_key, uint8_t ret_check[static GBX_JOURNAL_CHECK],
                            struct gbx_error *err) {
        struct gbx_journal_key key;
        uint8_t check[CHECK];
        int r = derive_key(seed, header + 16, &key, err);

        if (r < 0)
                return r;
        check_bytes(&key, header, 32, NULL, 0, check);
        if (memcmp(header, header_magic, sizeof header_magic) != 0 || CRYPTO_memcmp(check, header + 32, CHECK) != 0)
                return gbx_fail(err, -EBADMSG, "the journal's header is damaged, or was written with another key");
        *ret_base = get64(header + 8);
        *ret_key = key;
        memcpy(ret_check, check, CHECK);
        return 0;
}

static void check_mark(const struct gbx_journal_key *key, const uint8_t *mark, uint8_t ret[static CHECK]) {
        check_bytes(key, mark_magic, sizeof mark_magic, mark, 8, ret);
}

void gbx_journal_make_mark(const struct gbx_journal_key *key, uint64_t acknowledged, uint8_t ret[static GBX_JOURNAL_MARK]) {
        put64(ret, acknowledged);
        check_mark(key, ret, ret + 8);
}

int gbx_journal_read_marks(const struct gbx_journal_key *key, const uint8_t marks[static 2 * GBX_JOURNAL_MARK],
                           uint64_t *ret_acknowledged, unsigned *ret_other, struct gbx_error *err) {
        bool found = false;

        for (unsigned i = 0; i < 2; i++) {
                const uint8_t *mark = marks + (size_t)i * GBX_JOURNAL_MARK;
                uint8_t check[CHECK];

                check_mark(key, mark, check);
                if (CRYPTO_memcmp(check, mark + 8, CHECK) != 0 || (found && get64(mark) < *ret_acknowledged))
                        continue;
                found = true;
                *ret_acknowledged = get64(mark);
                *ret_other = 1 - i;
        }
        return found ? 0 : gbx_fail(err, -EBADMSG, "both marks of the journal are damaged");
}

int gbx_journal_make_frame(const struct gbx_journal_key *key, struct gbx_journal_frame *frame,
                           const void *payload, struct gbx_buffer *ret, struct gbx_error *err) {
        uint8_t header[GBX_JOURNAL_FRAME];
        int r;

        memcpy(header, frame_magic, sizeof frame_magic);
        put32(header + 4, frame->count);
        put64(header + 8, frame->first);
        put32(header + 16, frame->size);
        memcpy(header + FRONT - CHECK, frame->before, CHECK);
        check_bytes(key, header, FRONT, payload, frame->size, header + FRONT);
        memcpy(frame->check, header + FRONT, CHECK);
        r = gbx_buffer_append(ret, header, sizeof header, err);
        return r < 0 ? r : gbx_buffer_append(ret, payload, frame->size, err);
}

/* Reads exactly `size` bytes that the file is known to have. */
static int read_at(int fd, uint8_t *ret, size_t size, uint64_t offset, struct gbx_error *err) {
        while (size > 0) {
                ssize_t n = pread(fd, ret, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot read the journal");
                if (n == 0)
                        return gbx_fail(err, -EBADMSG, "the journal became shorter while it was read");
                ret += n;
                size -= (size_t)n;
                offset += (uint64_t)n;
        }
        return 0;
}

int gbx_journal_load_frame(int fd, const struct gbx_journal_key *key, uint64_t offset, uint64_t size,
                           struct gbx_journal_frame *ret, struct gbx_buffer *bytes, struct gbx_error *err) {
        uint8_t header[GBX_JOURNAL_FRAME], check[CHECK];
        struct gbx_journal_frame frame;
        int r;

        if (offset > size || size - offset < GBX_JOURNAL_FRAME)
                return GBX_JOURNAL_BAD;
        r = read_at(fd, header, sizeof header, offset, err);
        if (r < 0)
                return r;
        frame.count = get32(header + 4);
        frame.first = get64(header + 8);
        frame.size = get32(header + 16);
        if (memcmp(header, frame_magic, sizeof frame_magic) != 0 || frame.size > GBX_JOURNAL_BATCH_BYTES ||
            size - offset - GBX_JOURNAL_FRAME < frame.size)
                return GBX_JOURNAL_BAD;
        gbx_buffer_clear(bytes);
        r = gbx_buffer_append(bytes, header, sizeof header, err);
        if (r == 0)
                r = gbx_buffer_reserve(bytes, frame.size, err);
        if (r == 0)
                r = read_at(fd, bytes->data + sizeof header, frame.size, offset + sizeof header, err);
        if (r < 0)
                return r;
        bytes->size = sizeof header + frame.size;
        bytes->data[bytes->size] = 0;
        check_bytes(key, header, FRONT, bytes->data + sizeof header, frame.size, check);
        if (CRYPTO_memcmp(check, header + FRONT, CHECK) != 0)
                return GBX_JOURNAL_BAD;
        memcpy(frame.before, header + FRONT - CHECK, CHECK);
        memcpy(frame.check, check, CHECK);
        *ret = frame;
        return 0;
}

int gbx_journal_find_frame(int fd, const struct gbx_journal_key *key, uint64_t from, uint64_t size,
                           uint64_t *ret_first, struct gbx_error *err) {
        struct gbx_buffer bytes = {};
        uint8_t block[STEP];
        int r = 0;

        while (r == 0 && size - from >= GBX_JOURNAL_FRAME && from < size) {
                size_t length = size - from < sizeof block ? (size_t)(size - from) : sizeof block;

                r = read_at(fd, block, length, from, err);
                for (size_t i = 0; r == 0 && i + sizeof frame_magic <= length; i++) {
                        struct gbx_journal_frame frame;

                        if (memcmp(block + i, frame_magic, sizeof frame_magic) != 0)
                                continue;
                        r = gbx_journal_load_frame(fd, key, from + i, size, &frame, &bytes, err);
                        if (r == 0) {
                                *ret_first = frame.first;
                                gbx_buffer_free(&bytes);
                                return 1;
                        }
                        if (r == GBX_JOURNAL_BAD)
                                r = 0;
                }
                if (length < sizeof block)
                        break;
                from += length - (sizeof frame_magic - 1); /* a magic may stand across two blocks */
        }
        gbx_buffer_free(&bytes);
        return r;
}
