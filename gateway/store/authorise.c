#include "gateway/store/authorise.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"

int gbx_roles_from_list(const json_t *list, unsigned *ret_roles, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        size_t index;
        json_t *role;

        json_array_foreach(list, index, role) {
                int r = gbx_buffer_printf(&text, err, "%s%s", index ? "," : "", json_string_value(role));

                if (r < 0)
                        return r;
        }
        return gbx_roles_parse(gbx_buffer_text(&text), ret_roles, err);
}

json_t *gbx_roles_column_text(const char *list) {
        gbx_auto(gbx_json_freep) json_t *roles = list ? json_loads(list, 0, NULL) : NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        size_t index;
        json_t *role;

        json_array_foreach(roles, index, role)
                if (gbx_buffer_printf(&text, NULL, "%s%s", index ? "," : "", json_string_value(role)) < 0)
                        return NULL;
        return json_string(gbx_buffer_text(&text));
}

int gbx_user_roles(struct gbx_site *site, const char *name, unsigned *ret_roles, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *list = NULL;
        int r = gbx_fact_one(site, &row, err, "user", "name=?1 AND state='active'", name, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "there is no active user '%s' (gbx user ls shows them)", name);
        list = json_loads(gbx_json_text(row, "roles"), 0, NULL);
        return gbx_roles_from_list(list, ret_roles, err);
}

int gbx_caller_roles(struct gbx_site *site, const struct gbx_caller *caller, unsigned *ret_roles, struct gbx_error *err) {
        if (gbx_caller_is_operator(caller)) {
                *ret_roles = GBX_ROLE_ADMIN | GBX_ROLE_OWNER;
                return 0;
        }
        return gbx_user_roles(site, gbx_caller_name(caller), ret_roles, err);
}

int gbx_authorise(struct gbx_site *site, const struct gbx_caller *caller, const char *action, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_caller_roles(site, caller, &roles, err);

        if (r >= 0)
                r = gbx_decide_action(roles, action, err);
        if (r != -EKEYREJECTED)
                return r;
        return gbx_caller_is_operator(caller) ? gbx_context(err, r, "'gbx %s' needs --as NAME", action)
                                              : gbx_context(err, r, "'%s' may not do 'gbx %s'", gbx_caller_name(caller), action);
}

int gbx_authorise_read(struct gbx_site *site, const struct gbx_caller *caller, const char *action, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        struct gbx_error ignored = {};
        int r = gbx_authorise(site, caller, action, err);

        if (r == -EKEYREJECTED) /* asked again under the lock, which writes the refusal down */
                (void)gbx_transaction_begin(&transaction, site, caller, action, &ignored);
        return r;
}
