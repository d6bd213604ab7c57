/* gateway/log: signed notes, cosignatures and checkpoints */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/note.h"

#include <string.h>

/* Published examples: C2SP signed-note; golang.org/x/mod/sumdb/note. */
#define SPEC_KEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define SPEC_NOTE                      \
        "This is an example message.\n\n" \
        "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
#define GO_KEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define GO_SECRET "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
#define GO_TEXT "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
#define GO_SIGNATURE "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define GO_NOTE GO_TEXT "\n" GO_SIGNATURE

static struct gbx_note_verifier verifier(const char *text) {
        struct gbx_note_verifier key;

        assert_int_equal(gbx_note_verifier_parse(text, strlen(text), &key, NULL), 0);
        return key;
}

static int check(const char *message, const struct gbx_note_verifier *key) {
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = gbx_note_parse(message, strlen(message), &note, NULL);

        return r < 0 ? r : gbx_note_check(&note, key, NULL, NULL);
}

static void published_notes_verify(void **state) {
        struct gbx_note_verifier spec = verifier(SPEC_KEY), go = verifier(GO_KEY);
        char altered[sizeof GO_NOTE];

        (void)state;
        assert_int_equal(check(SPEC_NOTE, &spec), 0);
        assert_int_equal(check(GO_NOTE, &go), 0);
        assert_int_equal(check(GO_NOTE, &spec), GBX_NOTE_UNSIGNED);
        memcpy(altered, GO_NOTE, sizeof altered);
        altered[0] = 'i';
        assert_int_equal(check(altered, &go), -EBADMSG);
}

static void signing_gives_the_published_bytes(void **state) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer note = {}, key = {}, secret = { .secret = true };

        (void)state;
        assert_int_equal(gbx_note_signer_parse(GO_SECRET "\n", strlen(GO_SECRET) + 1, &signer, NULL), 0);
        assert_int_equal(gbx_note_sign(GO_TEXT, strlen(GO_TEXT), &signer, &note, NULL), 0);
        assert_string_equal(gbx_buffer_text(&note), GO_NOTE);
        assert_int_equal(gbx_note_verifier_format(&signer.verifier, &key, NULL), 0);
        assert_string_equal(gbx_buffer_text(&key), GO_KEY);
        assert_int_equal(gbx_note_signer_format(&signer, &secret, NULL), 0);
        assert_string_equal(gbx_buffer_text(&secret), GO_SECRET);
        assert_int_equal(gbx_note_sign("no newline", 10, &signer, &note, NULL), -EINVAL);
}

static void malformed_keys_are_refused(void **state) {
        static const char *const bad[] = {
                "",
                "PeterNeumann",
                "PeterNeumann+c74f20a3",
                "PeterNeumann+c74f20a3+",
                "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "Peter\u2003Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
                "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy",
                "PeterNeumann+c74f20a3+/xpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
                GO_SECRET,
        };
        struct gbx_note_verifier key;
        struct gbx_note_signer signer;

        (void)state;
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_int_equal(gbx_note_verifier_parse(bad[i], strlen(bad[i]), &key, NULL), -EINVAL);
        assert_int_equal(gbx_note_signer_parse(GO_KEY, strlen(GO_KEY), &signer, NULL), -EINVAL);
        assert_int_equal(gbx_note_signer_parse("PRIVATE+KEY+", 12, &signer, NULL), -EINVAL);
        assert_int_equal(gbx_note_signer_parse(
                                 "PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
                                 strlen(GO_SECRET), &signer, NULL), -EINVAL);
}

static void malformed_notes_are_refused(void **state) {
        static const char *const bad[] = {
                "",
                "\n",
                "text\n",
                "text\n\n",
                GO_TEXT,
                GO_TEXT "\n",
                GO_TEXT GO_SIGNATURE,                          /* no empty line */
                GO_TEXT "\n" GO_SIGNATURE "\n",                /* empty line behind the signatures */
                GO_TEXT "\n- PeterNeumann x08go/ZJkuBS9UG/\n", /* another dash */
                GO_TEXT "\n— PeterNeumann\n",
                GO_TEXT "\n— PeterNeumann x08g\n",             /* three bytes */
                GO_TEXT "\n— PeterNeumann !!!!\n",
                GO_TEXT "\n—  x08go/ZJkuBS9UG/\n",
                GO_TEXT "\n— Peter+Neumann x08go/ZJkuBS9UG/\n",
                "bell\a\n\n" GO_SIGNATURE,
                "tab\t\n\n" GO_SIGNATURE,
                "bad utf-8 \xff\n\n" GO_SIGNATURE,
        };
        struct gbx_note note;

        (void)state;
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_int_equal(gbx_note_parse(bad[i], strlen(bad[i]), &note, NULL), -EINVAL);
}

static void unknown_signatures_are_ignored_and_wrong_ones_are_not(void **state) {
        struct gbx_note_verifier go = verifier(GO_KEY);
        static const char stranger[] = GO_TEXT "\n— PeterNeumann AAAAAAAAAAAA\n" GO_SIGNATURE;
        static const char wrong[] = GO_TEXT "\n— PeterNeumann x08gowAAAAAA\n" GO_SIGNATURE;
        gbx_auto(gbx_buffer_free) struct gbx_buffer many = {};
        struct gbx_note note;

        (void)state;
        assert_int_equal(check(stranger, &go), 0);
        assert_int_equal(check(wrong, &go), -EBADMSG);
        (void)gbx_buffer_append_text(&many, GO_NOTE, NULL);
        for (int i = 0; i < GBX_NOTE_SIGNATURES_MAX; i++)
                (void)gbx_buffer_append_text(&many, "— a AAAAAAAAAAAA\n", NULL);
        assert_int_equal(gbx_note_parse(gbx_buffer_text(&many), many.size, &note, NULL), -EINVAL);
}

/* The text of a note may hold empty lines: signatures stand behind the last one. */
static void a_note_splits_at_its_last_empty_line(void **state) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        static const char text[] = "one\n\n— two AAAAAAAA\n\nthree\n";

        (void)state;
        assert_int_equal(gbx_note_signer_generate("test", GBX_NOTE_ED25519, &signer, NULL), 0);
        assert_int_equal(gbx_note_sign(text, strlen(text), &signer, &message, NULL), 0);
        assert_int_equal(check(gbx_buffer_text(&message), &signer.verifier), 0);
}

static void cosignatures_carry_their_time(void **state) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer key = {}, witness = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        uint64_t time = 0;

        (void)state;
        assert_int_equal(gbx_note_signer_generate("witness.example", GBX_NOTE_ED25519, &key, NULL), 0);
        assert_int_equal(gbx_note_signer_as_cosigner(&key, &witness, NULL), 0);
        assert_int_not_equal(key.verifier.id, witness.verifier.id);
        (void)gbx_buffer_append_text(&message, GO_NOTE, NULL);
        assert_int_equal(gbx_note_sign_line(GO_TEXT, strlen(GO_TEXT), &witness, 1700000000, &message, NULL), 0);
        assert_int_equal(gbx_note_parse(gbx_buffer_text(&message), message.size, &note, NULL), 0);
        assert_int_equal(gbx_note_check(&note, &witness.verifier, &time, NULL), 0);
        assert_int_equal(time, 1700000000);
        assert_int_equal(gbx_note_check(&note, &key.verifier, NULL, NULL), GBX_NOTE_UNSIGNED);
        note.blobs.data[note.signatures[1].blob_at + 7] ^= 1; /* another time */
        assert_int_equal(gbx_note_check(&note, &witness.verifier, NULL, NULL), -EBADMSG);
}

static void checkpoints_are_read_strictly(void **state) {
        static const char good[] = "example.com/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n";
        static const char *const bad[] = {
                "",
                "example.com/log\n",
                "example.com/log\n7\n",
                "\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n",
                "example.com/log\n07\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n",
                "example.com/log\n-7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n",
                "example.com/log\n7 \nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n",
                "example.com/log\n99999999999999999999\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n",
                "example.com/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=",
                "example.com/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq=\n",
                "example.com/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n",
                "example.com/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\nextension\n\n",
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        struct gbx_checkpoint checkpoint = {};

        (void)state;
        assert_int_equal(gbx_checkpoint_parse(good, strlen(good), &checkpoint, NULL), 0);
        assert_int_equal(checkpoint.size, 7);
        assert_int_equal(checkpoint.root.bytes[0], 0xaa);
        assert_int_equal(gbx_checkpoint_format(&checkpoint, &text, NULL), 0);
        assert_string_equal(gbx_buffer_text(&text), good);
        for (size_t i = 0; i < gbx_array_size(bad); i++)
                assert_int_equal(gbx_checkpoint_parse(bad[i], strlen(bad[i]), &checkpoint, NULL), -EINVAL);
}

static void a_checkpoint_opens_for_its_key_and_origin_only(void **state) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {}, other = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        struct gbx_checkpoint checkpoint = { .origin = "example.com/log", .size = 1 }, opened;

        (void)state;
        assert_int_equal(gbx_note_signer_generate("example.com/log", GBX_NOTE_ED25519, &signer, NULL), 0);
        assert_int_equal(gbx_note_signer_generate("example.com/log", GBX_NOTE_ED25519, &other, NULL), 0);
        assert_int_equal(gbx_checkpoint_sign(&checkpoint, &signer, &message, NULL), 0);
        assert_int_equal(gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &signer.verifier, NULL, &opened, NULL), 0);
        assert_int_equal(opened.size, 1);
        assert_int_equal(gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &other.verifier, NULL, &opened, NULL), -EBADMSG);
        assert_int_equal(gbx_checkpoint_open(gbx_buffer_text(&message), message.size, &signer.verifier, "else", &opened, NULL), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(published_notes_verify),
                cmocka_unit_test(signing_gives_the_published_bytes),
                cmocka_unit_test(malformed_keys_are_refused),
                cmocka_unit_test(malformed_notes_are_refused),
                cmocka_unit_test(unknown_signatures_are_ignored_and_wrong_ones_are_not),
                cmocka_unit_test(a_note_splits_at_its_last_empty_line),
                cmocka_unit_test(cosignatures_carry_their_time),
                cmocka_unit_test(checkpoints_are_read_strictly),
                cmocka_unit_test(a_checkpoint_opens_for_its_key_and_origin_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
