#include "gateway/api/openapi.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/api/operation.h"
#include "policy/decision.h"

#include <stdio.h>
#include <string.h>

/* --- schemas ------------------------------------------------------------------------- */

static json_t *words(const char *text) {
        json_t *list = json_array();

        for (const char *at = text; *at; at += strcspn(at, " "), at += *at == ' ')
                (void)json_array_append_new(list, json_stringn(at, strcspn(at, " ")));
        return list;
}

static json_t *value_schema(const struct gbx_field *field) {
        switch (field->type) {
        case GBX_FIELD_INTEGER:
                return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
        case GBX_FIELD_BOOLEAN:
                return json_pack("{s:s}", "type", "boolean");
        case GBX_FIELD_OBJECT:
                return json_pack("{s:s}", "type", "object");
        case GBX_FIELD_NAME:
                return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[a-z0-9][a-z0-9._-]{0,63}$");
        case GBX_FIELD_TIME:
                return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$");
        case GBX_FIELD_FILE:
                return json_pack("{s:s, s:s}", "type", "string", "contentMediaType", "application/octet-stream");
        case GBX_FIELD_TEXT:
        case GBX_FIELD_DOCUMENT:
        case GBX_FIELD_PATH:
                break;
        }
        return field->words ? json_pack("{s:s, s:o}", "type", "string", "enum", words(field->words)) : json_pack("{s:s}", "type", "string");
}

static bool is_sent(const struct gbx_field *field) {
        return !field->client && field->type != GBX_FIELD_PATH;
}

/* `files`: those that are attached, else those that are not. */
static json_t *request_schema(const struct gbx_operation *operation, bool files) {
        json_t *properties = json_object(), *required = json_array();

        for (const struct gbx_field *f = operation->fields; f && f->name; f++) {
                json_t *schema;

                if (!is_sent(f) || (f->type == GBX_FIELD_FILE) != files)
                        continue;
                schema = value_schema(f);
                if (f->repeated)
                        schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
                if (f->help)
                        (void)json_object_set_new(schema, "description", json_string(f->help));
                (void)json_object_set_new(properties, f->name, schema);
                if (f->required)
                        (void)json_array_append_new(required, json_string(f->name));
        }
        return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required, "additionalProperties",
                         0);
}

static json_t *column_schema(const struct gbx_column *column) {
        static const char *const types[] = {
                [GBX_COLUMN_TEXT] = "string",     [GBX_COLUMN_NUMBER] = "number", [GBX_COLUMN_DIGEST] = "string",
                [GBX_COLUMN_TIME] = "string",
                [GBX_COLUMN_BOOLEAN] = "boolean", [GBX_COLUMN_LIST] = "array",    [GBX_COLUMN_LINES] = "array",
                  [GBX_COLUMN_OBJECT] = "object",
        };
        gbx_auto(gbx_buffer_free) struct gbx_buffer roles = {};
        json_t *schema = json_pack("{s:[s, s]}", "type", types[column->kind], "null");

        if (column->roles && gbx_roles_text(column->roles, &roles, NULL) >= 0)
                (void)json_object_set_new(schema, "x-glovebox-roles", json_string(gbx_buffer_text(&roles)));
        return schema;
}

static void add_columns(json_t *properties, const struct gbx_column *columns) {
        for (const struct gbx_column *c = columns; c && c->name; c++)
                (void)json_object_set_new(properties, c->name, column_schema(c));
}

static json_t *object_schema(const struct gbx_column *columns) {
        json_t *properties = json_object();

        add_columns(properties, columns);
        return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

static json_t *part_schema(const struct gbx_part *part) {
        switch (part->kind) {
        case GBX_PART_ROWS:
                return json_pack("{s:s, s:o}", "type", "array", "items", object_schema(part->columns));
        case GBX_PART_TABLES:
                return json_pack("{s:s, s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}}}}", "type", "array", "items", "type", "object", "properties",
                                 "name", "type", "string", "rows", "type", "integer", "csv", "type", "string");
        case GBX_PART_FIELDS:
                return object_schema(part->columns);
        case GBX_PART_TEXT:
                return json_pack("{s:s}", "type", "string");
        case GBX_PART_BYTES:
                return json_pack("{s:[s, s], s:s}", "type", "string", "object", "description", "text, or {\"base64\": …} where it is none");
        case GBX_PART_LINES:
                return json_pack("{s:s, s:{}}", "type", "array", "items");
        case GBX_PART_LINE:
        case GBX_PART_NOTE:
        case GBX_PART_END:
                break;
        }
        return json_object();
}

static json_t *answer_schema(const struct gbx_operation *operation) {
        json_t *properties;

        for (const struct gbx_part *p = operation->answer; p && p->kind; p++)
                if (p->kind == GBX_PART_ROWS && !p->member)
                        return part_schema(p);
        properties = json_object();
        for (const struct gbx_part *p = operation->answer; p && p->kind; p++) {
                if (p->member && !json_object_get(properties, p->member))
                        (void)json_object_set_new(properties, p->member,
                                                  p->kind == GBX_PART_LINES && !p->text ? json_object() : part_schema(p));
                if (p->kind == GBX_PART_FIELDS && !p->member)
                        add_columns(properties, p->columns);
        }
        return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

/* --- paths -------------------------------------------------------------------------------- */

/* What an exit code of the command line is here (base/error.h). */
static const struct {
        const char *status, *name, *says;
} failures[] = {
        { "400", "Usage", "the request is wrong: exit code 2" },
        { "403", "Denied", "roles or policy do not allow it: exit code 3" },
        { "404", "Failed", "what is asked for is not there, or it failed: exit code 1" },
        { "409", "Integrity", "something is not what it was when it was signed or recorded: exit code 5" },
        { "429", "Limit", "a limit was reached: exit code 6" },
};

static json_t *content(const char *type, json_t *schema) {
        return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *body(const struct gbx_operation *operation) {
        bool files = false, needed = false;
        json_t *parts;

        for (const struct gbx_field *f = operation->fields; f && f->name; f++) {
                files |= is_sent(f) && f->type == GBX_FIELD_FILE;
                needed |= is_sent(f) && f->required;
        }
        if (!files)
                return json_pack("{s:b, s:o}", "required", needed, "content", content("application/json", request_schema(operation,
                                                                                                                         false)));
        parts = request_schema(operation, true);
        (void)json_object_set_new(json_object_get(parts, "properties"), "request", request_schema(operation, false));
        return json_pack("{s:b, s:o}", "required", needed, "content", content("multipart/form-data", parts));
}

static json_t *responses(const struct gbx_operation *operation) {
        json_t *all = json_pack("{s:{s:s, s:o}}", "200", "description", "the answer; with held outputs too (exit code 4)", "content",
                                content("application/json", answer_schema(operation)));

        for (size_t i = 0; i < gbx_array_size(failures); i++) {
                char reference[64];

                (void)snprintf(reference, sizeof reference, "#/components/responses/%s", failures[i].name);
                (void)json_object_set_new(all, failures[i].status, json_pack("{s:s}", "$ref", reference));
        }
        return all;
}

/* Who may: roles, and those for their own alone. */
static json_t *rights(const char *action) {
        struct gbx_action_rule rule;

        for (size_t i = 0; gbx_action_at(i, &rule); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer all = {}, own = {};

                if (strcmp(rule.action, action) != 0)
                        continue;
                if (gbx_roles_text(rule.all, &all, NULL) < 0 || gbx_roles_text(rule.own, &own, NULL) < 0)
                        return NULL;
                return json_pack("{s:b, s:s, s:s}", "open", rule.open, "all", gbx_buffer_text(&all), "own", gbx_buffer_text(&own));
        }
        return NULL;
}

static int add_path(void *context, const struct gbx_operation *operation) {
        static const char *const kinds[] = { [GBX_READ] = "read", [GBX_WRITE] = "write", [GBX_JOB] = "job", [GBX_LOCAL] = "local" };
        char path[GBX_OPERATION_NAME_SIZE + 8], name[GBX_OPERATION_NAME_SIZE];
        json_t *post;

        (void)snprintf(path, sizeof path, "/v1/%s%s%s", operation->noun, operation->verb ? "/" : "",
                       operation->verb ? operation->verb : "");
        post = json_pack("{s:s, s:[s], s:s, s:s*, s:s, s:s, s:o*, s:o, s:o}", "operationId", gbx_operation_name(operation, name), "tags",
                         operation->noun, "summary", operation->summary, "description", operation->details, "x-glovebox-action",
                         operation->action, "x-glovebox-kind", kinds[operation->kind], "x-glovebox-rights", rights(operation->action),
                         "requestBody", body(operation), "responses", responses(operation));
        return json_object_set_new(context, path, json_pack("{s:o}", "post", post)) < 0 ? -ENOMEM : 0;
}

int gbx_api_openapi(json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *paths = json_object(), *errors = json_object();
        json_t *error = json_pack("{s:s, s:[s, s], s:{s:{s:s}, s:{s:s, s:i, s:i}, s:{s:s, s:{s:s}}}}", "type", "object", "required",
                                  "error",
                                  "exit", "properties", "error", "type", "string", "exit", "type", "integer", "minimum", 1, "maximum", 6,
                                  "problems", "type", "array", "items", "type", "object");

        for (size_t i = 0; i < gbx_array_size(failures); i++)
                (void)json_object_set_new(errors, failures[i].name,
                                          json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", failures[i].says, "content",
                                                    "application/json",
                                                    "schema", "$ref", "#/components/schemas/Error"));
        if (gbx_operation_each(add_path, paths) < 0)
                return gbx_fail_memory(err);
        *ret = json_pack("{s:s, s:{s:s, s:s, s:s}, s:O, s:{s:{s:o}, s:O}}", "openapi", "3.1.0", "info", "title", "Glovebox", "version", "1",
                         "description", "Data usable, never visible. One operation a verb of the command line.", "paths", paths,
                         "components",
                         "schemas", "Error", error, "responses", errors);
        return *ret ? 0 : gbx_fail_memory(err);
}
