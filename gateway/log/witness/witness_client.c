#include "gateway/log/witness/witness_client.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/log/witness/http.h"
#include "gateway/log/writer/io.h"
#include "gateway/log/format/tree.h"
#include "gateway/log/witness/witness.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 3, STATE_LIMIT = 256 * 1024 };

static const char state_path[] = ".state/witnesses";

struct round {
        struct gbx_log *log;
        struct gbx_tree *tree;
        struct gbx_buffer message; /* the published checkpoint, which is submitted */
        struct gbx_note note;
        struct gbx_checkpoint checkpoint;
        struct gbx_buffer lines; /* cosignatures that came in */
        const struct gbx_policy_node *witnesses[GBX_POLICY_WITNESSES_MAX];
        struct gbx_witness_status *statuses;
        size_t count;
};


static void end_round(struct round *round) {
        gbx_tree_free(round->tree);
        gbx_note_free(&round->note);
        gbx_buffer_free(&round->message);
        gbx_buffer_free(&round->lines);
}

/* --- what is known from before -------------------------------------------- */

/* The state is a convenience: a witness says itself (409) how far it is. */
static void load_known(struct round *round) {
        gbx_auto(gbx_close_fd) int directory = gbx_log_directory(round->log);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *known = NULL;

        if (directory >= 0 && gbx_read_file(directory, state_path, STATE_LIMIT, &text, NULL) == 0)
                known = json_loadb(gbx_buffer_text(&text), text.size, 0, NULL);
        for (size_t i = 0; i < round->count; i++) {
                struct gbx_witness_status *status = &round->statuses[i];
                const json_t *entry = json_object_get(known, status->name);
                json_int_t size = json_integer_value(json_object_get(entry, "size"));
                json_int_t time = json_integer_value(json_object_get(entry, "time"));

                status->size = size > 0 ? (uint64_t)size : 0;
                status->time = time > 0 ? (uint64_t)time : 0;
        }
}

static int save_known(const struct round *round, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = gbx_log_directory(round->log);
        gbx_auto(gbx_json_freep) json_t *known = json_object();
        gbx_auto(gbx_free_pointer) char *text = NULL;

        if (directory < 0)
                return gbx_fail_errno(err, "cannot open the log's directory");
        for (size_t i = 0; i < round->count; i++) {
                const struct gbx_witness_status *status = &round->statuses[i];

                if (json_object_set_new(known, status->name, json_pack("{s:I, s:I}", "size", (json_int_t)status->size, "time",
                                                                       (json_int_t)status->time)) < 0)
                        return gbx_fail_memory(err);
        }
        text = json_dumps(known, JSON_INDENT(2) | JSON_SORT_KEYS);
        if (!text)
                return gbx_fail_memory(err);
        return gbx_log_put_file(directory, ".state/witnesses.new", state_path, text, strlen(text), 0600, GBX_LOG_REPLACE, err);
}

static int begin_round(struct round *round, const struct gbx_witness_policy *policy, struct gbx_error *err) {
        int r;

        for (size_t i = 0; i < policy->node_count && round->count < GBX_POLICY_WITNESSES_MAX; i++) {
                const struct gbx_policy_node *node = &policy->nodes[i];
                struct gbx_witness_status *status = &round->statuses[round->count];

                if (node->group)
                        continue;
                *status = (struct gbx_witness_status){};
                memcpy(status->name, node->name, sizeof status->name);
                round->witnesses[round->count++] = node;
        }
        r = gbx_log_message(round->log, &round->message, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&round->message), round->message.size, &round->note, err);
        if (r == 0)
                r = gbx_checkpoint_parse(round->note.text, round->note.text_size, &round->checkpoint, err);
        if (r == 0)
                r = gbx_log_open_tree(round->log, &round->tree, err);
        if (r < 0)
                return r;
        gbx_tree_set_size(round->tree, round->checkpoint.size);
        load_known(round);
        return 0;
}

/* Which cosignatures the published checkpoint has, and how far behind the others are. */
static void assess(struct round *round, const struct gbx_note *note) {
        for (size_t i = 0; i < round->count; i++) {
                struct gbx_witness_status *status = &round->statuses[i];
                uint64_t time = 0;

                status->cosigned = gbx_note_check(note, &round->witnesses[i]->verifier, &time, NULL) == 0;
                if (status->cosigned) {
                        status->size = round->checkpoint.size;
                        status->time = time;
                }
                status->behind = round->checkpoint.size > status->size ? round->checkpoint.size - status->size : 0;
        }
}

int gbx_witness_known(struct gbx_log *log, const struct gbx_witness_policy *policy,
                      struct gbx_witness_status *ret_statuses, size_t *ret_count, struct gbx_error *err) {
        struct round round = { .log = log, .statuses = ret_statuses };
        int r = begin_round(&round, policy, err);

        if (r == 0) {
                assess(&round, &round.note);
                *ret_count = round.count;
        }
        end_round(&round);
        return r;
}

/* --- asking --------------------------------------------------------------- */

struct question {
        size_t witness;
        char url[GBX_POLICY_URL_SIZE + 32];
        struct gbx_buffer body;
};

static int ask(struct round *round, size_t witness, struct question *question, struct gbx_http_post *post,
               struct gbx_error *err) {
        const struct gbx_policy_node *node = round->witnesses[witness];
        uint64_t old = round->statuses[witness].size;
        size_t length = strlen(node->url);
        struct gbx_merkle_proof proof;
        int r = gbx_merkle_prove_consistency(gbx_tree_hash, round->tree, old, round->checkpoint.size, &proof, err);

        if (r == 0)
                r = gbx_witness_request_format(old, &proof, &round->message, &question->body, err);
        if (r < 0)
                return r;
        while (length > 0 && node->url[length - 1] == '/')
                length--;
        (void)snprintf(question->url, sizeof question->url, "%.*s/add-checkpoint", (int)length, node->url);
        question->witness = witness;
        *post = (struct gbx_http_post){
                .url = question->url,
                .content_type = "text/plain; charset=utf-8",
                .body = question->body.data,
                .size = question->body.size,
        };
        return 0;
}

/* Takes the lines that this witness signed out of its answer, if they are good. */
static int take_cosignature(struct round *round, size_t witness, const struct gbx_buffer *answer, struct gbx_error *err) {
        const struct gbx_note_verifier *verifier = &round->witnesses[witness]->verifier;
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        uint64_t time;
        int r = gbx_buffer_append(&message, round->note.text, round->note.text_size, err);

        if (r == 0)
                r = gbx_buffer_append_byte(&message, '\n', err);
        if (r == 0)
                r = gbx_buffer_append(&message, answer->data, answer->size, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&message), message.size, &note, err);
        if (r == 0)
                r = gbx_note_check(&note, verifier, &time, err);
        if (r == GBX_NOTE_UNSIGNED)
                return gbx_fail(err, -EBADMSG, "the answer has no cosignature by the witness's key");
        for (size_t i = 0; r == 0 && i < note.count; i++) {
                const struct gbx_note_signature *signature = &note.signatures[i];

                if (signature->id != verifier->id || signature->name_size != strlen(verifier->name) ||
                    memcmp(signature->name, verifier->name, signature->name_size) != 0)
                        continue;
                r = gbx_buffer_append(&round->lines, signature->line, signature->line_size, err);
                break; /* the first one is the one that was checked */
        }
        if (r == 0) {
                round->statuses[witness].size = round->checkpoint.size;
                round->statuses[witness].time = time;
        }
        return r;
}

/* Returns whether the witness is to be asked again, from another size. */
static bool take_answer(struct round *round, size_t witness, const struct gbx_http_post *post) {
        struct gbx_witness_status *status = &round->statuses[witness];
        struct gbx_error err = {};
        char digits[32];
        uint64_t size;

        status->problem[0] = '\0';
        if (post->status == 0) {
                (void)snprintf(status->problem, sizeof status->problem, "%s", post->problem);
        } else if (post->status == 200) {
                if (take_cosignature(round, witness, &post->answer, &err) < 0)
                        (void)snprintf(status->problem, sizeof status->problem, "%.180s", err.message);
        } else if (post->status == 409 && strncmp(post->answer_type, "text/x.tlog.size", 16) == 0 && post->answer.size > 1 &&
                   post->answer.size < sizeof digits) {
                memcpy(digits, post->answer.data, post->answer.size);
                digits[post->answer.size - 1] = '\0'; /* the newline */
                if (gbx_parse_u64(digits, &size, NULL) < 0) {
                        (void)snprintf(status->problem, sizeof status->problem, "an answer that cannot be read");
                } else if (size > round->checkpoint.size) {
                        status->ahead = size - round->checkpoint.size;
                        (void)snprintf(status->problem, sizeof status->problem,
                                       "it has seen %llu entries, the log has %llu: an older copy of the log was put back",
                                       (unsigned long long)size, (unsigned long long)round->checkpoint.size);
                } else if (size != status->size) {
                        status->size = size;
                        return true;
                } else {
                        (void)snprintf(status->problem, sizeof status->problem, "it contradicts itself about the size");
                }
        } else {
                char text[96];

                gbx_text_printable(gbx_buffer_text(&post->answer), post->answer.size, text, sizeof text);
                (void)snprintf(status->problem, sizeof status->problem, "it answered %u: %s", post->status, text);
        }
        return false;
}

/* Asks the witnesses marked in `wanted` at the same time; leaves those marked that are to be asked again. */
static int ask_all(struct round *round, bool *wanted, unsigned timeout_ms, struct gbx_error *err) {
        struct gbx_http_post posts[GBX_POLICY_WITNESSES_MAX] = {};
        gbx_auto(gbx_free_pointer) struct question *questions = calloc(GBX_POLICY_WITNESSES_MAX, sizeof *questions);
        size_t count = 0;
        int r = 0;

        if (!questions)
                return gbx_fail_memory(err);
        for (size_t i = 0; r == 0 && i < round->count; i++)
                if (wanted[i]) {
                        r = ask(round, i, &questions[count], &posts[count], err);
                        count += r == 0;
                }
        if (r == 0 && count > 0)
                r = gbx_http_post_all(posts, count, timeout_ms, err);
        for (size_t i = 0; i < count; i++) {
                if (r == 0)
                        wanted[questions[i].witness] = take_answer(round, questions[i].witness, &posts[i]);
                gbx_buffer_free(&questions[i].body);
                gbx_buffer_free(&posts[i].answer);
        }
        return r;
}

static int submit(struct round *round, unsigned timeout_ms, struct gbx_error *err) {
        bool wanted[GBX_POLICY_WITNESSES_MAX] = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer message = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        int r = 0;

        for (size_t i = 0; i < round->count; i++) {
                wanted[i] = round->witnesses[i]->url[0] != '\0';
                if (!wanted[i])
                        (void)snprintf(round->statuses[i].problem, sizeof round->statuses[i].problem, "the policy gives no URL");
                if (round->statuses[i].size > round->checkpoint.size)
                        round->statuses[i].size = 0; /* it will say what it has seen */
        }
        for (unsigned k = 0; r == 0 && k < ROUNDS; k++)
                r = ask_all(round, wanted, timeout_ms, err);
        if (r == 0 && round->lines.size > 0)
                r = gbx_log_add_cosignatures(round->log, round->checkpoint.size, gbx_buffer_text(&round->lines), err);
        if (r == 0)
                r = save_known(round, err);
        if (r == 0)
                r = gbx_log_message(round->log, &message, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(&message), message.size, &note, err);
        if (r == 0)
                assess(round, &note);
        return r;
}

int gbx_witness_submit(struct gbx_log *log, const struct gbx_witness_policy *policy, unsigned timeout_ms,
                       struct gbx_witness_status *ret_statuses, size_t *ret_count, struct gbx_error *err) {
        struct round round = { .log = log, .statuses = ret_statuses };
        int r = begin_round(&round, policy, err);

        if (r == 0)
                r = submit(&round, timeout_ms, err);
        if (r == 0)
                *ret_count = round.count;
        end_round(&round);
        return r;
}
