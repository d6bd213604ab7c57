#include "gateway/egress/tokens.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/memfile.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct head {
        uint8_t key[GBX_TOKENS_KEY];
        uint64_t lengths; /* bit n: some value has n bytes */
};

struct gbx_tokens {
        struct head head;
        struct gbx_buffer hashes; /* uint64_t, in order once written or read */
};

struct word {
        char bytes[GBX_TOKENS_LONGEST];
        size_t size;
};

static int letter(unsigned char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A' + 'a';
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 128 ? c : -1;
}

static uint64_t hash(const struct gbx_tokens *tokens, const struct word *word) {
        const struct gbx_bytes parts[] = { { tokens->head.key, sizeof tokens->head.key }, { word->bytes, word->size } };
        uint8_t digest[GBX_SHA256_SIZE];
        uint64_t result;

        gbx_sha256_parts(parts, 2, digest);
        memcpy(&result, digest, sizeof result);
        return result;
}

static int compare(const void *a, const void *b) {
        uint64_t first, second;

        memcpy(&first, a, sizeof first);
        memcpy(&second, b, sizeof second);
        return first < second ? -1 : first > second;
}

int gbx_tokens_new_with_key(struct gbx_tokens **ret, const uint8_t key[static GBX_TOKENS_KEY], struct gbx_error *err) {
        struct gbx_tokens *tokens = calloc(1, sizeof *tokens);

        if (!tokens)
                return gbx_fail_memory(err);
        memcpy(tokens->head.key, key, GBX_TOKENS_KEY);
        *ret = tokens;
        return 0;
}

int gbx_tokens_new(struct gbx_tokens **ret, struct gbx_error *err) {
        uint8_t key[GBX_TOKENS_KEY];
        int r = gbx_random(key, sizeof key, err);

        if (r == 0)
                r = gbx_tokens_new_with_key(ret, key, err);
        OPENSSL_cleanse(key, sizeof key);
        return r;
}

const uint8_t *gbx_tokens_key(const struct gbx_tokens *tokens) { return tokens->head.key; }

struct gbx_tokens *gbx_tokens_free(struct gbx_tokens *tokens) {
        if (!tokens)
                return NULL;
        OPENSSL_cleanse(&tokens->head, sizeof tokens->head);
        gbx_buffer_free(&tokens->hashes);
        free(tokens);
        return NULL;
}

int gbx_tokens_add(struct gbx_tokens *tokens, const char *value, size_t size, struct gbx_error *err) {
        struct word word = {};
        uint64_t number;

        for (size_t i = 0; i < size; i++) {
                int c = letter((unsigned char)value[i]);

                if (c >= 0 && word.size == GBX_TOKENS_LONGEST)
                        return 1;
                if (c >= 0)
                        word.bytes[word.size++] = (char)c;
        }
        if (word.size < GBX_TOKENS_SHORTEST)
                return 1;
        if (tokens->hashes.size == GBX_TOKENS_MAX * sizeof number)
                return gbx_fail(err, -E2BIG, "more than %d identifiers to look for in what leaves", GBX_TOKENS_MAX);
        number = hash(tokens, &word);
        tokens->head.lengths |= 1ULL << word.size;
        OPENSSL_cleanse(&word, sizeof word);
        return gbx_buffer_append(&tokens->hashes, &number, sizeof number, err);
}

size_t gbx_tokens_count(const struct gbx_tokens *tokens) { return tokens->hashes.size / sizeof(uint64_t); }

int gbx_tokens_export(const struct gbx_tokens *tokens, struct gbx_buffer *ret_bytes, struct gbx_error *err) {
        int r = gbx_buffer_append(ret_bytes, &tokens->head.lengths, sizeof tokens->head.lengths, err);

        return r < 0 ? r : gbx_buffer_append(ret_bytes, tokens->hashes.data, tokens->hashes.size, err);
}

int gbx_tokens_import(struct gbx_tokens *tokens, const void *data, size_t size, struct gbx_error *err) {
        uint64_t lengths;

        if (size < sizeof lengths || size % sizeof(uint64_t) != 0)
                return gbx_fail(err, -EINVAL, "not a part of a set of values");
        memcpy(&lengths, data, sizeof lengths);
        size -= sizeof lengths;
        if (size / sizeof(uint64_t) > GBX_TOKENS_MAX - gbx_tokens_count(tokens))
                return gbx_fail(err, -E2BIG, "more than %d identifiers to look for in what leaves", GBX_TOKENS_MAX);
        tokens->head.lengths |= lengths;
        return gbx_buffer_append(&tokens->hashes, (const char *)data + sizeof lengths, size, err);
}

int gbx_tokens_write(struct gbx_tokens *tokens, struct gbx_error *err) {
        const struct gbx_bytes parts[] = { { &tokens->head, sizeof tokens->head }, { tokens->hashes.data, tokens->hashes.size } };

        if (tokens->hashes.size > 0)
                qsort(tokens->hashes.data, tokens->hashes.size / sizeof(uint64_t), sizeof(uint64_t), compare);
        return gbx_memfile_parts("scan-values", parts, gbx_array_size(parts), err);
}

int gbx_tokens_read(struct gbx_tokens **ret, int fd, struct gbx_error *err) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = calloc(1, sizeof *tokens);
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        int r = tokens ? gbx_read_fd(fd, sizeof tokens->head + GBX_TOKENS_MAX * sizeof(uint64_t), &bytes, err) : gbx_fail_memory(err);

        if (r >= 0 && (bytes.size < sizeof tokens->head || (bytes.size - sizeof tokens->head) % sizeof(uint64_t) != 0))
                r = gbx_fail(err, -EINVAL, "not a set of values");
        if (r < 0)
                return r;
        memcpy(&tokens->head, bytes.data, sizeof tokens->head);
        r = gbx_buffer_append(&tokens->hashes, bytes.data + sizeof tokens->head, bytes.size - sizeof tokens->head, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(tokens);
        return 0;
}

static bool has(const struct gbx_tokens *tokens, const struct word *word) {
        uint64_t number;

        if (!(tokens->head.lengths >> word->size & 1))
                return false;
        number = hash(tokens, word);
        return bsearch(&number, tokens->hashes.data, tokens->hashes.size / sizeof number, sizeof number, compare);
}

/* The newest word alone, and joined to the ones before it. `words` is a ring, `count` of them were seen. */
static bool find_at(const struct gbx_tokens *tokens, const struct word *words, size_t count) {
        struct word joined = {};

        for (size_t back = 1; back <= GBX_TOKENS_JOINED && back <= count; back++) {
                const struct word *word = &words[(count - back) % GBX_TOKENS_JOINED];

                if (word->size + joined.size > GBX_TOKENS_LONGEST)
                        return false;
                memmove(joined.bytes + word->size, joined.bytes, joined.size);
                memcpy(joined.bytes, word->bytes, word->size);
                joined.size += word->size;
                if (has(tokens, &joined))
                        return true;
        }
        return false;
}

bool gbx_tokens_find(const struct gbx_tokens *tokens, const char *text, size_t size) {
        struct word words[GBX_TOKENS_JOINED];
        size_t count = 0, at = 0;

        if (tokens->hashes.size == 0)
                return false;
        while (at < size) {
                struct word *word = &words[count % GBX_TOKENS_JOINED];
                size_t start = at;
                int c;

                word->size = 0;
                for (; at < size && (c = letter((unsigned char)text[at])) >= 0; at++)
                        if (word->size < GBX_TOKENS_LONGEST)
                                word->bytes[word->size++] = (char)c;
                if (at - start > GBX_TOKENS_LONGEST)
                        count = 0; /* no value is as long as that, alone or joined */
                else if (at > start && find_at(tokens, words, ++count))
                        return true;
                while (at < size && letter((unsigned char)text[at]) < 0)
                        at++;
        }
        return false;
}
