/* Decryption as a stream: one chunk at a time, whatever the file's length. */
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/vault/age_internal.h"

#include <openssl/crypto.h>
#include <string.h>

enum state { READING, LAST_READ, ENDED, FAILED };

struct gbx_age_reader {
        struct gbx_age_source source;
        enum state state;
        EVP_CIPHER_CTX *cipher;
        struct gbx_secret plain; /* one chunk */
        uint8_t *sealed;         /* the same chunk as it came */
        size_t sealed_size;
        struct gbx_age_file_key file_key; /* for a rewrap */
        uint8_t nonce[GBX_AGE_NONCE_SIZE];
        SHA256_CTX digest;       /* over the binary file so far */
        bool digest_unwanted;    /* nobody will ask for the facts */
        struct gbx_age_facts facts;
};

static void free_header(struct gbx_age_header **header) {
        if (*header)
                gbx_age_header_free(*header);
        free(*header);
}

static int read_nonce(struct gbx_age_reader *reader, struct gbx_error *err) {
        size_t got = 0;
        int r = gbx_age_source_read(&reader->source, reader->nonce, sizeof reader->nonce, &got, err);

        if (r < 0)
                return r;
        if (got < sizeof reader->nonce) {
                reader->source.failure = GBX_AGE_HEADER_FAILURE;
                return gbx_fail(err, -EINVAL, "the file ends right behind its header");
        }
        gbx_age_digest_add(&reader->digest, reader->nonce, sizeof reader->nonce);
        reader->facts.ciphertext_size += sizeof reader->nonce;
        return gbx_age_payload_cipher_new(&reader->cipher, &reader->file_key, reader->nonce, false, err);
}

static int begin(struct gbx_age_reader *reader, struct gbx_age_identities identities, struct gbx_error *err) {
        gbx_auto(free_header) struct gbx_age_header *header = calloc(1, sizeof *header);
        int r;

        reader->sealed = malloc(GBX_AGE_SEALED_CHUNK_SIZE);
        if (!header || !reader->sealed)
                return gbx_fail_memory(err);
        r = gbx_secret_new_locked(&reader->plain, GBX_AGE_CHUNK_SIZE, err);
        if (r == 0)
                r = gbx_age_header_read(&reader->source, header, err);
        if (r == 0)
                r = gbx_age_header_unwrap(&reader->source, header, identities, &reader->file_key, err);
        if (r < 0)
                return r;
        gbx_sha256(header->text.data, header->text.size, reader->facts.header_digest);
        reader->facts.header_size = reader->facts.ciphertext_size = header->text.size;
        gbx_age_digest_begin(&reader->digest);
        gbx_age_digest_add(&reader->digest, header->text.data, header->text.size);
        return read_nonce(reader, err);
}

/* `source` is moved into the reader, whatever comes of it. */
static int reader_new(struct gbx_age_reader **ret, struct gbx_age_source *source,
                      struct gbx_age_identities identities, enum gbx_age_failure *failure, struct gbx_error *err) {
        gbx_auto(gbx_age_reader_freep) struct gbx_age_reader *reader = calloc(1, sizeof *reader);
        int r;

        if (!reader) {
                gbx_age_source_close(source);
                return gbx_fail_memory(err);
        }
        reader->source = *source;
        r = begin(reader, identities, err);
        if (r < 0) {
                if (failure)
                        *failure = gbx_age_reader_failure(reader);
                return r;
        }
        *ret = gbx_take_ptr(reader);
        return 0;
}

int gbx_age_reader_new(struct gbx_age_reader **ret, int fd, enum gbx_age_form form,
                       struct gbx_age_identities identities, enum gbx_age_failure *failure, struct gbx_error *err) {
        struct gbx_age_source source;
        int r;

        if (failure)
                *failure = GBX_AGE_OTHER_FAILURE;
        r = gbx_age_source_open(&source, fd, -1, form, err);
        return r < 0 ? r : reader_new(ret, &source, identities, failure, err);
}

int gbx_age_reader_new_memory(struct gbx_age_reader **ret, const void *data, size_t size, enum gbx_age_form form,
                              struct gbx_age_identities identities, enum gbx_age_failure *failure,
                              struct gbx_error *err) {
        struct gbx_age_source source;
        int r;

        if (failure)
                *failure = GBX_AGE_OTHER_FAILURE;
        r = gbx_age_source_open_memory(&source, data, size, form, err);
        return r < 0 ? r : reader_new(ret, &source, identities, failure, err);
}

static int bad_payload(struct gbx_age_reader *reader, struct gbx_error *err, const char *what) {
        reader->source.failure = GBX_AGE_PAYLOAD_FAILURE;
        return gbx_fail(err, -EBADMSG, "chunk %llu of the encrypted file: %s",
                        (unsigned long long)reader->facts.chunks + 1, what);
}

/* Whether the sealed chunk opens as one that is followed by more, or as the last one. */
static bool open_chunk(struct gbx_age_reader *reader, size_t size, bool last) {
        uint8_t nonce[12];

        gbx_age_chunk_nonce(reader->facts.chunks, last, nonce);
        return gbx_age_unseal(reader->cipher, nonce, reader->sealed, size, reader->plain.data);
}

static int read_chunk(struct gbx_age_reader *reader, size_t *ret_size, struct gbx_error *err) {
        size_t got = 0;
        int r = gbx_age_source_read(&reader->source, reader->sealed, GBX_AGE_SEALED_CHUNK_SIZE, &got, err);

        if (r < 0)
                return r;
        if (got < GBX_AGE_TAG_SIZE)
                return bad_payload(reader, err, "the file is cut short");
        if (got == GBX_AGE_SEALED_CHUNK_SIZE && open_chunk(reader, got, false))
                reader->state = READING;
        else if (open_chunk(reader, got, true))
                reader->state = LAST_READ;
        else
                return bad_payload(reader, err, "altered, out of order, or the file is cut short here");
        if (got == GBX_AGE_TAG_SIZE && reader->facts.chunks > 0)
                return bad_payload(reader, err, "an empty last chunk, which no honest program writes");
        if (!reader->digest_unwanted)
                gbx_age_digest_add(&reader->digest, reader->sealed, got);
        reader->facts.ciphertext_size += got;
        reader->facts.chunks++;
        reader->facts.plaintext_size += got - GBX_AGE_TAG_SIZE;
        reader->sealed_size = got;
        *ret_size = got - GBX_AGE_TAG_SIZE;
        return 0;
}

/* Nothing may stand behind the last chunk. */
static int check_end(struct gbx_age_reader *reader, struct gbx_error *err) {
        uint8_t byte;
        size_t got = 0;
        int r = gbx_age_source_read(&reader->source, &byte, 1, &got, err);

        if (r < 0)
                return r;
        if (got > 0)
                return bad_payload(reader, err, "something stands behind the last chunk");
        gbx_age_digest_end(&reader->digest, reader->facts.ciphertext_digest);
        return 0;
}

static int fail_for_good(struct gbx_age_reader *reader, int code) {
        OPENSSL_cleanse(reader->plain.data, reader->plain.size);
        reader->state = FAILED;
        return code;
}

int gbx_age_reader_next(struct gbx_age_reader *reader, const uint8_t **ret_data, size_t *ret_size,
                        struct gbx_error *err) {
        size_t size = 0;
        int r;

        switch (reader->state) {
        case ENDED:
                return 0;
        case FAILED:
                return gbx_fail(err, -EBADMSG, "the encrypted file has failed before");
        case LAST_READ:
                r = check_end(reader, err);
                if (r < 0)
                        return fail_for_good(reader, r);
                reader->state = ENDED;
                return 0;
        case READING:
                break;
        }
        r = read_chunk(reader, &size, err);
        if (r < 0)
                return fail_for_good(reader, r);
        *ret_data = reader->plain.data;
        *ret_size = size;
        return 1;
}

enum gbx_age_failure gbx_age_reader_failure(const struct gbx_age_reader *reader) {
        return reader->source.failure == GBX_AGE_NO_FAILURE ? GBX_AGE_OTHER_FAILURE : reader->source.failure;
}

int gbx_age_reader_facts(const struct gbx_age_reader *reader, struct gbx_age_facts *ret_facts, struct gbx_error *err) {
        if (reader->state != ENDED)
                return gbx_fail(err, -EINVAL, "the encrypted file was not read to its end");
        *ret_facts = reader->facts;
        return 0;
}

const struct gbx_age_file_key *gbx_age_reader_file_key(const struct gbx_age_reader *reader) {
        return &reader->file_key;
}

const uint8_t *gbx_age_reader_nonce(const struct gbx_age_reader *reader) { return reader->nonce; }

void gbx_age_reader_sealed(const struct gbx_age_reader *reader, const uint8_t **ret_data, size_t *ret_size) {
        *ret_data = reader->sealed;
        *ret_size = reader->sealed_size;
}

struct gbx_age_reader *gbx_age_reader_free(struct gbx_age_reader *reader) {
        if (!reader)
                return NULL;
        gbx_age_source_close(&reader->source);
        EVP_CIPHER_CTX_free(reader->cipher);
        gbx_secret_free(&reader->plain);
        free(reader->sealed);
        OPENSSL_cleanse(&reader->file_key, sizeof reader->file_key);
        free(reader);
        return NULL;
}

int gbx_age_decrypt_fd(int in_fd, int out_fd, struct gbx_age_identities identities, struct gbx_age_facts *ret_facts,
                       struct gbx_error *err) {
        gbx_auto(gbx_age_reader_freep) struct gbx_age_reader *reader = NULL;
        const uint8_t *data;
        size_t size;
        int r = gbx_age_reader_new(&reader, in_fd, GBX_AGE_DETECT, identities, NULL, err);

        if (r < 0)
                return r;
        reader->digest_unwanted = !ret_facts;
        while ((r = gbx_age_reader_next(reader, &data, &size, err)) > 0) {
                r = gbx_write_all(out_fd, data, size, err);
                if (r < 0)
                        return gbx_context(err, r, "decrypted output");
        }
        if (r == 0 && ret_facts)
                *ret_facts = reader->facts;
        return r;
}

int gbx_age_decrypt_buffer(const void *data, size_t size, struct gbx_age_identities identities, size_t limit,
                           struct gbx_buffer *ret_data, struct gbx_error *err) {
        gbx_auto(gbx_age_reader_freep) struct gbx_age_reader *reader = NULL;
        size_t start = ret_data->size, chunk_size;
        const uint8_t *chunk;
        int r = gbx_age_reader_new_memory(&reader, data, size, GBX_AGE_DETECT, identities, NULL, err);

        if (r < 0)
                return r;
        reader->digest_unwanted = true;
        while ((r = gbx_age_reader_next(reader, &chunk, &chunk_size, err)) > 0) {
                if (chunk_size > limit - (ret_data->size - start))
                        r = gbx_fail(err, -EFBIG, "the decrypted content has more than the %zu bytes allowed", limit);
                else
                        r = gbx_buffer_append(ret_data, chunk, chunk_size, err);
                if (r < 0)
                        break;
        }
        if (r < 0 && ret_data->data) {
                OPENSSL_cleanse(ret_data->data + start, ret_data->size - start);
                ret_data->size = start;
                ret_data->data[start] = 0;
        }
        return r;
}
