/* What the two Merkle vector programs share: walking a folder of JSON cases and reading their hashes. */
#pragma once

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "gateway/log/format/merkle.h"

#include <fts.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct merkle_case {
        json_t *json;
        struct gbx_hash proof[GBX_MERKLE_PROOF_MAX];
        size_t count;
};

/* A hash in base64. `ret_size` gets its length; one that is not 32 bytes is replaced by a hash that equals
 * itself and nothing else, for cases that compare roots only. */
static inline int case_bytes(const json_t *text, struct gbx_hash *ret, size_t *ret_size) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};

        if (!json_is_string(text) ||
            gbx_base64_decode(GBX_BASE64_PADDED, json_string_value(text), json_string_length(text), &bytes, NULL) < 0)
                return -EINVAL;
        *ret_size = bytes.size;
        if (bytes.size == sizeof ret->bytes)
                memcpy(ret->bytes, bytes.data, sizeof ret->bytes);
        else
                gbx_sha256_parts((struct gbx_bytes[]){ { "another length", 14 }, { bytes.data, bytes.size } }, 2, ret->bytes);
        return 0;
}

static inline int case_hash(const json_t *text, struct gbx_hash *ret) {
        size_t size = 0;

        return case_bytes(text, ret, &size) < 0 || size != sizeof ret->bytes ? -EINVAL : 0;
}

/* Numbers above 2^63, which jansson reads as reals only, are above every tree size all the same. */
static inline int case_size(const struct merkle_case *c, const char *key, uint64_t *ret) {
        json_t *value = json_object_get(c->json, key);

        if (!json_is_number(value) || json_number_value(value) < 0)
                return -EINVAL;
        *ret = json_is_integer(value) ? (uint64_t)json_integer_value(value)
               : json_real_value(value) < 0x1p63 ? (uint64_t)json_real_value(value)
                                                 : UINT64_MAX;
        return 0;
}

static inline int case_proof(struct merkle_case *c) {
        json_t *proof = json_object_get(c->json, "proof"), *hash;
        size_t i;

        c->count = json_array_size(proof);
        if (c->count > GBX_MERKLE_PROOF_MAX)
                return -EINVAL;
        json_array_foreach(proof, i, hash)
                if (case_hash(hash, &c->proof[i]) < 0)
                        return -EINVAL;
        return 0;
}

/* Runs every .json file below `folder`; prints "ok PATH" or "FAIL PATH" a case. Returns an exit code. */
static inline int run_merkle_cases(char *folder, int (*check)(struct merkle_case *c, struct gbx_error *err)) {
        char *roots[] = { folder, NULL };
        unsigned passed = 0, failed = 0;
        FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        FTSENT *file;

        while (walk && (file = fts_read(walk))) {
                struct merkle_case c = {};
                struct gbx_error err = {};
                bool bad;

                if (file->fts_info != FTS_F || file->fts_namelen < 5 ||
                    strcmp(file->fts_name + file->fts_namelen - 5, ".json") != 0)
                        continue;
                c.json = json_load_file(file->fts_path, 0, NULL);
                if (!c.json)
                        c.json = json_load_file(file->fts_path, JSON_DECODE_INT_AS_REAL, NULL);
                bad = !c.json || check(&c, &err) < 0;
                if (c.json && bad == json_is_true(json_object_get(c.json, "wantErr"))) {
                        printf("ok %s\n", file->fts_path);
                        passed++;
                } else {
                        printf("FAIL %s: %s\n", file->fts_path, bad ? "refused" : "accepted");
                        failed++;
                }
                json_decref(c.json);
        }
        if (walk)
                (void)fts_close(walk);
        printf("%u passed, %u failed\n", passed, failed);
        return failed > 0 || passed == 0;
}
