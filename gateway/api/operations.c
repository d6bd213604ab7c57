#include "gateway/api/ops.h"

#include <stdio.h>
#include <string.h>

const struct gbx_operation *const gbx_operation_tables[] = {
        gbx_operations_site,
        gbx_operations_keeping,
        gbx_operations_user,
        gbx_operations_policy,
        gbx_operations_data,
        gbx_operations_algo,
        gbx_operations_review,
        gbx_operations_job,
        gbx_operations_service,
        gbx_operations_release,
        gbx_operations_flows,
        gbx_operations_trace,
        gbx_operations_audit,
        gbx_operations_evidence,
        NULL,
};

static bool same_verb(const char *verb, const char *given) {
        return strcmp(verb, given) == 0 || (strcmp(verb, "ls") == 0 && strcmp(given, "list") == 0);
}

const struct gbx_operation *gbx_operation_find(const char *noun, const char *verb) {
        const struct gbx_operation *alone = NULL;

        for (size_t t = 0; gbx_operation_tables[t]; t++)
                for (const struct gbx_operation *o = gbx_operation_tables[t]; o->noun; o++) {
                        if (strcmp(o->noun, noun) != 0)
                                continue;
                        if (o->verb && verb && same_verb(o->verb, verb))
                                return o;
                        if (!o->verb)
                                alone = o;
                }
        return alone;
}

static bool names(const char *list, const char *word) {
        size_t length = strlen(word);

        for (const char *at = list; at && *at; at += strcspn(at, " "), at += *at == ' ')
                if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
                        return true;
        return false;
}

const char *gbx_operation_action_of(const char *record) {
        for (size_t t = 0; gbx_operation_tables[t]; t++)
                for (const struct gbx_operation *o = gbx_operation_tables[t]; o->noun; o++)
                        if (names(o->records, record))
                                return o->action;
        return NULL;
}

const char *gbx_operation_name(const struct gbx_operation *operation, char ret[static GBX_OPERATION_NAME_SIZE]) {
        (void)snprintf(ret, GBX_OPERATION_NAME_SIZE, "%s%s%s", operation->noun, operation->verb ? " " : "",
                       operation->verb ? operation->verb : "");
        return ret;
}

int gbx_operation_each(int (*visit)(void *context, const struct gbx_operation *operation), void *context) {
        for (size_t t = 0; gbx_operation_tables[t]; t++)
                for (const struct gbx_operation *o = gbx_operation_tables[t]; o->noun; o++) {
                        int r = visit(context, o);

                        if (r != 0)
                                return r;
                }
        return 0;
}
