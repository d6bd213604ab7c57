/* gateway/log: a witness's answers, its memory, and witness policies */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/log/witness/confine.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/format/tree.h"
#include "gateway/log/verify/verify.h"
#include "gateway/log/witness/witness.h"
#include "tests/unit/log_fixture.h"

#include <sys/wait.h>

enum { NOW = 1700000000 };

/* A log with a signed checkpoint at each of these sizes, and a witness that trusts it. */
struct scene {
        struct fixture *f;
        struct gbx_log *log;
        struct gbx_tree *tree;
        struct gbx_note_signer witness_key;
        struct gbx_witness *witness;
        char state[96];
        struct gbx_buffer message[400]; /* [size]: the checkpoint over that many entries, where it was kept */
};

static struct scene scene;

static void keep_checkpoint(uint64_t size) {
        assert_int_equal(fixture_fill(scene.log, gbx_log_size(scene.log), size), 0);
        assert_int_equal(gbx_log_checkpoint(scene.log, NULL, NULL), 0);
        assert_int_equal(gbx_log_message(scene.log, &scene.message[size], NULL), 0);
}

static void open_witness(void) {
        assert_int_equal(gbx_witness_open(&scene.witness, AT_FDCWD, scene.state, &scene.witness_key, NULL), 0);
        assert_int_equal(gbx_witness_trust(scene.witness, gbx_log_verifier(scene.log), NULL), 0);
}

static int setup(void **state) {
        if (fixture_setup(state) < 0)
                return -1;
        scene = (struct scene){ .f = *state };
        scene.log = fixture_create(scene.f);
        (void)snprintf(scene.state, sizeof scene.state, "%s/witness", scene.f->directory);
        if (!scene.log || gbx_note_signer_generate("witness.example/w", GBX_NOTE_ED25519, &scene.witness_key, NULL) < 0)
                return -1;
        keep_checkpoint(0);
        keep_checkpoint(5);
        keep_checkpoint(8);
        keep_checkpoint(300);
        if (gbx_log_open_tree(scene.log, &scene.tree, NULL) < 0)
                return -1;
        open_witness();
        return 0;
}

static int teardown(void **state) {
        for (size_t i = 0; i < gbx_array_size(scene.message); i++)
                gbx_buffer_free(&scene.message[i]);
        gbx_tree_free(scene.tree);
        gbx_log_free(scene.log);
        gbx_witness_free(scene.witness);
        return fixture_teardown(state);
}

/* Sends the request and returns the status; the body stays in `body`. */
static struct gbx_buffer body;

static unsigned send_text(const char *text, size_t size) {
        struct gbx_witness_answer answer = {};
        struct gbx_error err = {};

        if (gbx_witness_add_checkpoint(scene.witness, text, size, NOW, &answer, &err) < 0)
                fail_msg("%s", err.message);
        gbx_buffer_free(&body);
        body = answer.body;
        if (answer.status == 409)
                assert_string_equal(answer.content_type, "text/x.tlog.size");
        return answer.status;
}

static void make_request(uint64_t old, uint64_t proof_from, uint64_t proof_to, const struct gbx_buffer *message,
                         struct gbx_buffer *ret) {
        struct gbx_merkle_proof proof = {};

        if (proof_from != proof_to)
                assert_int_equal(gbx_merkle_prove_consistency(gbx_tree_hash, scene.tree, proof_from, proof_to, &proof, NULL), 0);
        assert_int_equal(gbx_witness_request_format(old, &proof, message, ret, NULL), 0);
}

/* old -> the kept checkpoint over `size` entries, with the proof that belongs to it */
static unsigned submit(uint64_t old, uint64_t size) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer request = {};

        make_request(old, old > size ? size : old, size, &scene.message[size], &request);
        return send_text(gbx_buffer_text(&request), request.size);
}

/* Signs a checkpoint of this log with any content. */
static void sign(uint64_t size, const struct gbx_hash *root, const char *origin, const struct gbx_note_signer *signer,
                 struct gbx_buffer *ret) {
        struct gbx_checkpoint checkpoint = { .size = size, .root = *root };

        (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s", origin);
        assert_int_equal(gbx_checkpoint_sign(&checkpoint, signer, ret, NULL), 0);
}

static void growth_is_cosigned(void **state) {
        static const uint64_t sizes[] = { 0, 5, 8, 300 };
        gbx_auto(gbx_buffer_free) struct gbx_buffer cosigned = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        uint64_t time = 0;

        (void)state;
        assert_int_equal(submit(0, 0), 200); /* an empty log, too */
        for (size_t i = 1; i < gbx_array_size(sizes); i++)
                assert_int_equal(submit(sizes[i - 1], sizes[i]), 200);
        assert_int_equal(submit(300, 300), 200); /* the same again: a fresh time */
        assert_int_equal(gbx_buffer_append(&cosigned, scene.message[300].data, scene.message[300].size, NULL), 0);
        assert_int_equal(gbx_buffer_append(&cosigned, body.data, body.size, NULL), 0);
        assert_int_equal(gbx_note_parse(gbx_buffer_text(&cosigned), cosigned.size, &note, NULL), 0);
        assert_int_equal(gbx_note_check(&note, gbx_witness_verifier(scene.witness), &time, NULL), 0);
        assert_int_equal(time, NOW);
}

static void each_refusal_has_its_status(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer request = {}, other = {}, fork = {}, stranger = {}, zero = {};
        struct gbx_note_signer key;
        struct gbx_hash root = { { 1 } };

        (void)state;
        assert_int_equal(submit(0, 5), 200);
        assert_int_equal(submit(0, 8), 409); /* not what is recorded */
        assert_string_equal(gbx_buffer_text(&body), "5\n");
        assert_int_equal(submit(8, 300), 409);
        assert_string_equal(gbx_buffer_text(&body), "5\n");
        assert_int_equal(submit(8, 5), 400); /* old above new */
        make_request(5, 0, 0, &scene.message[8], &request); /* no proof */
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 422);
        gbx_buffer_clear(&request);
        make_request(5, 5, 300, &scene.message[8], &request); /* another proof */
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 422);

        assert_int_equal(gbx_note_signer_generate("other.example/log", GBX_NOTE_ED25519, &key, NULL), 0);
        sign(9, &root, "other.example/log", &key, &other);
        gbx_buffer_clear(&request);
        make_request(0, 0, 0, &other, &request);
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 404); /* unknown origin */
        assert_int_equal(gbx_note_signer_generate("test.example/log", GBX_NOTE_ED25519, &key, NULL), 0);
        sign(9, &root, "test.example/log", &key, &stranger);
        gbx_buffer_clear(&request);
        make_request(5, 0, 0, &stranger, &request);
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 403); /* a stranger's key */

        sign(5, &root, "test.example/log", &scene.f->signer, &fork);
        gbx_buffer_clear(&request);
        make_request(5, 0, 0, &fork, &request);
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 422); /* another root of the same size */
        sign(9, &root, "test.example/log", &scene.f->signer, &zero);
        gbx_buffer_clear(&request);
        make_request(5, 5, 8, &zero, &request);
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 422); /* a fork, well signed */
        assert_int_equal(submit(5, 8), 200);                                       /* nothing of this was recorded */
}

static void proofs_from_nothing_must_be_empty(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer request = {}, empty = {};
        struct gbx_hash root = { { 1 } };

        (void)state;
        make_request(0, 5, 8, &scene.message[8], &request);
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 422);
        sign(0, &root, "test.example/log", &scene.f->signer, &empty);
        gbx_buffer_clear(&request);
        make_request(0, 0, 0, &empty, &request);
        assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 422);
}

static void malformed_requests_are_refused(void **state) {
        static const char *const heads[] = {
                "", "old\n\n", "old 05\n\n", "old -5\n\n", "old 5 \n\n", "Old 5\n\n", "old 5\n", "old 5\nAAAA\n\n", "old 5\n!\n\n",
                "old 99999999999999999999999\n\n",
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer many = {};

        (void)state;
        for (size_t i = 0; i < gbx_array_size(heads); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer request = {};

                (void)gbx_buffer_append_text(&request, heads[i], NULL);
                (void)gbx_buffer_append(&request, scene.message[8].data, scene.message[8].size, NULL);
                assert_int_equal(send_text(gbx_buffer_text(&request), request.size), 400);
        }
        (void)gbx_buffer_append_text(&many, "old 0\n", NULL);
        for (int i = 0; i < 64; i++)
                (void)gbx_buffer_append_text(&many, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", NULL);
        (void)gbx_buffer_append_text(&many, "\n", NULL);
        (void)gbx_buffer_append(&many, scene.message[8].data, scene.message[8].size, NULL);
        assert_int_equal(send_text(gbx_buffer_text(&many), many.size), 400);
}

static void the_record_outlives_the_process(void **state) {
        struct gbx_witness *second = NULL;

        (void)state;
        assert_int_equal(submit(0, 8), 200);
        assert_int_equal(gbx_witness_open(&second, AT_FDCWD, scene.state, &scene.witness_key, NULL), -EBUSY);
        gbx_witness_free(scene.witness);
        open_witness();
        assert_int_equal(submit(0, 5), 409);
        assert_string_equal(gbx_buffer_text(&body), "8\n");
        assert_int_equal(submit(8, 300), 200);
}

static int failing_fsync(int fd) {
        (void)fd;
        errno = EIO;
        return -1;
}

/* What is not on disk is not cosigned. */
static void a_failing_disk_gives_no_cosignature(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer request = {};
        struct gbx_log_io saved = gbx_log_io;
        struct gbx_witness_answer answer = {};
        int r;

        (void)state;
        make_request(0, 0, 0, &scene.message[8], &request);
        gbx_log_io.fsync = failing_fsync;
        r = gbx_witness_add_checkpoint(scene.witness, request.data, request.size, NOW, &answer, NULL);
        gbx_log_io = saved;
        assert_int_equal(r, -EIO);
        assert_int_equal(answer.body.size, 0);
        assert_int_equal(submit(0, 5), 200);
}

/* A record that somebody altered stops the witness. */
static void a_damaged_record_is_not_believed(void **state) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer request = {};
        struct gbx_witness_answer answer = {};
        char command[256];

        (void)state;
        assert_int_equal(submit(0, 8), 200);
        (void)snprintf(command, sizeof command, "cd %s && for f in ????????????*; do sed -i '2s/8/5/' $f; done", scene.state);
        assert_int_equal(system(command), 0);
        make_request(5, 5, 8, &scene.message[8], &request);
        assert_int_equal(gbx_witness_add_checkpoint(scene.witness, request.data, request.size, NOW, &answer, NULL), -EBADMSG);
}

/* In a child: once confined, the state can be written and nothing else can be read. 77: the kernel has no Landlock. */
static int try_cage(void) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer request = {};
        struct gbx_witness_answer answer = {};

        make_request(0, 0, 0, &scene.message[8], &request);
        if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0) /* the control */
                return 1;
        switch (gbx_witness_confine(scene.state, NULL)) {
        case 0:
                break;
        case 1:
                return 77;
        default:
                return 2;
        }
        if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || open(scene.f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0)
                return 3;
        if (execl("/bin/true", "true", NULL) == 0)
                return 4;
        if (gbx_witness_add_checkpoint(scene.witness, request.data, request.size, NOW, &answer, NULL) < 0 || answer.status != 200)
                return 5;
        gbx_buffer_free(&answer.body);
        return 0;
}

static void a_confined_witness_reaches_its_state_only(void **state) {
        int status = 0;
        pid_t child = fork();

        (void)state;
        if (child == 0)
                _exit(try_cage());
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(status, 0);
}

/* --- policies ------------------------------------------------------------- */

static struct gbx_note_signer keys[5];

/* $0 to $4 stand for the witnesses' keys, $L for the log's. */
static void expand(const char *text, struct gbx_buffer *ret) {
        for (; *text; text++) {
                if (*text != '$') {
                        assert_int_equal(gbx_buffer_append_byte(ret, (uint8_t)*text, NULL), 0);
                        continue;
                }
                text++;
                assert_int_equal(gbx_note_verifier_format(*text == 'L' ? gbx_log_verifier(scene.log) : &keys[*text - '0'].verifier,
                                                          ret, NULL), 0);
        }
}

static void make_keys(void) {
        for (size_t i = 0; i < gbx_array_size(keys); i++) {
                char name[16];

                (void)snprintf(name, sizeof name, "w%zu", i);
                assert_int_equal(gbx_note_signer_generate(name, GBX_NOTE_COSIGNATURE, &keys[i], NULL), 0);
        }
}

static void a_quorum_counts_groups_and_witnesses(void **state) {
        static const char text[] = "# two levels\nlog $L http://log.example/\n"
                                   "witness X1 $0\nwitness X2 $1 http://x2.example/\n\twitness X3 $2\n"
                                   "group X 2 X1 X2 X3\nwitness Y1 $3\nwitness Y2 $4\ngroup Y any Y1 Y2\n"
                                   "group all-of-them all X Y\nquorum all-of-them\n";
        static const struct {
                unsigned signers; /* bits */
                int outcome;
        } cases[] = { { 0, 1 }, { 7, 1 }, { 24, 1 }, { 8 + 1, 1 }, { 8 + 1 + 2, 0 }, { 16 + 2 + 4, 0 }, { 31, 0 } };
        gbx_auto(gbx_buffer_free) struct gbx_buffer policy_text = {};
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = calloc(1, sizeof *policy);

        (void)state;
        make_keys();
        expand(text, &policy_text);
        assert_int_equal(gbx_witness_policy_parse(gbx_buffer_text(&policy_text), policy_text.size, policy, NULL), 0);
        assert_string_equal(policy->nodes[1].url, "http://x2.example/");
        for (size_t i = 0; i < gbx_array_size(cases); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
                gbx_auto(gbx_note_free) struct gbx_note note = {};
                struct gbx_witness_count count;
                size_t size;

                assert_int_equal(gbx_buffer_append(&message, scene.message[8].data, scene.message[8].size, NULL), 0);
                size = (size_t)(strstr(gbx_buffer_text(&message), "\n\n") + 1 - gbx_buffer_text(&message));
                for (unsigned k = 0; k < 5; k++)
                        if (cases[i].signers & 1u << k)
                                assert_int_equal(gbx_note_sign_line(gbx_buffer_text(&scene.message[8]), size, &keys[k], NOW + k,
                                                                    &message, NULL), 0);
                assert_int_equal(gbx_note_parse(gbx_buffer_text(&message), message.size, &note, NULL), 0);
                assert_int_equal(gbx_witness_policy_check(policy, &note, &count, NULL), cases[i].outcome);
                assert_int_equal(count.cosigned, __builtin_popcount(cases[i].signers));
        }
}

static void malformed_policies_are_refused(void **state) {
        static const char *const bad[] = {
                "",
                "log $L\n",
                "quorum none\nquorum none\n",
                "quorum nobody\n",
                "witness none $0\nquorum none\n",
                "witness a $0\nwitness a $1\nquorum a\n",
                "witness a $0\nwitness b $0\nquorum a\n",
                "witness a $L\nquorum a\n",
                "log $0\nquorum none\n",
                "log $L\nlog $L\nquorum none\n",
                "group g any a\nwitness a $0\nquorum g\n",
                "witness a $0\ngroup g 2 a\nquorum g\n",
                "witness a $0\ngroup g 0 a\nquorum g\n",
                "witness a $0\ngroup g 01 a\nquorum g\n",
                "witness a $0\ngroup g any a a\nquorum g\n",
                "witness a $0\ngroup g any a\ngroup h any a\nquorum h\n",
                "witness a $0\ngroup g any none\nquorum g\n",
                "witness a $0\ngroup g any\nquorum g\n",
                "witness a\nquorum none\n",
                "quorum none\r\n",
                "colour red\nquorum none\n",
        };
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = calloc(1, sizeof *policy);

        (void)state;
        make_keys();
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

                expand(bad[i], &text);
                if (gbx_witness_policy_parse(gbx_buffer_text(&text), text.size, policy, NULL) != -EINVAL)
                        fail_msg("accepted: %s", bad[i]);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(growth_is_cosigned),
                TEST(each_refusal_has_its_status),
                TEST(proofs_from_nothing_must_be_empty),
                TEST(malformed_requests_are_refused),
                TEST(the_record_outlives_the_process),
                TEST(a_failing_disk_gives_no_cosignature),
                TEST(a_damaged_record_is_not_believed),
                TEST(a_confined_witness_reaches_its_state_only),
                TEST(a_quorum_counts_groups_and_witnesses),
                TEST(malformed_policies_are_refused),
        };
        int failures = cmocka_run_group_tests(tests, NULL, NULL);

        gbx_buffer_free(&body);
        return failures;
}
