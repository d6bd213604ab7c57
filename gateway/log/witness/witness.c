#include "gateway/log/witness/witness.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/writer/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOGS_MAX = 1024 };

struct gbx_witness {
        int directory, lock;
        struct gbx_note_signer signer;
        size_t log_count;
        struct gbx_note_verifier *logs;
};

static const char plain[] = "text/plain; charset=utf-8";

int gbx_witness_open(struct gbx_witness **ret, int directory, const char *path, const struct gbx_note_signer *signer,
                     struct gbx_error *err) {
        gbx_auto(gbx_witness_freep) struct gbx_witness *witness = calloc(1, sizeof *witness);
        int r;

        if (!witness)
                return gbx_fail_memory(err);
        witness->directory = witness->lock = -1;
        r = gbx_note_signer_as_cosigner(signer, &witness->signer, err);
        if (r == 0)
                r = gbx_make_directories(directory, path, 0700, err);
        if (r < 0)
                return r;
        witness->directory = gbx_open_directory(directory, path, err);
        if (witness->directory < 0)
                return witness->directory;
        witness->lock = openat(witness->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (witness->lock < 0)
                return gbx_fail_errno(err, "cannot open '%s/lock'", path);
        if (flock(witness->lock, LOCK_EX | LOCK_NB) < 0)
                return gbx_fail(err, -EBUSY, "another witness uses the state in '%s'", path);
        *ret = gbx_take_ptr(witness);
        return 0;
}

struct gbx_witness *gbx_witness_free(struct gbx_witness *witness) {
        if (!witness)
                return NULL;
        gbx_close_fd(&witness->lock);
        gbx_close_fd(&witness->directory);
        free(witness->logs);
        OPENSSL_cleanse(witness, sizeof *witness);
        free(witness);
        return NULL;
}

int gbx_witness_trust(struct gbx_witness *witness, const struct gbx_note_verifier *log, struct gbx_error *err) {
        struct gbx_note_verifier *logs;

        if (log->type != GBX_NOTE_ED25519)
                return gbx_fail(err, -EINVAL, "the key of log '%s' is not of type 01 (Ed25519)", log->name);
        if (witness->log_count == LOGS_MAX)
                return gbx_fail(err, -EDQUOT, "a witness for more than %d logs", LOGS_MAX);
        logs = reallocarray(witness->logs, witness->log_count + 1, sizeof *logs);
        if (!logs)
                return gbx_fail_memory(err);
        logs[witness->log_count++] = *log;
        witness->logs = logs;
        return 0;
}

const struct gbx_note_verifier *gbx_witness_verifier(const struct gbx_witness *witness) {
        return &witness->signer.verifier;
}

static int answer_with(struct gbx_witness_answer *answer, unsigned status, const char *text, struct gbx_error *err) {
        answer->status = status;
        answer->content_type = plain;
        return gbx_buffer_printf(&answer->body, err, "%s\n", text);
}

/* The file that holds the newest checkpoint of an origin. */
static void state_path(const char *origin, char ret[static 2 * GBX_SHA256_SIZE + 1]) {
        uint8_t digest[GBX_SHA256_SIZE];

        gbx_sha256(origin, strlen(origin), digest);
        gbx_hex_encode(digest, sizeof digest, ret);
}

/* What is recorded for the origin; size 0 if it never was seen. The record is our own, kept with its signature: a
 * record that does not verify any more is damage, and the witness does not go on. */
static int load_record(struct gbx_witness *witness, const char *origin, struct gbx_checkpoint *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        char path[2 * GBX_SHA256_SIZE + 1];
        int r;

        state_path(origin, path);
        r = gbx_read_file(witness->directory, path, GBX_NOTE_SIZE_MAX, &message, err);
        if (r == -ENOENT) {
                *ret = (struct gbx_checkpoint){};
                gbx_merkle_empty(&ret->root);
                return 0;
        }
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&message), message.size, &note, err);
        if (r == 0)
                r = gbx_note_check(&note, &witness->signer.verifier, NULL, err);
        if (r == 0)
                r = gbx_checkpoint_parse(note.text, note.text_size, ret, err);
        if (r != 0 || strcmp(ret->origin, origin) != 0)
                return gbx_fail(err, r < 0 && r != -EINVAL ? r : -EBADMSG, "the record '%s' of log '%s' is damaged", path, origin);
        return 0;
}

/* Whether some key that is trusted for the origin has signed. 404 and 403 are the answers if not. */
static int check_signature(const struct gbx_witness *witness, const struct gbx_note *note, const char *origin,
                           unsigned *ret_status) {
        *ret_status = 404;
        for (size_t i = 0; i < witness->log_count; i++) {
                if (strcmp(witness->logs[i].name, origin) != 0)
                        continue;
                *ret_status = 403;
                if (gbx_note_check(note, &witness->logs[i], NULL, NULL) == 0)
                        return 0;
        }
        return -EKEYREJECTED;
}

/* Whether the request's checkpoint extends the recorded one. */
static int check_growth(const struct gbx_witness_request *request, const struct gbx_checkpoint *next,
                        const struct gbx_checkpoint *record, struct gbx_error *err) {
        struct gbx_hash empty;

        if (request->old_size == 0) { /* from nothing: there is nothing to prove */
                gbx_merkle_empty(&empty);
                if (request->proof.count > 0)
                        return gbx_fail(err, -EBADMSG, "a proof from size 0 must be empty");
                if (next->size == 0 && !gbx_hash_equal(&next->root, &empty))
                        return gbx_fail(err, -EBADMSG, "not the root of an empty tree");
                return 0;
        }
        return gbx_merkle_verify_consistency(request->old_size, next->size, request->proof.hashes, request->proof.count,
                                             &record->root, &next->root, err);
}

/* Cosigns, records, and only then answers. */
static int cosign(struct gbx_witness *witness, const struct gbx_note *note, const char *origin, uint64_t now,
                  struct gbx_witness_answer *answer, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer record = {}, line = {};
        char path[2 * GBX_SHA256_SIZE + 1];
        int r = gbx_note_sign_line(note->text, note->text_size, &witness->signer, now, &line, err);

        if (r == 0)
                r = gbx_buffer_append(&record, note->text, note->text_size, err);
        if (r == 0)
                r = gbx_buffer_append_byte(&record, '\n', err);
        if (r == 0)
                r = gbx_buffer_append(&record, line.data, line.size, err);
        if (r < 0)
                return r;
        state_path(origin, path);
        r = gbx_log_put_file(witness->directory, "new", path, record.data, record.size, 0600, GBX_LOG_REPLACE, err);
        if (r < 0)
                return gbx_context(err, r, "recording a checkpoint of '%s'", origin);
        answer->status = 200;
        answer->content_type = plain;
        return gbx_buffer_append(&answer->body, line.data, line.size, err);
}

/* The checks that need the record, in the order of the specification. */
static int decide(struct gbx_witness *witness, const struct gbx_witness_request *request, const struct gbx_note *note,
                  const struct gbx_checkpoint *next, uint64_t now, struct gbx_witness_answer *answer,
                  struct gbx_error *err) {
        struct gbx_error why = {};
        struct gbx_checkpoint record;
        int r;

        if (request->old_size > next->size)
                return answer_with(answer, 400, "the old size is above the checkpoint's size", err);
        r = load_record(witness, next->origin, &record, err);
        if (r < 0)
                return r;
        if (request->old_size != record.size) {
                answer->status = 409;
                answer->content_type = "text/x.tlog.size";
                return gbx_buffer_printf(&answer->body, err, "%" PRIu64 "\n", record.size);
        }
        if (check_growth(request, next, &record, &why) < 0)
                return answer_with(answer, 422, why.message, err);
        return cosign(witness, note, next->origin, now, answer, err);
}

int gbx_witness_add_checkpoint(struct gbx_witness *witness, const void *request, size_t size, uint64_t now,
                               struct gbx_witness_answer *answer, struct gbx_error *err) {
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        struct gbx_witness_request parsed;
        struct gbx_checkpoint next = {};
        struct gbx_error why = {};
        unsigned status;
        int r = gbx_witness_request_parse(request, size, &parsed, &why);

        if (r == 0)
                r = gbx_note_parse(parsed.message, parsed.message_size, &note, &why);
        if (r == 0)
                r = gbx_checkpoint_parse(note.text, note.text_size, &next, &why);
        if (r == -ENOMEM)
                return gbx_fail_memory(err);
        if (r < 0)
                return answer_with(answer, 400, why.message, err);
        if (check_signature(witness, &note, next.origin, &status) < 0)
                return answer_with(answer, status, status == 404 ? "this witness does not know the log"
                                                                 : "no valid signature by a key that is trusted for the log", err);
        return decide(witness, &parsed, &note, &next, now, answer, err);
}
