/* age headers and payloads: no crash, and nothing but whole chunks of the right length comes out. */
#include "runtime/vault/age.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* Of C2SP's test vectors: the corpus opens with it. */
        static const char secret[] = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
        static struct gbx_age_identity *identity;
        struct gbx_age_reader *reader = NULL;
        enum gbx_age_failure failure = GBX_AGE_NO_FAILURE;
        struct gbx_age_facts facts;
        const uint8_t *chunk;
        size_t chunk_size, previous = GBX_AGE_CHUNK_SIZE;
        uint64_t total = 0;
        int r;

        if (!identity && gbx_age_identity_parse(secret, strlen(secret), &identity, NULL) < 0)
                abort();
        r = gbx_age_reader_new_memory(&reader, data, size, GBX_AGE_DETECT,
                                      (struct gbx_age_identities){ (const struct gbx_age_identity *[]){ identity }, 1 },
                                      &failure, NULL);
        if (r < 0) {
                if (failure == GBX_AGE_NO_FAILURE || failure == GBX_AGE_PAYLOAD_FAILURE || reader)
                        abort();
                return 0;
        }
        while ((r = gbx_age_reader_next(reader, &chunk, &chunk_size, NULL)) > 0) {
                if (previous != GBX_AGE_CHUNK_SIZE || chunk_size > GBX_AGE_CHUNK_SIZE)
                        abort(); /* a short chunk in the middle */
                previous = chunk_size;
                total += chunk_size;
        }
        if (r == 0 && (gbx_age_reader_facts(reader, &facts, NULL) < 0 || facts.plaintext_size != total))
                abort();
        gbx_age_reader_free(reader);
        return 0;
}
