#include "gateway/people/users.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"
#include "policy/sshsig.h"
#include "runtime/vault/age.h"

#include <string.h>

int gbx_user_by_key(struct gbx_site *site, const char *key_line, json_t **ret_row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        struct gbx_ssh_key wanted, key;
        size_t index;
        json_t *row;
        int r = gbx_ssh_key_parse(key_line, &wanted, err);

        if (r >= 0)
                r = gbx_fact_rows(site, &rows, err, "user", "1", NULL);
        if (r < 0)
                return r;
        json_array_foreach(rows, index, row)
                if (gbx_ssh_key_parse(gbx_json_text(row, "ssh_key"), &key, NULL) >= 0 &&
                    memcmp(key.ed25519, wanted.ed25519, sizeof key.ed25519) == 0) {
                        *ret_row = json_incref(row);
                        return 0;
                }
        return 1;
}

static int check_key(struct gbx_site *site, const char *name, const char *key_line, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_user_by_key(site, key_line, &row, err);

        if (r != 0 || strcmp(gbx_json_text(row, "name"), name) == 0)
                return r < 0 ? r : 0;
        return gbx_fail(err, -EKEYREJECTED, "this SSH key is that of '%s': one key, one person; '%s' needs a key of one's own",
                        gbx_json_text(row, "name"), name);
}

static int check_parts(const struct gbx_user_change *user, struct gbx_error *err) {
        struct gbx_age_recipient recipient;
        struct gbx_ssh_key key;
        unsigned roles;
        int r = user->roles ? gbx_roles_from_list(user->roles, &roles, err) : 0;

        if (r >= 0 && user->ssh_key)
                r = gbx_ssh_key_parse(user->ssh_key, &key, err);
        if (r >= 0 && user->age && *user->age)
                r = gbx_age_recipient_parse(user->age, &recipient, err);
        return r < 0 ? r : 0;
}

/* The entry holds the whole of what the user is from now on. */
static int record(struct gbx_transaction *transaction, const char *action, const char *name, const json_t *roles, const char *ssh_key,
                  const char *age, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details =
                json_pack("{s:O, s:s, s:s*}", "roles", roles, "ssh_key", ssh_key, "age", age && *age ? age : NULL);

        return details ? gbx_transaction_record(transaction, &(struct gbx_action){ action, name, "done", NULL, details }, NULL, err)
                       : gbx_fail_memory(err);
}

static int find_active(struct gbx_site *site, const char *name, json_t **ret_row, struct gbx_error *err) {
        int r = gbx_fact_one(site, ret_row, err, "user", "name=?1 AND state='active'", name, NULL);

        return r > 0 ? gbx_fail(err, -ENOENT, "there is no active user '%s' (gbx user ls)", name) : r;
}

/* Whether somebody else is an administrator: without one a site could only be administered through its directory. */
static int check_not_last(struct gbx_site *site, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        unsigned roles = 0, own = 0;
        bool other = false;
        size_t index;
        json_t *row;
        int r = gbx_fact_rows(site, &rows, err, "user", "state='active'", NULL);

        json_array_foreach(rows, index, row) {
                if (r >= 0)
                        r = gbx_user_roles(site, gbx_json_text(row, "name"), &roles, err);
                if (strcmp(gbx_json_text(row, "name"), name) == 0)
                        own = roles;
                else
                        other = other || (roles & GBX_ROLE_ADMIN);
        }
        if (r < 0)
                return r;
        return !(own & GBX_ROLE_ADMIN) || other
                       ? 0
                       : gbx_fail(err, -EKEYREJECTED, "'%s' is the last administrator; make somebody else one first (gbx user change)", name);
}

static bool stays_admin(const json_t *roles) {
        unsigned bits = 0;

        return !roles || (gbx_roles_from_list(roles, &bits, NULL) >= 0 && (bits & GBX_ROLE_ADMIN));
}

/* Roles, key and recipient as they are, but for what the change names. */
static int record_change(struct gbx_transaction *transaction, const char *name, const json_t *row, const struct gbx_user_change *change,
                         struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *roles =
                change->roles ? json_deep_copy(change->roles) : json_loads(gbx_json_text(row, "roles"), 0, NULL);
        struct gbx_site *site = gbx_transaction_site(transaction);
        int r = change->ssh_key ? check_key(site, name, change->ssh_key, err) : 0;

        if (r >= 0 && !stays_admin(change->roles))
                r = check_not_last(site, name, err);
        return r < 0 ? r
                     : record(transaction, "user.change", name, roles, change->ssh_key ? change->ssh_key : gbx_json_text(row, "ssh_key"),
                              change->age ? change->age : gbx_json_text(row, "age"), err);
}

static int record_new(struct gbx_transaction *transaction, const char *name, const struct gbx_user_change *user, struct gbx_error *err) {
        int r = user->roles && user->ssh_key
                        ? check_key(gbx_transaction_site(transaction), name, user->ssh_key, err)
                        : gbx_fail(err, -EINVAL, "'%s' is a new user, who needs roles and an SSH public key (--role, --ssh-key)", name);

        return r < 0 ? r : record(transaction, "user.add", name, user->roles, user->ssh_key, user->age, err);
}

int gbx_user_add(struct gbx_site *site, const struct gbx_caller *caller, const char *name, const struct gbx_user_change *user,
                 struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        bool known;
        int r;

        if (!gbx_name_valid(name) || strcmp(name, GBX_SYSTEM) == 0 || strcmp(name, GBX_OPERATOR) == 0)
                return gbx_fail(err, -EINVAL, "'%.80s' cannot be a user's name: use a-z, 0-9, '.', '_', '-', at most 64", name);
        r = check_parts(user, err);
        if (r >= 0)
                r = gbx_transaction_begin(&transaction, site, caller, "user add", err);
        if (r >= 0)
                r = gbx_fact_one(site, &row, err, "user", "name=?1 AND state='active'", name, NULL);
        known = r == 0;
        if (r >= 0)
                r = known ? record_change(transaction, name, row, user, err) : record_new(transaction, name, user, err);
        if (r >= 0)
                r = gbx_transaction_commit(&transaction, err);
        return r < 0 ? r : known ? GBX_USER_CHANGED : 0;
}

int gbx_user_remove(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_transaction_begin(&transaction, site, caller, "user remove", err);

        if (r >= 0)
                r = find_active(site, name, &row, err);
        if (r >= 0)
                r = check_not_last(site, name, err);
        if (r >= 0)
                r = gbx_transaction_record(transaction, &(struct gbx_action){ "user.remove", name, "done", NULL, NULL }, NULL, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}
