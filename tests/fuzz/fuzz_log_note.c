/* Signed notes, checkpoints in them, and note keys: no crash, and what is accepted is written back the same. */
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/note.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_keys(const char *text, size_t size) {
        struct gbx_note_verifier verifier;
        struct gbx_note_signer signer;
        struct gbx_buffer back = {};

        if (gbx_note_verifier_parse(text, size, &verifier, NULL) == 0) {
                if (gbx_note_verifier_format(&verifier, &back, NULL) < 0 || strlen(verifier.name) >= size)
                        abort();
                gbx_buffer_free(&back);
        }
        if (gbx_note_signer_parse(text, size, &signer, NULL) == 0)
                gbx_note_signer_clear(&signer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct gbx_note_verifier keys[2];
        struct gbx_checkpoint checkpoint;
        struct gbx_buffer text = {};
        struct gbx_note note = {};

        if (!keys[0].type) {
                static const uint8_t seed[32] = { 1 };
                struct gbx_note_signer signer;

                for (int i = 0; i < 2; i++)
                        if (gbx_note_signer_from_seed("fuzz.example/log", i ? GBX_NOTE_COSIGNATURE : GBX_NOTE_ED25519, seed, &signer,
                                                      NULL) == 0)
                                keys[i] = signer.verifier;
        }
        try_keys((const char *)data, size);
        if (gbx_checkpoint_parse((const char *)data, size, &checkpoint, NULL) == 0) {
                if (gbx_checkpoint_format(&checkpoint, &text, NULL) < 0 || text.size > size || memcmp(text.data, data, text.size) != 0)
                        abort();
        }
        if (gbx_note_parse((const char *)data, size, &note, NULL) == 0) {
                for (int i = 0; i < 2; i++)
                        (void)gbx_note_check(&note, &keys[i], NULL, NULL);
                (void)gbx_checkpoint_parse(note.text, note.text_size, &checkpoint, NULL);
                if (note.text_size == 0 || note.text[note.text_size - 1] != '\n' || note.count == 0)
                        abort();
                gbx_note_free(&note);
        }
        gbx_buffer_free(&text);
        return 0;
}
