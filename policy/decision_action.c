/* Who may do what: one table. */
#include "policy/decision.h"

#include "base/cleanup.h"

#include <string.h>

enum {
        ANALYST = GBX_ROLE_ANALYST,
        REVIEWER = GBX_ROLE_REVIEWER,
        ADMIN = GBX_ROLE_ADMIN,
        AUDITOR = GBX_ROLE_AUDITOR,
        OWNER = GBX_ROLE_OWNER,
        EVERY = ANALYST | REVIEWER | ADMIN | AUDITOR | OWNER,
};

static const struct {
        const char *name;
        unsigned role;
} role_names[] = {
        { "analyst", ANALYST }, { "reviewer", REVIEWER }, { "admin", ADMIN }, { "auditor", AUDITOR }, { "owner", OWNER },
};

/* Every command, and who may give it: `all` whatever it concerns, `own` as far as it concerns themselves. Without `all`
 * and `own` it needs no site, or tells of one what everybody may know: nobody is asked. */
static const struct rule {
        const char *action;
        unsigned all, own;
        bool open;
} rules[] = {
        { "init", .open = true },  /* no site yet */
        { "keys", .open = true },  /* recipients and public keys: to be known by all */
        { "status", .all = ADMIN | AUDITOR, .own = ANALYST | REVIEWER | OWNER },
        { "heartbeat", .all = ADMIN | AUDITOR },
        { "user add", .all = ADMIN },
        { "user change", .all = ADMIN },
        { "user remove", .all = ADMIN },
        { "user rotate", .all = ADMIN },
        { "user ls", .all = ADMIN | AUDITOR, .own = ANALYST | REVIEWER | OWNER },
        { "policy check", .open = true },
        { "policy apply", .all = ADMIN },
        { "policy withdraw", .all = ADMIN },
        { "policy ls", .all = EVERY },
        { "policy show", .all = EVERY },
        { "policy explain", .all = ANALYST | REVIEWER | ADMIN },
        { "data add", .own = OWNER },
        { "data prepare", .own = OWNER },
        { "data use", .own = OWNER },
        { "data transfer-statement", .own = OWNER },
        { "data transfer", .own = OWNER },
        { "data revoke", .all = ADMIN, .own = OWNER },
        { "data destroy", .all = ADMIN, .own = OWNER },
        { "data ls", .all = ADMIN | AUDITOR, .own = ANALYST | REVIEWER | OWNER },
        { "data show", .all = ADMIN | AUDITOR, .own = ANALYST | REVIEWER | OWNER },
        { "data usage", .all = ADMIN | AUDITOR, .own = OWNER },
        { "algo submit", .all = ANALYST },
        { "algo try", .all = ANALYST },
        { "algo ls", .all = REVIEWER | ADMIN | AUDITOR, .own = ANALYST },
        { "algo show", .all = REVIEWER | ADMIN | AUDITOR, .own = ANALYST },
        { "review ls", .all = REVIEWER },
        { "review statement", .all = REVIEWER },
        { "review show", .all = REVIEWER },
        { "review approve", .all = REVIEWER },
        { "review reject", .all = REVIEWER },
        { "job run", .all = ANALYST },
        { "job submit", .all = ANALYST },
        { "job fetch", .own = ANALYST },
        { "job ls", .all = REVIEWER | ADMIN | AUDITOR, .own = ANALYST | OWNER }, /* an owner: runs on the own data */
        { "job show", .all = REVIEWER | ADMIN | AUDITOR, .own = ANALYST | OWNER },
        { "job cancel", .all = ADMIN, .own = ANALYST },
        { "release ls", .all = ADMIN | AUDITOR, .own = ANALYST },
        { "release verify", .open = true },
        { "flows ls", .all = ADMIN | AUDITOR },
        { "flows usage", .all = ADMIN | AUDITOR },
        { "flows breakers", .all = ADMIN | AUDITOR },
        { "flows cut", .all = ADMIN },
        { "flows close-breaker", .all = ADMIN },
        { "trace", .all = AUDITOR },
        { "audit ls", .all = AUDITOR | ADMIN },
        { "audit export", .all = AUDITOR | ADMIN },
        { "audit verify", .all = AUDITOR | ADMIN },
        { "audit prove", .all = AUDITOR | ADMIN },
        { "audit replay", .all = AUDITOR | ADMIN },
        { "audit rebuild", .all = AUDITOR | ADMIN },
        { "audit witness", .all = AUDITOR | ADMIN },
        { "audit anchor", .all = AUDITOR | ADMIN },
        { "audit check-proof", .open = true },
        { "backup", .all = ADMIN },
        { "restore", .all = ADMIN },
        { "keys rotate", .all = ADMIN },
        { "service recover", .all = ADMIN },
};

int gbx_roles_parse(const char *text, unsigned *ret_roles, struct gbx_error *err) {
        unsigned roles = 0;
        const char *next = text;

        for (;;) {
                size_t length = strcspn(next, ","), i = 0;

                while (i < gbx_array_size(role_names) && (strlen(role_names[i].name) != length ||
                                                          memcmp(role_names[i].name, next, length) != 0))
                        i++;
                if (i == gbx_array_size(role_names))
                        return gbx_fail(err, -EINVAL, "'%.40s' does not list roles (analyst, reviewer, admin, auditor, owner)",
                                        text);
                if (roles & role_names[i].role)
                        return gbx_fail(err, -EINVAL, "the role '%s' stands twice", role_names[i].name);
                roles |= role_names[i].role;
                if (!next[length])
                        break;
                next += length + 1;
        }
        *ret_roles = roles;
        return 0;
}

int gbx_roles_text(unsigned roles, struct gbx_buffer *buffer, struct gbx_error *err) {
        bool first = true;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < gbx_array_size(role_names); i++)
                if (roles & role_names[i].role) {
                        r = gbx_buffer_printf(buffer, err, "%s%s", first ? "" : ",", role_names[i].name);
                        first = false;
                }
        return r < 0 ? r : 0;
}

static const struct rule *find_rule(const char *action) {
        for (size_t i = 0; i < gbx_array_size(rules); i++)
                if (strcmp(rules[i].action, action) == 0)
                        return rules + i;
        return NULL;
}

int gbx_decide_scope(unsigned roles, const char *action, enum gbx_scope *ret_scope, struct gbx_error *err) {
        const struct rule *rule = find_rule(action);
        char who[64] = "";

        if (!rule)
                return gbx_fail(err, -EKEYREJECTED, "'%.60s' is an action that nobody may do", action);
        if (rule->open || roles & (rule->all | rule->own)) {
                *ret_scope = rule->open || roles & rule->all ? GBX_SCOPE_ALL : GBX_SCOPE_OWN;
                return 0;
        }
        for (size_t i = 0; i < gbx_array_size(role_names); i++)
                if ((rule->all | rule->own) & role_names[i].role) {
                        size_t used = strlen(who);

                        (void)snprintf(who + used, sizeof who - used, "%s%s", used ? " or " : "", role_names[i].name);
                }
        return gbx_fail(err, -EKEYREJECTED, "'%s' asks for the role %s", action, who);
}

int gbx_decide_action(unsigned roles, const char *action, struct gbx_error *err) {
        enum gbx_scope scope;

        return gbx_decide_scope(roles, action, &scope, err);
}

bool gbx_action_at(size_t index, struct gbx_action_rule *ret) {
        if (index >= gbx_array_size(rules))
                return false;
        *ret = (struct gbx_action_rule){ rules[index].action, rules[index].all, rules[index].own, rules[index].open };
        return true;
}
