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

/* A noun and a verb; "*" is every verb that has no line of its own above it. */
static const struct rule {
        const char *action;
        unsigned roles;
} rules[] = {
        { "status", EVERY },
        { "keys", EVERY },
        { "user add", ADMIN },
        { "user change", ADMIN },
        { "user remove", ADMIN },
        { "user ls", EVERY },
        { "user show", EVERY },
        { "policy apply", ADMIN },
        { "policy check", EVERY },
        { "policy show", EVERY },
        { "policy ls", EVERY },
        { "policy explain", EVERY },
        { "policy test", EVERY },
        { "image build", ADMIN },
        { "image import", ADMIN },
        { "image ls", EVERY },
        { "data add", OWNER | ADMIN },
        { "data classify", OWNER | ADMIN },
        { "data revoke", OWNER | ADMIN },
        { "data destroy", OWNER | ADMIN },
        { "data ls", EVERY },
        { "data show", EVERY },
        { "algo submit", ANALYST },
        { "algo try", ANALYST | REVIEWER },
        { "algo ls", EVERY },
        { "algo show", EVERY },
        { "algo diff", EVERY },
        { "review approve", REVIEWER },
        { "review reject", REVIEWER },
        { "review release", REVIEWER }, /* a held output */
        { "review ls", REVIEWER | ADMIN | AUDITOR },
        { "review show", REVIEWER | ADMIN | AUDITOR },
        { "review statement", REVIEWER | ADMIN | AUDITOR },
        { "job run", ANALYST },
        { "job submit", ANALYST },
        { "job cancel", ANALYST | ADMIN },
        { "job fetch", ANALYST },
        { "job ls", ANALYST | REVIEWER | ADMIN | AUDITOR },
        { "job show", ANALYST | REVIEWER | ADMIN | AUDITOR },
        { "job logs", ANALYST | ADMIN | AUDITOR },
        { "flows cut", ADMIN },
        { "flows close-breaker", ADMIN },
        { "flows *", ADMIN | AUDITOR },
        { "trace", AUDITOR },
        { "audit *", AUDITOR | ADMIN },
        { "heartbeat", ADMIN },
        { "service *", ADMIN },
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
        for (size_t i = 0; i < gbx_array_size(rules); i++) {
                size_t length = strlen(rules[i].action);

                if (strcmp(rules[i].action, action) == 0)
                        return rules + i;
                if (rules[i].action[length - 1] == '*' && strncmp(rules[i].action, action, length - 1) == 0)
                        return rules + i;
        }
        return NULL;
}

int gbx_decide_action(unsigned roles, const char *action, struct gbx_error *err) {
        const struct rule *rule = find_rule(action);
        char who[64] = "";

        if (!rule)
                return gbx_fail(err, -EKEYREJECTED, "'%.60s' is an action that nobody may do", action);
        if (roles & rule->roles)
                return 0;
        for (size_t i = 0; i < gbx_array_size(role_names); i++)
                if (rule->roles & role_names[i].role) {
                        size_t used = strlen(who);

                        (void)snprintf(who + used, sizeof who - used, "%s%s", used ? " or " : "", role_names[i].name);
                }
        return gbx_fail(err, -EKEYREJECTED, "'%s' asks for the role %s", action, who);
}
