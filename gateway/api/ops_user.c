/* user add | ls | remove */
#include "gateway/api/ops.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/people/users.h"
#include "gateway/store/authorise.h"
#include "gateway/store/view.h"
#include "policy/sshsig.h"

#include <string.h>

/* The key line of an OpenSSH .pub file, without its newline. */
static int read_key(const struct gbx_session *session, const json_t *request, struct gbx_buffer *line, struct gbx_error *err) {
        const char *text = gbx_json_text(request, "ssh-key"), *label = gbx_session_label(session, "ssh-key");
        struct gbx_ssh_key key;
        int r;

        if (!text)
                return 0;
        if (strstr(text, "PRIVATE KEY-----"))
                return gbx_fail(err, -EINVAL, "%s: that is a private key, which stays with its owner; give the public one (FILE.pub)",
                                label);
        r = gbx_buffer_append(line, text, strcspn(text, "\r\n"), err);
        if (r >= 0 && strspn(text + line->size, "\r\n") != strlen(text + line->size))
                r = gbx_fail(err, -EINVAL, "%s: expected one line, a public key", label);
        if (r >= 0)
                r = gbx_ssh_key_parse(gbx_buffer_text(line), &key, err);
        return r < 0 ? gbx_context(err, r, "%s", label) : 0;
}

static int perform_add(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                       struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {};
        struct gbx_user_change user = { .age = gbx_json_text(request, "age"), .roles = json_object_get(request, "role") };
        unsigned bits;
        int r = user.roles ? gbx_roles_from_list(user.roles, &bits, err) : 0;

        (void)sink;
        if (r >= 0)
                r = read_key(session, request, &line, err);
        if (r < 0)
                return r;
        user.ssh_key = line.size ? gbx_buffer_text(&line) : NULL;
        r = gbx_user_add(session->site, session->caller, gbx_json_text(request, "name"), &user, err);
        if (r < 0)
                return r;
        *ret_answer = json_pack("{s:s, s:b}", "name", gbx_json_text(request, "name"), "changed", r == GBX_USER_CHANGED);
        return 0;
}

static int perform_ls(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                      struct gbx_error *err) {
        (void)request, (void)sink;
        return gbx_view_query(session->site->view, ret_answer, err, "SELECT * FROM user ORDER BY seq", NULL);
}

static int perform_remove(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, json_t **ret_answer,
                          struct gbx_error *err) {
        const char *name = gbx_json_text(request, "name");
        int r = gbx_user_remove(session->site, session->caller, name, err);

        (void)sink;
        if (r >= 0)
                *ret_answer = json_pack("{s:s}", "name", name);
        return r;
}

static const struct gbx_column columns[] = {
        { "name", "NAME", GBX_COLUMN_TEXT, 0 },
        { "roles", "ROLES", GBX_COLUMN_LIST, 0 },
        { "state", "STATE", GBX_COLUMN_TEXT, 0 },
        { "age", "RECIPIENT", GBX_COLUMN_TEXT, 0 },
        { "ssh_key", NULL, GBX_COLUMN_TEXT, 0 },
        {},
};

static const struct gbx_column changed[] = { { "name", NULL, GBX_COLUMN_TEXT, 0 }, { "changed", NULL, GBX_COLUMN_BOOLEAN, 0 }, {} };

const struct gbx_operation gbx_operations_user[] = {
        { GBX_OPERATION("user", "add", "user add", GBX_WRITE, perform_add),
          .summary = "add a principal, or change its roles and keys",
          .details = "The SSH key signs approvals and dataset manifests; only the public half is needed. The age\n"
                     "recipient is where releases are encrypted to; analysts need one. Of a user who is there already\n"
                     "only what is named changes.",
          .fields = (const struct gbx_field[]){
                  { .name = "name", .type = GBX_FIELD_NAME, .value = "NAME", .required = true, .positional = true },
                  { .name = "role", .value = "ROLE", .help = "analyst, reviewer, admin, auditor or owner", .repeated = true,
                    .type = GBX_FIELD_NAME },
                  { .name = "ssh-key", .type = GBX_FIELD_DOCUMENT, .value = "FILE", .help = "OpenSSH public key (Ed25519)" },
                  { .name = "age", .value = "RECIPIENT", .help = "age1… (see age-keygen)" },
                  {} },
          .records = "user.add user.change",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE, .when = "!changed", .text = "Added user '{name}'." },
                  { .kind = GBX_PART_NOTE, .when = "changed", .text = "Changed user '{name}'." },
                  { .kind = GBX_PART_FIELDS, .columns = changed },
                  {} } },
        { GBX_OPERATION("user", "ls", "user ls", GBX_READ, perform_ls),
          .summary = "list the users (without the role admin or auditor: yourself)",
          .own = "name",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_ROWS, .columns = columns, .text = "no users yet; add one with: gbx user add" }, {} } },
        { GBX_OPERATION("user", "remove", "user remove", GBX_WRITE, perform_remove),
          .summary = "remove a principal; its approvals no longer count",
          .fields = (const struct gbx_field[]){
                  { .name = "name", .type = GBX_FIELD_NAME, .value = "NAME", .required = true, .positional = true }, {} },
          .records = "user.remove",
          .answer = (const struct gbx_part[]){
                  { .kind = GBX_PART_NOTE, .text = "Removed user '{name}'. Approvals made with this user's key no longer count." },
                  { .kind = GBX_PART_FIELDS, .columns = (const struct gbx_column[]){ { "name", NULL, GBX_COLUMN_TEXT, 0 }, {} } },
                  {} } },
        {},
};
