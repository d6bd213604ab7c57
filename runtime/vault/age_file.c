/* Whole regular files: any chunk alone, and all of them on all cores (age_threads.h). */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "runtime/vault/age_internal.h"
#include "runtime/vault/age_threads.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>

struct gbx_age_file {
        int fd;
        int cancel; /* once it can be read, decrypting ends; 0: it cannot be */
        struct gbx_age_facts facts;
        struct gbx_age_file_key file_key;
        uint8_t nonce[GBX_AGE_NONCE_SIZE];
        EVP_CIPHER_CTX *cipher; /* for gbx_age_file_read */
        uint8_t *sealed;
};

/* Reads exactly `size` bytes at `offset`. */
static int read_at(int fd, uint8_t *data, size_t size, uint64_t offset, struct gbx_error *err) {
        while (size > 0) {
                ssize_t n = pread(fd, data, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot read");
                if (n == 0)
                        return gbx_fail(err, -EBADMSG, "the file became shorter while it was read");
                data += n;
                offset += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t offset, struct gbx_error *err) {
        while (size > 0) {
                ssize_t n = pwrite(fd, data, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot write");
                data += n;
                offset += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

static int file_size(int fd, uint64_t *ret_size, struct gbx_error *err) {
        struct stat status;

        if (fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot inspect the file");
        if (!S_ISREG(status.st_mode))
                return gbx_fail(err, -EINVAL, "not a regular file, which random access needs");
        *ret_size = (uint64_t)status.st_size;
        return 0;
}

static uint64_t payload_offset(const struct gbx_age_facts *facts) { return facts->header_size + GBX_AGE_NONCE_SIZE; }

/* Plaintext bytes of a chunk. */
static size_t chunk_size(const struct gbx_age_facts *facts, uint64_t index) {
        uint64_t left = facts->plaintext_size - index * GBX_AGE_CHUNK_SIZE;

        return left > GBX_AGE_CHUNK_SIZE ? GBX_AGE_CHUNK_SIZE : (size_t)left;
}

/* What the sizes say, before anything of it is verified. False: no such file exists. */
static bool lay_out(struct gbx_age_facts *facts) {
        uint64_t payload, last;

        if (facts->ciphertext_size < payload_offset(facts) + GBX_AGE_TAG_SIZE)
                return false;
        payload = facts->ciphertext_size - payload_offset(facts);
        facts->chunks = (payload + GBX_AGE_SEALED_CHUNK_SIZE - 1) / GBX_AGE_SEALED_CHUNK_SIZE;
        last = payload - (facts->chunks - 1) * GBX_AGE_SEALED_CHUNK_SIZE;
        if (last < GBX_AGE_TAG_SIZE || (last == GBX_AGE_TAG_SIZE && facts->chunks > 1))
                return false;
        facts->plaintext_size = payload - facts->chunks * GBX_AGE_TAG_SIZE;
        return true;
}

/* --- one chunk ---------------------------------------------------------------- */

/* Opens a sealed chunk that is in memory. */
static int open_chunk(const struct gbx_age_file *file, EVP_CIPHER_CTX *cipher, uint64_t index, const uint8_t *sealed,
                      uint8_t *ret_plain, struct gbx_error *err) {
        uint8_t nonce[12];

        gbx_age_chunk_nonce(index, index == file->facts.chunks - 1, nonce);
        if (!gbx_age_unseal(cipher, nonce, sealed, chunk_size(&file->facts, index) + GBX_AGE_TAG_SIZE, ret_plain))
                return gbx_fail(err, -EBADMSG,
                                "chunk %llu of the encrypted file: altered, out of order, or the file is cut short",
                                (unsigned long long)index + 1);
        return 0;
}

int gbx_age_file_read(struct gbx_age_file *file, uint64_t index, uint8_t *ret_data, size_t *ret_size,
                      struct gbx_error *err) {
        size_t size;
        int r;

        if (index >= file->facts.chunks)
                return gbx_fail(err, -ERANGE, "chunk %llu of a file of %llu chunks", (unsigned long long)index + 1,
                                (unsigned long long)file->facts.chunks);
        size = chunk_size(&file->facts, index);
        r = read_at(file->fd, file->sealed, size + GBX_AGE_TAG_SIZE,
                    payload_offset(&file->facts) + index * GBX_AGE_SEALED_CHUNK_SIZE, err);
        if (r == 0)
                r = open_chunk(file, file->cipher, index, file->sealed, ret_data, err);
        if (r == 0)
                *ret_size = size;
        return r;
}

/* --- opening ------------------------------------------------------------------- */

static int read_header(struct gbx_age_file *file, struct gbx_age_source *source, struct gbx_age_identities identities,
                       struct gbx_error *err) {
        struct gbx_age_header *header = calloc(1, sizeof *header);
        size_t got = 0;
        int r;

        if (!header)
                return gbx_fail_memory(err);
        r = gbx_age_header_read(source, header, err);
        if (r == 0)
                r = gbx_age_header_unwrap(source, header, identities, &file->file_key, err);
        if (r == 0) {
                gbx_sha256(header->text.data, header->text.size, file->facts.header_digest);
                file->facts.header_size = header->text.size;
                r = gbx_age_source_read(source, file->nonce, sizeof file->nonce, &got, err);
        }
        if (r == 0 && got < sizeof file->nonce) {
                source->failure = GBX_AGE_HEADER_FAILURE;
                r = gbx_fail(err, -EINVAL, "the file ends right behind its header");
        }
        gbx_age_header_free(header);
        free(header);
        return r;
}

static int check_last_chunk(struct gbx_age_file *file, enum gbx_age_failure *failure, struct gbx_error *err) {
        gbx_auto(gbx_secret_free) struct gbx_secret plain = {};
        size_t size;
        int r;

        if (!lay_out(&file->facts)) {
                *failure = GBX_AGE_PAYLOAD_FAILURE;
                return gbx_fail(err, -EBADMSG, "the encrypted file is cut short");
        }
        r = gbx_secret_new_locked(&plain, GBX_AGE_CHUNK_SIZE, err);
        if (r == 0)
                r = gbx_age_payload_cipher_new(&file->cipher, &file->file_key, file->nonce, false, err);
        if (r == 0)
                r = gbx_age_file_read(file, file->facts.chunks - 1, plain.data, &size, err);
        if (r == -EBADMSG)
                *failure = GBX_AGE_PAYLOAD_FAILURE;
        return r;
}

int gbx_age_file_open(struct gbx_age_file **ret, int fd, struct gbx_age_identities identities,
                      enum gbx_age_failure *failure, struct gbx_error *err) {
        gbx_auto(gbx_age_file_freep) struct gbx_age_file *file = calloc(1, sizeof *file);
        enum gbx_age_failure ignored = GBX_AGE_NO_FAILURE;
        struct gbx_age_source source;
        int r;

        failure = failure ? failure : &ignored;
        *failure = GBX_AGE_OTHER_FAILURE;
        if (!file || !(file->sealed = malloc(GBX_AGE_SEALED_CHUNK_SIZE)))
                return gbx_fail_memory(err);
        file->fd = fd;
        r = file_size(fd, &file->facts.ciphertext_size, err);
        if (r == 0)
                r = gbx_age_source_open(&source, fd, 0, GBX_AGE_BINARY, err);
        if (r < 0)
                return r;
        r = read_header(file, &source, identities, err);
        if (r < 0 && source.failure != GBX_AGE_NO_FAILURE)
                *failure = source.failure;
        gbx_age_source_close(&source);
        if (r == 0)
                r = check_last_chunk(file, failure, err);
        if (r < 0)
                return r;
        *failure = GBX_AGE_NO_FAILURE;
        *ret = gbx_take_ptr(file);
        return 0;
}

const struct gbx_age_facts *gbx_age_file_facts(const struct gbx_age_file *file) { return &file->facts; }

struct gbx_age_file *gbx_age_file_free(struct gbx_age_file *file) {
        if (!file)
                return NULL;
        EVP_CIPHER_CTX_free(file->cipher);
        free(file->sealed);
        OPENSSL_cleanse(file, sizeof *file);
        free(file);
        return NULL;
}

/* Half a file is of no use to anybody. Returns `code`. */
static int discard(int out_fd, int code, struct gbx_error *err) {
        if (ftruncate(out_fd, 0) < 0)
                return gbx_context(err, code, "(and the partial output could not be emptied)");
        return code;
}

/* --- all chunks ------------------------------------------------------------------ */

struct transfer {
        const struct gbx_age_file *file; /* keys, nonce, sizes; its fd is what is decrypted */
        int in_fd, out_fd;
};

static int new_opener(void *context, EVP_CIPHER_CTX **ret, struct gbx_error *err) {
        const struct transfer *transfer = context;

        return gbx_age_payload_cipher_new(ret, &transfer->file->file_key, transfer->file->nonce, false, err);
}

static int new_sealer(void *context, EVP_CIPHER_CTX **ret, struct gbx_error *err) {
        const struct transfer *transfer = context;

        return gbx_age_payload_cipher_new(ret, &transfer->file->file_key, transfer->file->nonce, true, err);
}

/* Bytes of the chunks [first, first + count), sealed or plain. */
static size_t span_size(const struct gbx_age_facts *facts, uint64_t first, size_t count, size_t extra) {
        return (count - 1) * (GBX_AGE_CHUNK_SIZE + extra) + chunk_size(facts, first + count - 1) + extra;
}

static int decrypt_span(void *context, struct gbx_age_worker *worker, uint64_t first, size_t count,
                        struct gbx_error *err) {
        const struct transfer *transfer = context;
        const struct gbx_age_facts *facts = &transfer->file->facts;
        int r = gbx_interrupt_asked(transfer->file->cancel) ? gbx_fail(err, -ECANCELED, "decrypting was cancelled") : 0;

        if (r == 0)
                r = read_at(transfer->in_fd, worker->sealed, span_size(facts, first, count, GBX_AGE_TAG_SIZE),
                            payload_offset(facts) + first * GBX_AGE_SEALED_CHUNK_SIZE, err);

        for (size_t i = 0; i < count && r == 0; i++)
                r = open_chunk(transfer->file, worker->cipher, first + i,
                               worker->sealed + i * GBX_AGE_SEALED_CHUNK_SIZE,
                               worker->plain.data + i * GBX_AGE_CHUNK_SIZE, err);
        if (r < 0)
                return r;
        return write_at(transfer->out_fd, worker->plain.data, span_size(facts, first, count, 0),
                        first * GBX_AGE_CHUNK_SIZE, err);
}

static int encrypt_span(void *context, struct gbx_age_worker *worker, uint64_t first, size_t count,
                        struct gbx_error *err) {
        const struct transfer *transfer = context;
        const struct gbx_age_facts *facts = &transfer->file->facts;
        int r = read_at(transfer->in_fd, worker->plain.data, span_size(facts, first, count, 0),
                        first * GBX_AGE_CHUNK_SIZE, err);

        for (size_t i = 0; i < count && r == 0; i++) {
                uint8_t nonce[12];

                gbx_age_chunk_nonce(first + i, first + i == facts->chunks - 1, nonce);
                r = gbx_age_seal(worker->cipher, nonce, worker->plain.data + i * GBX_AGE_CHUNK_SIZE,
                                 chunk_size(facts, first + i), worker->sealed + i * GBX_AGE_SEALED_CHUNK_SIZE, err);
        }
        if (r < 0)
                return r;
        return write_at(transfer->out_fd, worker->sealed, span_size(facts, first, count, GBX_AGE_TAG_SIZE),
                        payload_offset(facts) + first * GBX_AGE_SEALED_CHUNK_SIZE, err);
}

void gbx_age_file_cancel(struct gbx_age_file *file, int fd) { file->cancel = fd; }

int gbx_age_file_decrypt(struct gbx_age_file *file, int out_fd, unsigned threads, struct gbx_error *err) {
        struct transfer transfer = { .file = file, .in_fd = file->fd, .out_fd = out_fd };
        uint64_t size;
        int r = file_size(out_fd, &size, err);

        if (r < 0)
                return gbx_context(err, r, "decrypted output");
        /* The length comes first: then tmpfs may use huge pages (huge=within_size). */
        if (ftruncate(out_fd, (off_t)file->facts.plaintext_size) < 0)
                return gbx_fail_errno(err, "cannot set the length of the decrypted output");
        r = gbx_age_on_all_chunks(new_opener, decrypt_span, &transfer, file->facts.chunks, threads, err);
        return r < 0 ? discard(out_fd, r, err) : 0;
}

/* Fills in key, nonce and sizes of a file to be, and writes its header and nonce. */
static int begin_file(struct gbx_age_file *file, int in_fd, int out_fd, struct gbx_age_recipients recipients,
                      struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer front = {};
        int r = file_size(in_fd, &file->facts.plaintext_size, err);

        if (r == 0)
                r = gbx_random(file->file_key.bytes, sizeof file->file_key.bytes, err);
        if (r == 0)
                r = gbx_random(file->nonce, sizeof file->nonce, err);
        if (r == 0)
                r = gbx_age_header_write(&file->file_key, recipients, &front, err);
        if (r < 0)
                return r;
        gbx_sha256(front.data, front.size, file->facts.header_digest);
        file->facts.header_size = front.size;
        file->facts.chunks = (file->facts.plaintext_size + GBX_AGE_CHUNK_SIZE - 1) / GBX_AGE_CHUNK_SIZE;
        if (file->facts.chunks == 0)
                file->facts.chunks = 1;
        file->facts.ciphertext_size = payload_offset(&file->facts) + file->facts.plaintext_size +
                                      file->facts.chunks * GBX_AGE_TAG_SIZE;
        r = gbx_buffer_append(&front, file->nonce, sizeof file->nonce, err);
        return r < 0 ? r : write_at(out_fd, front.data, front.size, 0, err);
}

int gbx_age_encrypt_file(int in_fd, int out_fd, struct gbx_age_recipients recipients, unsigned threads,
                         struct gbx_age_facts *ret_facts, struct gbx_error *err) {
        struct gbx_age_file file = {};
        struct transfer transfer = { .file = &file, .in_fd = in_fd, .out_fd = out_fd };
        uint64_t size;
        int r = file_size(out_fd, &size, err);

        if (r == 0 && size != 0)
                r = gbx_fail(err, -EINVAL, "the encrypted output is not empty");
        if (r < 0)
                return r;
        r = begin_file(&file, in_fd, out_fd, recipients, err);
        if (r == 0)
                r = gbx_age_on_all_chunks(new_sealer, encrypt_span, &transfer, file.facts.chunks, threads, err);
        if (r < 0)
                r = discard(out_fd, r, err);
        else if (ret_facts)
                *ret_facts = file.facts;
        gbx_age_file_key_wipe(&file.file_key);
        return r;
}
