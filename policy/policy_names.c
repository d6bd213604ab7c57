#include "policy/policy_names.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* Where names of a kind stand: a path of keys; lists on the way are gone through. */
static const struct {
        const char *text;
        const char *path[3];
} kinds[GBX_POLICY_NAME_KIND_COUNT] = {
        [GBX_POLICY_NAME_DATASET] = { "dataset", { "datasets" } },
        [GBX_POLICY_NAME_REVIEWER] = { "reviewer", { "approvals", "reviewers" } },
        [GBX_POLICY_NAME_OUTPUT_REVIEWER] = { "reviewer of outputs", { "output-review", "reviewers" } },
        [GBX_POLICY_NAME_RECIPIENT] = { "recipient", { "release", "recipients" } },
        [GBX_POLICY_NAME_OUTPUT] = { "output", { "release", "outputs" } },
        [GBX_POLICY_NAME_HOST] = { "host", { "flows", "host" } },
        [GBX_POLICY_NAME_CLIENT_CERTIFICATE] = { "client certificate", { "flows", "tls", "client-certificate" } },
};

const char *gbx_policy_name_kind_text(enum gbx_policy_name_kind kind) {
        return kinds[kind].text;
}

void gbx_policy_names_free(struct gbx_policy_names *names) {
        for (size_t i = 0; i < names->count; i++)
                free(names->items[i].name);
        free(names->items);
        *names = (struct gbx_policy_names){};
}

static int add(struct gbx_policy_names *names, enum gbx_policy_name_kind kind, const struct gbx_yaml_node *node, struct gbx_error *err) {
        struct gbx_policy_name *grown = reallocarray(names->items, names->count + 1, sizeof *grown);
        char *copy = strdup(node->text);

        if (grown)
                names->items = grown;
        if (!grown || !copy) {
                free(copy);
                return gbx_fail_memory(err);
        }
        names->items[names->count++] = (struct gbx_policy_name){ kind, copy, node->line, node->column };
        return 0;
}

/* Lists are no deeper than the format's own: the policy was read by its tables before. */
static int walk(struct gbx_policy_names *names, enum gbx_policy_name_kind kind, size_t depth, const struct gbx_yaml_node *node,
                struct gbx_error *err) {
        const char *const *path = kinds[kind].path;
        int r = 0;

        if (!node)
                return 0;
        if (node->kind == GBX_YAML_SEQUENCE) {
                for (size_t i = 0; i < node->count && r >= 0; i++)
                        r = walk(names, kind, depth, node->children[i], err);
                return r;
        }
        if (depth < gbx_array_size(kinds[kind].path) && path[depth])
                return walk(names, kind, depth + 1, gbx_yaml_get(node, path[depth]), err);
        return node->kind == GBX_YAML_SCALAR ? add(names, kind, node, err) : 0;
}

int gbx_policy_list_names(const struct gbx_policy *policy, struct gbx_policy_names *ret, struct gbx_error *err) {
        gbx_auto(gbx_policy_names_free) struct gbx_policy_names names = {};
        gbx_auto(gbx_problems_free) struct gbx_problems problems = {};
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        int r = gbx_problems_start(&problems, policy->name, err);

        if (r >= 0)
                r = gbx_yaml_parse(&root, policy->source.data, policy->source.size, &problems, err);
        for (unsigned kind = 0; kind < GBX_POLICY_NAME_KIND_COUNT && r >= 0; kind++)
                r = walk(&names, (enum gbx_policy_name_kind)kind, 0, root, err);
        if (r < 0)
                return r;
        *ret = names;
        names = (struct gbx_policy_names){};
        return 0;
}
