#include "gateway/log/verify/lineage.h"

#include "base/cleanup.h"
#include "base/crypto.h"

#include <stdio.h>
#include <string.h>

enum { UUID_TEXT_SIZE = 37, RUNS_MAX = 65536 };

static const char producer[] = "urn:glovebox:action-log";
static const char event_schema[] = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
static const char facet_schema[] = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet";

struct gbx_lineage {
        char *origin;
        json_t *runs; /* run -> details of its run.decide */
};

/* Which entries are events. */
static const struct {
        const char *action, *outcome, *type; /* outcome NULL: any other */
} events[] = {
        { "run.start", NULL, "START" },      { "run.end", "done", "COMPLETE" },     { "run.end", "cancelled", "ABORT" },
        { "run.end", NULL, "FAIL" },         { "release.create", NULL, "OTHER" },
};

static const char *text_of(const json_t *entry, const char *field) {
        const char *text = json_string_value(json_object_get(entry, field));

        return text ? text : "";
}

int gbx_lineage_new(struct gbx_lineage **ret, const char *origin, struct gbx_error *err) {
        struct gbx_lineage *lineage = calloc(1, sizeof *lineage);

        if (lineage) {
                lineage->origin = strdup(origin);
                lineage->runs = json_object();
        }
        if (!lineage || !lineage->origin || !lineage->runs) {
                gbx_lineage_free(lineage);
                return gbx_fail_memory(err);
        }
        *ret = lineage;
        return 0;
}

struct gbx_lineage *gbx_lineage_free(struct gbx_lineage *lineage) {
        if (!lineage)
                return NULL;
        free(lineage->origin);
        json_decref(lineage->runs);
        free(lineage);
        return NULL;
}

static void run_uuid(const struct gbx_lineage *lineage, const char *run, char ret[static UUID_TEXT_SIZE]) {
        uint8_t d[GBX_SHA256_SIZE];
        struct gbx_bytes parts[] = { { lineage->origin, strlen(lineage->origin) }, { "\0", 1 }, { run, strlen(run) } };

        gbx_sha256_parts(parts, 3, d);
        d[6] = (uint8_t)((d[6] & 0x0f) | 0x80); /* version 8 */
        d[8] = (uint8_t)((d[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
        (void)snprintf(ret, UUID_TEXT_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1],
                       d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

/* A list of names, or of objects with a name or file, as datasets. */
static json_t *datasets(const struct gbx_lineage *lineage, const json_t *list, const char *folder) {
        json_t *result = json_array();

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                const char *name = json_is_string(item) ? json_string_value(item) : text_of(item, "name");

                if (!name[0])
                        name = text_of(item, "file");
                (void)json_array_append_new(result, json_pack("{s:s, s:o}", "namespace", lineage->origin, "name",
                                                              json_sprintf("%s/%s", folder, name)));
        }
        return result;
}

static json_t *facet(const char *key, json_t *value) {
        return json_pack("{s:s, s:s, s:o}", "_producer", producer, "_schemaURL", facet_schema, key, value);
}

static json_t *make_event(const struct gbx_lineage *lineage, const char *type, const char *run, uint64_t index,
                          const json_t *entry) {
        const json_t *decision = json_object_get(lineage->runs, run), *details = json_object_get(entry, "details");
        const char *algorithm = text_of(decision, "algorithm");
        char uuid[UUID_TEXT_SIZE];
        json_t *outputs = json_array();

        run_uuid(lineage, run, uuid);
        if (strcmp(type, "OTHER") == 0) {
                json_decref(outputs);
                outputs = datasets(lineage, json_object_get(details, "outputs"), text_of(entry, "object"));
        }
        return json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:{s:o, s:o}}, s:{s:s, s:s}, s:o, s:o}", "eventType", type, "eventTime",
                         text_of(entry, "time"), "producer", producer, "schemaURL", event_schema, "run", "runId", uuid, "facets",
                         "glovebox_entry",
                         facet("entry", json_pack("{s:I, s:s, s:s, s:s}", "index", (json_int_t)index, "action",
                                                  text_of(entry, "action"), "outcome", text_of(entry, "outcome"), "run", run)),
                         "glovebox_details", facet("details", json_deep_copy(details)), "job", "namespace", lineage->origin,
                         "name", algorithm[0] ? algorithm : run, "inputs",
                         datasets(lineage, json_object_get(decision, "datasets"), "data"), "outputs", outputs);
}

int gbx_lineage_event(struct gbx_lineage *lineage, uint64_t index, const json_t *entry, json_t **ret_event,
                      struct gbx_error *err) {
        const char *action = text_of(entry, "action"), *outcome = text_of(entry, "outcome"), *run = text_of(entry, "object");
        json_t *details = json_object_get(entry, "details");

        *ret_event = NULL;
        if (strcmp(action, "run.decide") == 0) {
                if (json_object_size(lineage->runs) >= RUNS_MAX)
                        json_object_clear(lineage->runs); /* runs that were decided and never ended */
                return json_object_set(lineage->runs, run, details) < 0 ? gbx_fail_memory(err) : 0;
        }
        if (strcmp(action, "release.create") == 0)
                run = text_of(details, "run");
        for (size_t i = 0; i < gbx_array_size(events); i++) {
                if (strcmp(events[i].action, action) != 0 || (events[i].outcome && strcmp(events[i].outcome, outcome) != 0))
                        continue;
                *ret_event = make_event(lineage, events[i].type, run, index, entry);
                if (!*ret_event)
                        return gbx_fail_memory(err);
                if (strcmp(events[i].type, "OTHER") == 0 || strcmp(events[i].type, "FAIL") == 0)
                        (void)json_object_del(lineage->runs, run);
                return 0;
        }
        return 0;
}
