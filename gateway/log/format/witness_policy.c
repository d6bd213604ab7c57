#include "gateway/log/format/witness_policy.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { FIELDS_MAX = GBX_POLICY_NODES_MAX + 3, LINE_SIZE = 8192 };

static int copy_text(const char *text, const char *what, char *ret, size_t size, struct gbx_error *err) {
        if (strlen(text) >= size)
                return gbx_fail(err, -EINVAL, "the %s is too long", what);
        memcpy(ret, text, strlen(text) + 1);
        return 0;
}

static int find_node(const struct gbx_witness_policy *policy, const char *name) {
        for (size_t i = 0; i < policy->node_count; i++)
                if (strcmp(policy->nodes[i].name, name) == 0)
                        return (int)i;
        return -1;
}

static int new_node(struct gbx_witness_policy *policy, const char *name, struct gbx_policy_node **ret,
                    struct gbx_error *err) {
        struct gbx_policy_node *node = &policy->nodes[policy->node_count];

        if (policy->node_count == GBX_POLICY_NODES_MAX)
                return gbx_fail(err, -EINVAL, "more than %d witnesses and groups", GBX_POLICY_NODES_MAX);
        if (strcmp(name, "none") == 0 || find_node(policy, name) >= 0)
                return gbx_fail(err, -EINVAL, "the name '%.80s' is taken", name);
        *ret = node;
        return copy_text(name, "name", node->name, sizeof node->name, err);
}

static int add_log(struct gbx_witness_policy *policy, char **fields, size_t count, struct gbx_error *err) {
        struct gbx_policy_log *log = &policy->logs[policy->log_count];
        int r;

        if (count < 2 || count > 3)
                return gbx_fail(err, -EINVAL, "expected: log VKEY [URL]");
        if (policy->log_count == GBX_POLICY_LOGS_MAX)
                return gbx_fail(err, -EINVAL, "more than %d logs", GBX_POLICY_LOGS_MAX);
        r = gbx_note_verifier_parse(fields[1], strlen(fields[1]), &log->verifier, err);
        if (r == 0 && log->verifier.type != GBX_NOTE_ED25519)
                r = gbx_fail(err, -EINVAL, "the key of a log must be of type 01 (Ed25519)");
        if (r == 0 && count == 3)
                r = copy_text(fields[2], "URL", log->url, sizeof log->url, err);
        for (size_t i = 0; r == 0 && i < policy->log_count; i++)
                if (memcmp(policy->logs[i].verifier.public_key, log->verifier.public_key, sizeof log->verifier.public_key) == 0)
                        r = gbx_fail(err, -EINVAL, "the key of log '%s' stands twice", log->verifier.name);
        if (r == 0)
                policy->log_count++;
        return r;
}

static int add_witness(struct gbx_witness_policy *policy, char **fields, size_t count, struct gbx_error *err) {
        struct gbx_policy_node *node;
        int r;

        if (count < 3 || count > 4)
                return gbx_fail(err, -EINVAL, "expected: witness NAME VKEY [URL]");
        r = new_node(policy, fields[1], &node, err);
        if (r == 0)
                r = gbx_note_verifier_parse(fields[2], strlen(fields[2]), &node->verifier, err);
        if (r == 0 && node->verifier.type != GBX_NOTE_COSIGNATURE)
                r = gbx_fail(err, -EINVAL, "the key of witness '%s' is not of type 04 (cosignature/v1)", fields[1]);
        if (r == 0 && count == 4)
                r = copy_text(fields[3], "URL", node->url, sizeof node->url, err);
        for (size_t i = 0; r == 0 && i < policy->node_count; i++)
                if (!policy->nodes[i].group && memcmp(policy->nodes[i].verifier.public_key, node->verifier.public_key,
                                                      sizeof node->verifier.public_key) == 0)
                        r = gbx_fail(err, -EINVAL, "witness '%s' has the same key as '%s'", fields[1], policy->nodes[i].name);
        if (r == 0)
                policy->node_count++;
        return r;
}

static int add_group(struct gbx_witness_policy *policy, char **fields, size_t count, struct gbx_error *err) {
        struct gbx_policy_node *node;
        uint64_t threshold = 0;
        int r;

        if (count < 4)
                return gbx_fail(err, -EINVAL, "expected: group NAME K|any|all MEMBER...");
        r = new_node(policy, fields[1], &node, err);
        if (r < 0)
                return r;
        node->group = true;
        memset(node->members, 0, sizeof node->members);
        for (size_t i = 3; i < count; i++) {
                int member = find_node(policy, fields[i]);

                if (member < 0 || policy->nodes[member].member)
                        return gbx_fail(err, -EINVAL, "'%.80s' is no witness or group named above, or is a member already", fields[i]);
                node->members[member] = policy->nodes[member].member = true;
        }
        if (strcmp(fields[2], "all") == 0)
                threshold = count - 3;
        else if (strcmp(fields[2], "any") == 0)
                threshold = 1;
        else if (gbx_parse_u64(fields[2], &threshold, err) < 0 || threshold == 0 || threshold > count - 3)
                return gbx_fail(err, -EINVAL, "'%.80s' is not a number from 1 to %zu, 'any' or 'all'", fields[2], count - 3);
        node->threshold = (unsigned)threshold;
        policy->node_count++;
        return 0;
}

static int set_quorum(struct gbx_witness_policy *policy, char **fields, size_t count, bool *seen, struct gbx_error *err) {
        if (count != 2 || *seen)
                return gbx_fail(err, -EINVAL, "expected one line: quorum NAME|none");
        *seen = true;
        policy->quorum = strcmp(fields[1], "none") == 0 ? -1 : find_node(policy, fields[1]);
        if (policy->quorum < 0 && strcmp(fields[1], "none") != 0)
                return gbx_fail(err, -EINVAL, "'%.80s' is no witness or group named above", fields[1]);
        return 0;
}

static int parse_line(char *line, struct gbx_witness_policy *policy, bool *quorum, struct gbx_error *err) {
        char *fields[FIELDS_MAX], *saved = NULL;
        size_t count = 0;

        for (char *field = strtok_r(line, " \t", &saved); field; field = strtok_r(NULL, " \t", &saved)) {
                if (count == FIELDS_MAX)
                        return gbx_fail(err, -EINVAL, "too many fields");
                fields[count++] = field;
        }
        if (count == 0)
                return 0;
        if (strcmp(fields[0], "log") == 0)
                return add_log(policy, fields, count, err);
        if (strcmp(fields[0], "witness") == 0)
                return add_witness(policy, fields, count, err);
        if (strcmp(fields[0], "group") == 0)
                return add_group(policy, fields, count, err);
        if (strcmp(fields[0], "quorum") == 0)
                return set_quorum(policy, fields, count, quorum, err);
        return gbx_fail(err, -EINVAL, "'%.40s' is not one of log, witness, group, quorum", fields[0]);
}

static int parse(const char *text, size_t size, struct gbx_witness_policy *policy, struct gbx_error *err) {
        const char *end = text + size;
        bool quorum = false;

        for (size_t i = 0; i < size; i++) /* other bytes are opaque, whatever their encoding */
                if (((uint8_t)text[i] < ' ' && text[i] != '\t' && text[i] != '\n') || text[i] == 0x7f)
                        return gbx_fail(err, -EINVAL, "the witness policy has a control character at byte %zu", i);
        for (unsigned number = 1; text < end; number++) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                size_t length = (size_t)((newline ? newline : end) - text);
                char line[LINE_SIZE];
                int r;

                if (length >= sizeof line)
                        return gbx_fail(err, -EINVAL, "witness policy, line %u: too long", number);
                memcpy(line, text, length);
                line[length] = '\0';
                r = line[strspn(line, " \t")] == '#' ? 0 : parse_line(line, policy, &quorum, err);
                if (r < 0)
                        return gbx_context(err, r, "witness policy, line %u", number);
                text = newline ? newline + 1 : end;
        }
        return quorum ? 0 : gbx_fail(err, -EINVAL, "the witness policy has no quorum line");
}

int gbx_witness_policy_parse(const char *text, size_t size, struct gbx_witness_policy *ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = calloc(1, sizeof *policy);
        int r;

        if (!policy)
                return gbx_fail_memory(err);
        policy->quorum = -1;
        r = parse(text, size, policy, err);
        if (r == 0)
                *ret = *policy;
        return r;
}

/* Groups stand behind their members, so that one pass in order decides all. */
static int count_node(const struct gbx_witness_policy *policy, size_t index, const struct gbx_note *note, bool *met,
                      struct gbx_witness_count *count, struct gbx_error *err) {
        const struct gbx_policy_node *node = &policy->nodes[index];
        unsigned members = 0;
        uint64_t time = 0;
        int r;

        if (node->group) {
                for (size_t i = 0; i < index; i++)
                        members += node->members[i] && met[i];
                met[index] = members >= node->threshold;
                return 0;
        }
        r = gbx_note_check(note, &node->verifier, &time, err);
        if (r < 0)
                return r;
        met[index] = r == 0;
        count->witnesses++;
        count->cosigned += met[index];
        if (met[index] && time > count->newest)
                count->newest = time;
        return 0;
}

/* Where the policy lists logs, one of them must have signed. */
static int check_logs(const struct gbx_witness_policy *policy, const struct gbx_note *note, struct gbx_error *err) {
        for (size_t i = 0; i < policy->log_count; i++) {
                int r = gbx_note_check(note, &policy->logs[i].verifier, NULL, err);

                if (r <= 0)
                        return r;
        }
        return policy->log_count == 0 ? 0 : gbx_fail(err, -EBADMSG, "none of the witness policy's logs has signed");
}

int gbx_witness_policy_check(const struct gbx_witness_policy *policy, const struct gbx_note *note,
                             struct gbx_witness_count *ret_count, struct gbx_error *err) {
        bool met[GBX_POLICY_NODES_MAX] = {};
        struct gbx_witness_count count = {};
        char missing[512] = "";
        int logs = check_logs(policy, note, err);

        if (logs < 0)
                return logs;
        for (size_t i = 0; i < policy->node_count; i++) {
                int r = count_node(policy, i, note, met, &count, err);
                size_t used = strlen(missing);

                if (r < 0)
                        return r;
                if (!policy->nodes[i].group && !met[i])
                        (void)snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "", policy->nodes[i].name);
        }
        if (ret_count)
                *ret_count = count;
        if (policy->quorum < 0 || met[policy->quorum])
                return 0;
        (void)gbx_fail(err, -EBADMSG, "quorum '%s' is not met: %zu of %zu witnesses have cosigned; missing: %s",
                       policy->nodes[policy->quorum].name, count.cosigned, count.witnesses, missing);
        return GBX_WITNESS_SHORT;
}
