/* .tlog-proof files: no crash; what is accepted is written back the same, and never verifies for a wrong entry. */
#include "gateway/log/format/proof.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t seed[32] = { 1 };
        struct gbx_note_signer signer;
        struct gbx_buffer back = {};
        struct gbx_proof proof;

        if (gbx_proof_parse((const char *)data, size, &proof, NULL) < 0)
                return 0;
        if (!proof.extra) {
                if (gbx_proof_format(proof.index, &proof.path, proof.message, proof.message_size, NULL, &back, NULL) < 0 ||
                    back.size != size || memcmp(back.data, data, size) != 0)
                        abort();
        }
        gbx_buffer_free(&back);
        if (gbx_note_signer_from_seed("fuzz.example/log", GBX_NOTE_ED25519, seed, &signer, NULL) == 0 &&
            gbx_proof_verify(&proof, "an entry that no log holds", 26, &signer.verifier, NULL, NULL, NULL) == 0)
                abort();
        return 0;
}
