/* Encryption as a stream, and rewrapping: the same payload under another header. */
#include "base/cleanup.h"
#include "runtime/vault/age_internal.h"

#include <openssl/crypto.h>
#include <string.h>

/* A file under way: header and payload nonce are written, chunks follow. */
struct writer {
        struct gbx_age_sink sink;
        EVP_CIPHER_CTX *cipher;
        struct gbx_age_facts facts;
};

static void free_writer(struct writer *writer) { EVP_CIPHER_CTX_free(writer->cipher); }

static int write_front(struct writer *writer, const struct gbx_age_file_key *key, struct gbx_age_recipients recipients,
                       const uint8_t nonce[static GBX_AGE_NONCE_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer header = {};
        int r = gbx_age_header_write(key, recipients, &header, err);

        if (r < 0)
                return r;
        gbx_sha256(header.data, header.size, writer->facts.header_digest);
        writer->facts.header_size = header.size;
        r = gbx_age_sink_write(&writer->sink, header.data, header.size, err);
        return r < 0 ? r : gbx_age_sink_write(&writer->sink, nonce, GBX_AGE_NONCE_SIZE, err);
}

static void finish(struct writer *writer, struct gbx_age_facts *ret_facts) {
        writer->facts.ciphertext_size = writer->sink.size;
        gbx_age_digest_end(&writer->sink.digest, writer->facts.ciphertext_digest);
        if (ret_facts)
                *ret_facts = writer->facts;
}

/* Seals everything the source gives. One byte is read ahead, for the last chunk is sealed as such. */
static int seal_all(struct writer *writer, struct gbx_age_source *source, uint8_t *plain, uint8_t *sealed,
                    struct gbx_error *err) {
        size_t held = 0;

        for (bool last = false; !last;) {
                size_t got = 0, size;
                uint8_t nonce[12];
                int r = gbx_age_source_read(source, plain + held, GBX_AGE_CHUNK_SIZE + 1 - held, &got, err);

                if (r < 0)
                        return r;
                got += held;
                last = got <= GBX_AGE_CHUNK_SIZE;
                size = last ? got : GBX_AGE_CHUNK_SIZE;
                gbx_age_chunk_nonce(writer->facts.chunks, last, nonce);
                r = gbx_age_seal(writer->cipher, nonce, plain, size, sealed, err);
                if (r == 0)
                        r = gbx_age_sink_write(&writer->sink, sealed, size + GBX_AGE_TAG_SIZE, err);
                if (r < 0)
                        return r;
                writer->facts.chunks++;
                writer->facts.plaintext_size += size;
                if (!last) {
                        plain[0] = plain[GBX_AGE_CHUNK_SIZE];
                        held = 1;
                }
        }
        return 0;
}

static int encrypt(struct gbx_age_source *source, struct writer *writer, struct gbx_age_recipients recipients,
                   struct gbx_error *err) {
        gbx_auto(gbx_age_file_key_wipe) struct gbx_age_file_key key = {};
        gbx_auto(gbx_secret_free) struct gbx_secret plain = {};
        gbx_auto(gbx_free_pointer) uint8_t *sealed = malloc(GBX_AGE_SEALED_CHUNK_SIZE);
        uint8_t nonce[GBX_AGE_NONCE_SIZE];
        int r;

        if (!sealed)
                return gbx_fail_memory(err);
        r = gbx_secret_new_locked(&plain, GBX_AGE_CHUNK_SIZE + 1, err);
        if (r == 0)
                r = gbx_random(key.bytes, sizeof key.bytes, err);
        if (r == 0)
                r = gbx_random(nonce, sizeof nonce, err);
        if (r == 0)
                r = gbx_age_payload_cipher_new(&writer->cipher, &key, nonce, true, err);
        if (r == 0)
                r = write_front(writer, &key, recipients, nonce, err);
        if (r == 0)
                r = seal_all(writer, source, plain.data, sealed, err);
        return r;
}

int gbx_age_encrypt_fd(int in_fd, int out_fd, struct gbx_age_recipients recipients, struct gbx_age_facts *ret_facts,
                       struct gbx_error *err) {
        gbx_auto(free_writer) struct writer writer = {};
        struct gbx_age_source source;
        int r = gbx_age_source_open(&source, in_fd, -1, GBX_AGE_BINARY, err);

        if (r < 0)
                return r;
        gbx_age_sink_open(&writer.sink, out_fd, NULL);
        r = encrypt(&source, &writer, recipients, err);
        gbx_age_source_close(&source);
        if (r == 0)
                finish(&writer, ret_facts);
        return r;
}

int gbx_age_encrypt_buffer(const void *data, size_t size, struct gbx_age_recipients recipients,
                           struct gbx_buffer *ret_file, struct gbx_error *err) {
        gbx_auto(free_writer) struct writer writer = {};
        struct gbx_age_source source;
        size_t start = ret_file->size;
        int r = gbx_age_source_open_memory(&source, data, size, GBX_AGE_BINARY, err);

        if (r < 0)
                return r;
        gbx_age_sink_open(&writer.sink, -1, ret_file);
        r = encrypt(&source, &writer, recipients, err);
        gbx_age_source_close(&source);
        if (r < 0 && ret_file->data) {
                ret_file->size = start;
                ret_file->data[start] = 0;
        }
        return r;
}

int gbx_age_rewrap(int in_fd, int out_fd, struct gbx_age_identities identities, struct gbx_age_recipients recipients,
                   struct gbx_age_facts *ret_original, struct gbx_age_facts *ret_copy, struct gbx_error *err) {
        gbx_auto(gbx_age_reader_freep) struct gbx_age_reader *reader = NULL;
        gbx_auto(free_writer) struct writer writer = {};
        const uint8_t *data;
        struct gbx_age_facts original;
        size_t size;
        int r = gbx_age_reader_new(&reader, in_fd, GBX_AGE_DETECT, identities, NULL, err);

        if (r < 0)
                return r;
        gbx_age_sink_open(&writer.sink, out_fd, NULL);
        r = write_front(&writer, gbx_age_reader_file_key(reader), recipients, gbx_age_reader_nonce(reader), err);
        if (r < 0)
                return r;
        while ((r = gbx_age_reader_next(reader, &data, &size, err)) > 0) {
                gbx_age_reader_sealed(reader, &data, &size);
                r = gbx_age_sink_write(&writer.sink, data, size, err);
                if (r < 0)
                        return r;
        }
        if (r == 0)
                r = gbx_age_reader_facts(reader, &original, err);
        if (r < 0)
                return r;
        writer.facts.chunks = original.chunks;
        writer.facts.plaintext_size = original.plaintext_size;
        finish(&writer, ret_copy);
        if (ret_original)
                *ret_original = original;
        return 0;
}
