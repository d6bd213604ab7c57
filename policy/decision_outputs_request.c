/* Requests about held outputs as JSON, to and fro. */
#include "policy/decision_outputs.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/json_fields.h"

#include <string.h>

enum { MAX_DECISIONS = 1000 };

/* What stands in JSON in another form than in the request. */
struct raw_decision {
        struct gbx_outputs_decision decision;
        char *roles;
};

struct raw_request {
        struct gbx_outputs_request request;
        char *now;
        const json_t *decisions;
};

#define TEXT(structure, text_name, field) \
        { .name = text_name, .type = GBX_FIELD_TEXT, .offset = offsetof(struct structure, field), .required = true }
#define TEXT_OR_NULL(structure, text_name, field) \
        { .name = text_name, .type = GBX_FIELD_TEXT, .offset = offsetof(struct structure, field), .required = true, .nullable = true }
#define NUMBER(structure, text_name, field) \
        { .name = text_name, .type = GBX_FIELD_NUMBER, .offset = offsetof(struct structure, field), .required = true, .maximum = INT64_MAX }

static const struct gbx_field decision_fields[] = {
        TEXT(raw_decision, "reviewer", decision.reviewer),
        TEXT(raw_decision, "roles", roles),
        TEXT_OR_NULL(raw_decision, "key", decision.key),
        NUMBER(raw_decision, "key_since", decision.key_since),
        TEXT(raw_decision, "statement", decision.statement),
        TEXT(raw_decision, "signature", decision.signature),
        NUMBER(raw_decision, "seq", decision.seq),
        { .name = "withdrawn", .type = GBX_FIELD_BOOLEAN, .offset = offsetof(struct raw_decision, decision.withdrawn), .required = true },
        {},
};

static const struct gbx_field request_fields[] = {
        TEXT(raw_request, "site", request.site),
        TEXT(raw_request, "now", now),
        TEXT(raw_request, "run", request.run),
        TEXT(raw_request, "outputs", request.outputs),
        TEXT(raw_request, "findings", request.findings),
        TEXT(raw_request, "recipient", request.recipient),
        TEXT(raw_request, "policy", request.policy),
        TEXT(raw_request, "requester", request.requester),
        TEXT_OR_NULL(raw_request, "requester_key", request.requester_key),
        TEXT(raw_request, "submitter", request.submitter),
        TEXT_OR_NULL(raw_request, "submitter_key", request.submitter_key),
        { .name = "decisions", .type = GBX_FIELD_JSON, .offset = offsetof(struct raw_request, decisions), .required = true },
        {},
};

static void free_raw(struct raw_request *raw) {
        for (size_t i = 0; i < raw->request.decision_count; i++)
                gbx_fields_free(decision_fields, &(struct raw_decision){ .decision = raw->request.decisions[i] });
        free(raw->request.decisions);
        gbx_fields_free(request_fields, raw);
        *raw = (struct raw_request){};
}

void gbx_outputs_request_free(struct gbx_outputs_request *request) {
        struct raw_request raw = { .request = *request };

        free_raw(&raw);
        *request = (struct gbx_outputs_request){};
}

static int read_decision(const json_t *json, struct gbx_outputs_decision *ret, struct gbx_error *err) {
        struct raw_decision raw = {};
        int r = gbx_fields_read(decision_fields, json, "decisions", &raw, err);

        if (r >= 0 && *raw.roles) /* no role at all: somebody who was removed */
                r = gbx_roles_parse(raw.roles, &raw.decision.roles, err);
        free(raw.roles);
        raw.roles = NULL;
        *ret = raw.decision; /* also what was read before an error: it is freed with the request */
        return r < 0 ? r : 0;
}

int gbx_outputs_request_from_json(const json_t *json, struct gbx_outputs_request *ret, struct gbx_error *err) {
        gbx_auto(free_raw) struct raw_request raw = {};
        struct gbx_outputs_request *request = &raw.request;
        size_t index;
        json_t *item;
        int r = gbx_fields_read(request_fields, json, "", &raw, err);

        if (r >= 0)
                r = gbx_time_parse(raw.now, &request->now, err);
        if (r < 0)
                return gbx_context(err, r, "request about outputs");
        if (!json_is_array(raw.decisions) || json_array_size(raw.decisions) > MAX_DECISIONS)
                return gbx_fail(err, -EINVAL, "request about outputs: decisions must be a list (of at most %d)", MAX_DECISIONS);
        request->decisions = calloc(json_array_size(raw.decisions) + 1, sizeof *request->decisions);
        if (!request->decisions)
                return gbx_fail_memory(err);
        json_array_foreach(raw.decisions, index, item) {
                r = read_decision(item, request->decisions + request->decision_count++, err);
                if (r < 0)
                        return gbx_context(err, r, "request about outputs");
                if (index > 0 && request->decisions[index].seq <= request->decisions[index - 1].seq)
                        return gbx_fail(err, -EINVAL, "request about outputs: the decisions do not stand in the order of their entries");
        }
        *ret = *request;
        *request = (struct gbx_outputs_request){};
        return 0;
}

int gbx_outputs_request_to_json(const struct gbx_outputs_request *request, json_t **ret, struct gbx_error *err) {
        char now[GBX_TIME_TEXT_SIZE];
        json_t *object, *list = json_array();

        gbx_time_text(request->now, now);
        object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s?, s:o}", "site", request->site, "now", now, "run",
                           request->run, "outputs", request->outputs, "findings", request->findings, "recipient",
                           request->recipient, "policy", request->policy, "requester", request->requester, "requester_key",
                           request->requester_key, "submitter", request->submitter, "submitter_key", request->submitter_key,
                           "decisions", list);
        if (!object)
                return gbx_fail(err, -EINVAL, "the request about outputs has missing parts");
        for (size_t i = 0; i < request->decision_count; i++) {
                const struct gbx_outputs_decision *decision = request->decisions + i;
                gbx_auto(gbx_buffer_free) struct gbx_buffer roles = {};
                int r = gbx_roles_text(decision->roles, &roles, err);

                if (r >= 0 &&
                    json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:I, s:s, s:s, s:I, s:b}", "reviewer", decision->reviewer,
                                                          "roles", gbx_buffer_text(&roles), "key", decision->key, "key_since",
                                                          (json_int_t)decision->key_since, "statement", decision->statement,
                                                          "signature", decision->signature, "seq", (json_int_t)decision->seq,
                                                          "withdrawn", (int)decision->withdrawn)) < 0)
                        r = gbx_fail_memory(err);
                if (r < 0) {
                        json_decref(object);
                        return r;
                }
        }
        *ret = object;
        return 0;
}
