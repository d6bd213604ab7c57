#include "gateway/cli/client.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/api/perform.h"
#include "gateway/cli/ssh_keygen.h"

#include <stdio.h>
#include <string.h>

enum { KEY_LIMIT = 16 * 1024 };

/* Whoever gives the public half here is told before ssh-keygen fails in its own words. */
static int check_key(const char *path, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = { .secret = true };
        int r = gbx_cli_read_file(path, KEY_LIMIT, &bytes, err);

        if (r < 0)
                return gbx_context(err, r, "--key");
        if (strncmp(gbx_buffer_text(&bytes), "ssh-", 4) == 0 || strncmp(gbx_buffer_text(&bytes), "sk-ssh-", 7) == 0) {
                /* a public key whose private half an agent has is ssh-keygen's business */
                if (!getenv("SSH_AUTH_SOCK"))
                        return gbx_fail(err, -EINVAL, "--key %s: that is a public key, which cannot sign; give the private one", path);
        }
        return 0;
}

/* Signs a text of the site with the key of --key. */
static int sign(struct gbx_invocation *invocation, const char *text, json_t **ret_signature, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer signature = {};
        const char *key = gbx_invocation_value(invocation, "key");
        int r = gbx_ssh_sign(key, text, strlen(text), &signature, err);

        if (r < 0)
                return r;
        *ret_signature = json_stringn(gbx_buffer_text(&signature), signature.size);
        return *ret_signature ? 0 : gbx_fail_memory(err);
}

/* Without --as, the key says who acts. */
static int become(struct gbx_invocation *invocation, struct gbx_error *err) {
        const char *key = gbx_invocation_value(invocation, "key");
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {};
        int r = key ? check_key(key, err) : 0;

        if (r < 0 || !key || invocation->as)
                return r;
        r = gbx_ssh_public_key(key, &line, err);
        if (r >= 0)
                r = gbx_session_become(&invocation->session, gbx_buffer_text(&line), err);
        return r < 0 ? gbx_context(err, r, "--key %s", key) : 0;
}

/* Without --as and --key, a statement that was signed elsewhere says who acts: the line "reviewer: NAME". */
static int become_signer(struct gbx_invocation *invocation, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        const char *line;
        char name[65];
        int r = gbx_cli_read_file(path, KEY_LIMIT, &text, err);

        line = r < 0 ? NULL : strstr(gbx_buffer_text(&text), "\nreviewer: ");
        if (!line)
                return r < 0 ? r : 0;
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 11, "\n"), line + 11);
        r = gbx_session_act_as(&invocation->session, name, err);
        return r < 0 ? gbx_context(err, r, "%s", path) : 0;
}

/* --- data add ------------------------------------------------------------------------ */

static int prepare(struct gbx_invocation *invocation, struct gbx_sink *sink, json_t **ret_prepared, struct gbx_error *err) {
        const struct gbx_operation *add = invocation->operation;
        gbx_auto(gbx_json_freep) json_t *request = NULL;
        int r;

        invocation->operation = gbx_operation_find("data", "prepare");
        r = gbx_invocation_check(invocation, err);
        if (r >= 0)
                r = gbx_invocation_request(invocation, invocation->operation, &request, err);
        if (r >= 0)
                r = gbx_api_perform(&invocation->session, invocation->operation, request, sink, ret_prepared, err);
        invocation->operation = add;
        return r;
}

/* What was prepared and cannot be signed is given up at once. */
static void discard(struct gbx_invocation *invocation, const json_t *prepared) {
        gbx_auto(gbx_json_freep) json_t *request = json_pack("{s:O}", "intake", json_object_get(prepared, "intake")), *answer = NULL;

        (void)gbx_api_perform(&invocation->session, gbx_operation_find("data", "discard"), request, NULL, &answer, NULL);
}

static int add_data(struct gbx_invocation *invocation, struct gbx_sink *sink, json_t **ret_answer, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *prepared = NULL, *request = NULL, *signature = NULL;
        const char *key = gbx_invocation_value(invocation, "key");
        int r = key ? check_key(key, err) : 0;

        if (gbx_invocation_value(invocation, "intake")) { /* prepared before, and signed elsewhere */
                r = gbx_invocation_request(invocation, invocation->operation, &request, err);
                return r < 0 ? r : gbx_api_perform(&invocation->session, invocation->operation, request, sink, ret_answer, err);
        }
        if (r >= 0)
                r = prepare(invocation, sink, &prepared, err);
        if (r >= 0 && key) {
                r = sign(invocation, gbx_json_text(prepared, "manifest"), &signature, err);
                if (r < 0)
                        discard(invocation, prepared);
        }
        if (r < 0)
                return r;
        request = json_pack("{s:O, s:O*}", "intake", json_object_get(prepared, "intake"), "signature", signature);
        return gbx_api_perform(&invocation->session, invocation->operation, request, sink, ret_answer, err);
}

/* --- review ----------------------------------------------------------------------------- */

static int make_statement(struct gbx_invocation *invocation, struct gbx_sink *sink, struct gbx_error *err) {
        int r = become(invocation, err);

        (void)sink;
        if (r >= 0 && !invocation->as && !gbx_invocation_value(invocation, "key"))
                r = gbx_fail(err, -EINVAL, "who reviews? Name the reviewer with --as NAME or sign with --key FILE");
        return r;
}

static int review_statement(struct gbx_invocation *invocation, struct gbx_sink *sink, json_t **ret_answer, struct gbx_error *err) {
        int r = make_statement(invocation, sink, err);

        (void)ret_answer;
        return r < 0 ? r : GBX_CLIENT_PASS;
}

/* Asks for the statement, signs it, and hands both in; what was signed elsewhere is handed in as it is. */
static int sign_and_hand_in(struct gbx_invocation *invocation, struct gbx_sink *sink, bool reject, json_t **ret_answer,
                            struct gbx_error *err) {
        const struct gbx_operation *statement = gbx_operation_find("review", "statement");
        gbx_auto(gbx_json_freep) json_t *question = NULL, *made = NULL, *request = NULL, *signature = NULL;
        int r = gbx_invocation_check(invocation, err);

        if (r >= 0)
                r = become(invocation, err);
        if (r >= 0 && !invocation->as && !gbx_invocation_value(invocation, "key") && gbx_invocation_value(invocation, "statement"))
                r = become_signer(invocation, gbx_invocation_value(invocation, "statement"), err);
        if (r < 0 || !gbx_invocation_value(invocation, "key") || gbx_invocation_value(invocation, "statement"))
                return r < 0 ? r : GBX_CLIENT_PASS;
        r = gbx_invocation_request(invocation, statement, &question, err);
        if (r >= 0 && reject)
                (void)json_object_set_new(question, "reject", json_true());
        if (r >= 0)
                r = gbx_api_perform(&invocation->session, statement, question, sink, &made, err);
        if (r >= 0)
                r = sign(invocation, gbx_json_text(made, "statement"), &signature, err);
        if (r >= 0)
                r = gbx_invocation_request(invocation, invocation->operation, &request, err);
        if (r < 0)
                return r;
        (void)json_object_set(request, "statement", json_object_get(made, "statement"));
        (void)json_object_set(request, "signature", signature);
        return gbx_api_perform(&invocation->session, invocation->operation, request, sink, ret_answer, err);
}

static int approve(struct gbx_invocation *invocation, struct gbx_sink *sink, json_t **ret_answer, struct gbx_error *err) {
        return sign_and_hand_in(invocation, sink, false, ret_answer, err);
}

/* Of an algorithm there is nothing to sign. */
static int reject(struct gbx_invocation *invocation, struct gbx_sink *sink, json_t **ret_answer, struct gbx_error *err) {
        const char *what = gbx_invocation_value(invocation, "what");
        int r;

        if (what && strncmp(what, "run-", 4) == 0)
                return sign_and_hand_in(invocation, sink, true, ret_answer, err);
        r = become(invocation, err);
        return r < 0 ? r : GBX_CLIENT_PASS;
}

static const struct gbx_client clients[] = {
        { "data", "add", add_data },
        { "review", "statement", review_statement },
        { "review", "approve", approve },
        { "review", "reject", reject },
        {},
};

const struct gbx_client *gbx_client_find(const struct gbx_operation *operation) {
        for (const struct gbx_client *c = clients; c->noun; c++)
                if (strcmp(c->noun, operation->noun) == 0 && operation->verb && strcmp(c->verb, operation->verb) == 0)
                        return c;
        return NULL;
}
