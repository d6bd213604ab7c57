#include "gateway/data/usage.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/data/owner.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "gateway/store/view.h"
#include "policy/decision.h"

#include <string.h>

/* Auditors see what everybody does; others what is done with their own. */
static int check_right(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_authorise_read(site, caller, "data usage", err);

        if (r >= 0)
                r = gbx_caller_roles(site, caller, &roles, err);
        return r < 0 || (roles & GBX_ROLE_AUDITOR) ? r : gbx_check_owner(site, caller, name, err);
}

/* When an entry was made, from the entry itself. */
static json_t *time_of(struct gbx_site *site, const json_t *row) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *entry = NULL;

        if (gbx_log_read_proven(site->log, (uint64_t)gbx_json_number(row, "seq"), &text, NULL) < 0 ||
            gbx_entry_parse(text.data, text.size, &entry, NULL) < 0)
                return json_null();
        return json_incref(json_object_get(entry, "time"));
}

static void add_times(struct gbx_site *site, json_t *rows) {
        size_t i;
        json_t *row;

        json_array_foreach(rows, i, row) {
                (void)json_object_set_new(row, "time", time_of(site, row));
                (void)json_object_del(row, "seq");
        }
}

static int covers(struct gbx_site *site, const char *digest, const char *name, bool *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *policy = NULL;
        int r = gbx_object_get(site->directory, digest, &source, err);

        if (r >= 0)
                r = gbx_policy_parse(&policy, digest, source.data, source.size, NULL, err);
        for (size_t i = 0; r >= 0 && i < policy->datasets.count; i++)
                *ret = *ret || strcmp(policy->datasets.items[i], name) == 0;
        return r;
}

static int find_policies(struct gbx_site *site, const char *name, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL, *list = json_array();
        size_t i;
        json_t *row;
        int r = gbx_fact_rows(site, &rows, err, "policy", "1", NULL);

        json_array_foreach(rows, i, row) {
                bool found = false;

                if (r >= 0)
                        r = covers(site, gbx_json_text(row, "digest"), name, &found, err);
                if (r >= 0 && found &&
                    json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:O, s:O}", "name", json_object_get(row, "name"), "purpose",
                                                          json_object_get(row, "purpose"), "digest", json_object_get(row, "digest"), "state",
                                                          json_object_get(row, "state"), "seq", json_object_get(row, "seq"))) < 0)
                        r = gbx_fail_memory(err);
        }
        if (r < 0)
                return r;
        add_times(site, list);
        *ret = gbx_take_ptr(list);
        return 0;
}

int gbx_data_usage(struct gbx_site *site, const struct gbx_caller *caller, const char *name, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *versions = NULL, *runs = NULL, *releases = NULL, *policies = NULL;
        char owner[GBX_OWNER_SIZE];
        int r = check_right(site, caller, name, err);

        if (r >= 0)
                r = gbx_dataset_owner(site, name, owner, err);
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no dataset '%s'", name);
        if (r >= 0)
                r = gbx_view_query(site->view, &versions, err, "SELECT version, state, bytes, manifest, seq FROM dataset WHERE name=?1 ORDER BY version",
                                   name, NULL);
        if (r >= 0)
                r = gbx_view_query(site->view, &runs, err,
                                   "SELECT id AS run, requester, purpose, algorithm, CASE WHEN state='ended' THEN outcome ELSE state END AS state, seq"
                                   " FROM run WHERE EXISTS(SELECT 1 FROM json_each(run.datasets) WHERE value=?1) ORDER BY seq",
                                   name, NULL);
        if (r >= 0)
                r = gbx_view_query(site->view, &releases, err,
                                   "SELECT l.id AS release, l.run, l.recipient, l.fetched, l.seq FROM release l JOIN run r ON r.id=l.run"
                                   " WHERE EXISTS(SELECT 1 FROM json_each(r.datasets) WHERE value=?1) ORDER BY l.seq",
                                   name, NULL);
        if (r >= 0)
                r = find_policies(site, name, &policies, err);
        if (r < 0)
                return r;
        add_times(site, versions);
        add_times(site, runs);
        add_times(site, releases);
        *ret = json_pack("{s:s, s:s, s:O, s:O, s:O, s:O}", "dataset", name, "owner", owner, "versions", versions, "runs", runs, "releases",
                         releases, "policies", policies);
        return *ret ? 0 : gbx_fail_memory(err);
}
