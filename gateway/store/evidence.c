/* Rows of the view against the entries that they name (fact.h) */
#include "gateway/store/fact.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ACTIONS = 3, MAX_COLUMNS = 12, MAX_STATES = 12 };

#define OBJECT "object"
#define ACTOR "actor"
#define DETAIL(name) { name, NULL }

struct column {
        const char *column, *member;
};

/* Which entries may stand behind a row of each table, and what of the row each must say: a column by itself is the
 * entry's detail of that name, one with another name behind it that member of the entry. */
static const struct evidence {
        const char *table;
        const char *actions[MAX_ACTIONS];
        struct column columns[MAX_COLUMNS];
        struct {
                const char *state;
                const char *actions[MAX_ACTIONS];
        } states[MAX_STATES];
        struct column subject; /* what the entry that says the state must say as the row does */
} evidences[] = {
        { "user", { "user.add", "user.change" },
          { { "name", OBJECT }, DETAIL("roles"), DETAIL("ssh_key"), DETAIL("age") },
          { { "active", { "user.add", "user.change" } }, { "removed", { "user.remove" } } }, { "name", OBJECT } },
        { "policy", { "policy.apply" },
          { { "name", OBJECT }, DETAIL("digest"), DETAIL("purpose") },
          { { "in-force", { "policy.apply" } }, { "replaced", { "policy.apply" } }, { "withdrawn", { "policy.withdraw" } } },
          DETAIL("purpose") },
        { "dataset", { "data.add" },
          { { "name", OBJECT }, DETAIL("version"), DETAIL("owner"), DETAIL("stored"), DETAIL("ciphertext"), DETAIL("schema"), DETAIL("schema_source"),
            DETAIL("manifest"), DETAIL("signature"), DETAIL("bytes") },
          { { "active", { "data.add" } }, { "replaced", { "data.add" } }, { "revoked", { "data.revoke" } },
            { "destroyed", { "data.destroy" } } }, { "name", OBJECT } },
        { "ownership", { "data.add", "data.transfer" }, { { "name", OBJECT }, DETAIL("owner") }, {}, {} },
        { "algorithm", { "algo.submit" },
          { { "digest", OBJECT }, { "submitter", ACTOR }, DETAIL("name"), DETAIL("engine"), DETAIL("bytes") }, {}, {} },
        { "approval", { "review.approve", "review.reject" },
          { { "algorithm", OBJECT }, { "reviewer", ACTOR }, DETAIL("purpose"), DETAIL("policy"), DETAIL("statement"), DETAIL("signature"),
            DETAIL("ssh_key"), DETAIL("expires") },
          { { "active", { "review.approve", "review.reject" } }, { "revoked", { "review.reject" } } }, { "reviewer", ACTOR } },
        { "run", { "run.decide" },
          { { "id", OBJECT }, { "requester", ACTOR }, DETAIL("algorithm"), DETAIL("purpose"), DETAIL("datasets"), DETAIL("policy"), DETAIL("request") }, {}, {} },
        { "output_review", { "output.review" },
          { { "run", OBJECT }, { "reviewer", ACTOR }, DETAIL("decision"), DETAIL("output"), DETAIL("findings"), DETAIL("policy"), DETAIL("statement"),
            DETAIL("signature"), DETAIL("ssh_key") }, {}, {} },
        { "release", { "release.create" },
          { { "id", OBJECT }, DETAIL("run"), DETAIL("recipient"), DETAIL("outputs"), DETAIL("mark"), DETAIL("family"), DETAIL("provenance"), DETAIL("record") }, {}, {} },
};

static int read_entry(struct gbx_site *site, json_int_t number, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = number < 0 || (uint64_t)number >= gbx_log_size(site->log)
                        ? gbx_fail(err, -EBADMSG, "a row of the view names entry %lld, which the log does not have", (long long)number)
                        : gbx_log_read(site->log, (uint64_t)number, &text, err);

        if (r >= 0)
                r = gbx_entry_parse(text.data, text.size, ret, err);
        return r < 0 ? gbx_context(err, r == -EINVAL ? -EBADMSG : r, "entry %lld", (long long)number) : 0;
}

static bool one_of(const char *const *names, const char *name) {
        for (size_t i = 0; i < MAX_ACTIONS && names[i]; i++)
                if (name && strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* Lists and objects are JSON text in the view; what an entry lacks is null there. */
static bool same(const json_t *value, const json_t *said) {
        gbx_auto(gbx_json_freep) json_t *inner = NULL;

        if (json_is_null(value) || !value)
                return !said || json_is_null(said);
        if (json_is_string(value) && (json_is_array(said) || json_is_object(said)))
                inner = json_loads(json_string_value(value), JSON_REJECT_DUPLICATES, NULL);
        return json_equal(inner ? inner : value, said);
}

static int contradict(struct gbx_error *err, const char *table, const char *column, json_int_t number) {
        return gbx_fail(err, -EBADMSG, "the view says something else of a %s (%s) than entry %lld of the log; run: gbx audit rebuild",
                        table, column, (long long)number);
}

/* Whether the entry says of a column what the row says. */
static bool agrees(const json_t *entry, const json_t *row, const struct column *column) {
        const json_t *said = column->member ? json_object_get(entry, column->member)
                                            : json_object_get(json_object_get(entry, "details"), column->column);

        return same(json_object_get(row, column->column), said);
}

static int check_state(struct gbx_site *site, const struct evidence *evidence, const json_t *row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        const char *state = gbx_json_text(row, "state");
        json_int_t number = gbx_json_number(row, "state_seq");
        int r;

        if (!evidence->states[0].state)
                return 0;
        r = read_entry(site, number, &entry, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < MAX_STATES && evidence->states[i].state; i++)
                if (state && strcmp(evidence->states[i].state, state) == 0 &&
                    one_of(evidence->states[i].actions, gbx_json_text(entry, "action")) && agrees(entry, row, &evidence->subject))
                        return 0;
        return contradict(err, evidence->table, "state", number);
}

int gbx_evidence_check(struct gbx_site *site, const char *table, const json_t *row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        const struct evidence *evidence = NULL;
        json_int_t number = gbx_json_number(row, "seq");
        int r;

        for (size_t i = 0; i < gbx_array_size(evidences); i++)
                if (strcmp(evidences[i].table, table) == 0)
                        evidence = &evidences[i];
        if (!evidence)
                return gbx_fail(err, -EINVAL, "nothing is decided from the view's table '%s'", table);
        r = read_entry(site, number, &entry, err);
        if (r < 0)
                return r;
        if (!one_of(evidence->actions, gbx_json_text(entry, "action")))
                return contradict(err, table, "entry", number);
        for (size_t i = 0; i < MAX_COLUMNS && evidence->columns[i].column; i++)
                if (!agrees(entry, row, &evidence->columns[i]))
                        return contradict(err, table, evidence->columns[i].column, number);
        return check_state(site, evidence, row, err);
}
