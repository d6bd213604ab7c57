#include "gateway/store/records.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/store/keys.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
        MAGIC_SIZE = 4,
        HEADER_SIZE = MAGIC_SIZE + 4, /* and the size of what follows, little-endian */
        NONCE_SIZE = 12,
        TAG_SIZE = 16,
        OVERHEAD = NONCE_SIZE + TAG_SIZE,
        PER_FILE = 1024,
        FILES_MAX = 1000 * 1000,
        PATH_SIZE = 40,
};

static const char magic[MAGIC_SIZE + 1] = "gbxr";

static void file_path(uint64_t file, char path[static PATH_SIZE]) {
        (void)snprintf(path, PATH_SIZE, "releases/records-%03llu", (unsigned long long)file);
}

/* --- sealing ---------------------------------------------------------------------- */

static void free_cipher(EVP_CIPHER_CTX **context) {
        EVP_CIPHER_CTX_free(*context);
}

static void put_size(uint8_t *place, uint32_t size) {
        for (unsigned i = 0; i < 4; i++)
                place[i] = (uint8_t)(size >> 8 * i);
}

static uint32_t get_size(const uint8_t *place) {
        uint32_t size = 0;

        for (unsigned i = 0; i < 4; i++)
                size |= (uint32_t)place[i] << 8 * i;
        return size;
}

/* Header, nonce, ciphertext, tag; the header is authenticated too. */
static int seal(const uint8_t *key, const void *data, size_t size, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(free_cipher) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        uint8_t head[HEADER_SIZE + NONCE_SIZE], *body;
        int length, r = gbx_random(head + HEADER_SIZE, NONCE_SIZE, err);

        memcpy(head, magic, MAGIC_SIZE);
        put_size(head + MAGIC_SIZE, (uint32_t)(size + OVERHEAD));
        if (r >= 0)
                r = gbx_buffer_append(ret, head, sizeof head, err);
        if (r >= 0)
                r = gbx_buffer_reserve(ret, size + TAG_SIZE + 1, err);
        if (r < 0)
                return r;
        body = ret->data + ret->size;
        if (!context || EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key, head + HEADER_SIZE) != 1 ||
            EVP_EncryptUpdate(context, NULL, &length, head, HEADER_SIZE) != 1 ||
            EVP_EncryptUpdate(context, body, &length, data, (int)size) != 1 || EVP_EncryptFinal_ex(context, body + size, &length) != 1 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, body + size) != 1)
                return gbx_fail(err, -EIO, "cannot seal a record");
        ret->size += size + TAG_SIZE;
        return 0;
}

static int unseal(const uint8_t *key, const uint8_t *frame, size_t frame_size, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(free_cipher) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        size_t size = frame_size - HEADER_SIZE - OVERHEAD;
        const uint8_t *nonce = frame + HEADER_SIZE, *body = nonce + NONCE_SIZE;
        uint8_t tag[TAG_SIZE], *out;
        int length, r = gbx_buffer_reserve(ret, size + 1, err);

        if (r < 0)
                return r;
        memcpy(tag, body + size, sizeof tag);
        out = ret->data + ret->size;
        if (!context || EVP_DecryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key, nonce) != 1 ||
            EVP_DecryptUpdate(context, NULL, &length, frame, HEADER_SIZE) != 1 ||
            EVP_DecryptUpdate(context, out, &length, body, (int)size) != 1 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) != 1 || EVP_DecryptFinal_ex(context, out + size, &length) != 1)
                return gbx_fail(err, -EBADMSG, "a sealed record cannot be opened with this site's key");
        ret->size += size;
        out[size] = '\0';
        return 0;
}

/* --- files ------------------------------------------------------------------------ */

/* The size of the frame that begins here, 0 where there is no whole one. */
static size_t frame_size(const uint8_t *data, size_t left) {
        size_t size;

        if (left < HEADER_SIZE + OVERHEAD || memcmp(data, magic, MAGIC_SIZE) != 0)
                return 0;
        size = (size_t)get_size(data + MAGIC_SIZE) + HEADER_SIZE;
        return size < HEADER_SIZE + OVERHEAD || size > left ? 0 : size;
}

/* Where the last whole frame of a file ends: what a writer that died left behind it is written over. */
static int find_end(int fd, off_t *ret, struct gbx_error *err) {
        uint8_t head[HEADER_SIZE];
        struct stat status;
        off_t place = 0;

        if (fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot look at the file of sealed records");
        while (place < status.st_size) {
                ssize_t got = pread(fd, head, sizeof head, place);
                off_t next;

                if (got < 0)
                        return gbx_fail_errno(err, "cannot read the file of sealed records");
                if (got < HEADER_SIZE || memcmp(head, magic, MAGIC_SIZE) != 0)
                        break;
                next = place + HEADER_SIZE + (off_t)get_size(head + MAGIC_SIZE);
                if (next > status.st_size)
                        break;
                place = next;
        }
        *ret = place;
        return 0;
}

static int write_at(int fd, off_t place, const struct gbx_buffer *frame, struct gbx_error *err) {
        if (ftruncate(fd, place) < 0 || lseek(fd, place, SEEK_SET) < 0)
                return gbx_fail_errno(err, "cannot append to the file of sealed records");
        return gbx_write_all(fd, frame->data, frame->size, err);
}

int gbx_record_put(struct gbx_site *site, uint64_t number, const void *data, size_t size, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                   struct gbx_error *err) {
        gbx_auto(gbx_secret_free) struct gbx_secret key = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer frame = {};
        gbx_auto(gbx_close_fd) int fd = -1;
        char path[PATH_SIZE];
        off_t end = 0;
        int r = size > GBX_RECORD_LIMIT ? gbx_fail(err, -EFBIG, "a record of %zu bytes is over the limit of %d", size, GBX_RECORD_LIMIT)
                                        : gbx_site_records_key(site, &key, err);

        if (r >= 0)
                r = seal(key.data, data, size, &frame, err);
        if (r < 0)
                return r;
        file_path(number / PER_FILE, path);
        fd = openat(site->directory, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot open '%s'", path);
        r = find_end(fd, &end, err);
        if (r >= 0)
                r = write_at(fd, end, &frame, err);
        if (r >= 0 && fdatasync(fd) < 0)
                r = gbx_fail_errno(err, "cannot flush '%s'", path);
        if (r >= 0)
                r = gbx_sync_parent(site->directory, path, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(frame.data, frame.size, ret_digest);
        return 0;
}

/* --- reading ---------------------------------------------------------------------- */

struct place {
        uint8_t digest[GBX_SHA256_SIZE];
        size_t offset, size;
};

struct gbx_records {
        struct gbx_secret key;
        struct gbx_buffer bytes; /* of all files */
        struct place *places;    /* sorted by digest */
        size_t count;
};

struct gbx_records *gbx_records_free(struct gbx_records *records) {
        if (!records)
                return NULL;
        gbx_secret_free(&records->key);
        gbx_buffer_free(&records->bytes);
        free(records->places);
        free(records);
        return NULL;
}

static int compare_places(const void *a, const void *b) {
        return memcmp(((const struct place *)a)->digest, ((const struct place *)b)->digest, GBX_SHA256_SIZE);
}

/* Notes where each frame of the bytes from `offset` on is. */
static int index_frames(struct gbx_records *records, size_t offset, struct gbx_error *err) {
        size_t size;

        while (offset < records->bytes.size && (size = frame_size(records->bytes.data + offset, records->bytes.size - offset))) {
                struct place *grown = reallocarray(records->places, records->count + 1, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(err);
                records->places = grown;
                grown[records->count] = (struct place){ .offset = offset, .size = size };
                gbx_sha256(records->bytes.data + offset, size, grown[records->count++].digest);
                offset += size;
        }
        return 0;
}

static int read_files(struct gbx_records *records, struct gbx_site *site, struct gbx_error *err) {
        for (uint64_t file = 0; file < FILES_MAX; file++) {
                size_t before = records->bytes.size;
                char path[PATH_SIZE];
                int r;

                file_path(file, path);
                if (faccessat(site->directory, path, F_OK, 0) < 0)
                        return 0;
                r = gbx_read_file(site->directory, path, SIZE_MAX / 2, &records->bytes, err);
                if (r >= 0)
                        r = index_frames(records, before, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_records_open(struct gbx_records **ret, struct gbx_site *site, struct gbx_error *err) {
        gbx_auto(gbx_records_freep) struct gbx_records *records = calloc(1, sizeof *records);
        int r;

        if (!records)
                return gbx_fail_memory(err);
        r = gbx_site_records_key(site, &records->key, err);
        if (r >= 0)
                r = read_files(records, site, err);
        if (r < 0)
                return r;
        if (records->count)
                qsort(records->places, records->count, sizeof *records->places, compare_places);
        *ret = gbx_take_ptr(records);
        return 0;
}

int gbx_records_get(const struct gbx_records *records, const char *digest, struct gbx_buffer *ret, struct gbx_error *err) {
        struct place wanted = {};
        const struct place *found;
        int r = gbx_sha256_parse(digest, wanted.digest, err);

        if (r < 0)
                return r;
        found = records->count ? bsearch(&wanted, records->places, records->count, sizeof wanted, compare_places) : NULL;
        if (!found)
                return gbx_fail(err, -EBADMSG, "the sealed record %s is not there: it was changed or removed", digest);
        return unseal(records->key.data, records->bytes.data + found->offset, found->size, ret, err);
}
