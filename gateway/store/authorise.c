#include "gateway/store/authorise.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <string.h>

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

int gbx_principal_roles(struct gbx_site *site, const char *name, unsigned *ret_roles, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *list = NULL;
        int r;

        if (!name) {
                *ret_roles = GBX_ROLE_ADMIN | GBX_ROLE_OWNER;
                return 0;
        }
        r = gbx_view_query_one(site->view, &row, err, "SELECT roles FROM user WHERE name=?1 AND state='active'", name, NULL);
        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "there is no active user '%s' (gbx user ls shows them)", name);
        list = json_loads(json_string_value(json_object_get(row, "roles")), 0, NULL);
        return gbx_roles_from_list(list, ret_roles, err);
}

int gbx_authorise(struct gbx_site *site, const char *name, const char *action, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        struct gbx_error ignored = {};
        unsigned roles;
        int r = gbx_principal_roles(site, name, &roles, err);

        if (r >= 0)
                r = gbx_decide_action(roles, action, err);
        if (r != -EKEYREJECTED)
                return r;
        details = json_pack("{s:s}", "command", action);
        /* The refusal stands whether or not it can be written down. */
        (void)gbx_site_record(site, &(struct gbx_action){ gbx_actor(name), "access.denied", action, "denied", NULL, details },
                              NULL, &ignored);
        return name ? gbx_context(err, r, "'%s' may not do 'gbx %s'", name, action)
                    : gbx_context(err, r, "'gbx %s' needs --as NAME", action);
}
