#include "gateway/api/perform.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_LIMIT = 64 * 1024, LIST_LIMIT = 1024, DOCUMENT_LIMIT = 16 * 1024 * 1024 };

/* --- the request ------------------------------------------------------------------ */

static bool has_word(const char *words, const char *text) {
        size_t length = strlen(text);

        for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
                if (length > 0 && strncmp(at, text, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
                        return true;
        return false;
}

static int check_text(const struct gbx_field *field, const json_t *value, struct gbx_error *err) {
        const char *text = json_string_value(value);
        size_t length = json_string_length(value);

        if (!text)
                return gbx_fail(err, -EINVAL, "%s: expected a text", field->name);
        if (field->type == GBX_FIELD_DOCUMENT)
                return length > DOCUMENT_LIMIT ? gbx_fail(err, -EINVAL, "%s: more than %d bytes", field->name, DOCUMENT_LIMIT) : 0;
        if (length > TEXT_LIMIT)
                return gbx_fail(err, -EINVAL, "%s: more than %d bytes", field->name, TEXT_LIMIT);
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
                        return gbx_fail(err, -EINVAL, "%s: control characters", field->name);
        if (field->words && !has_word(field->words, text))
                return gbx_fail(err, -EINVAL, "%s: there is no '%.60s'; one of: %s", field->name, text, field->words);
        return 0;
}

static int check_name(const struct gbx_field *field, const json_t *value, struct gbx_error *err) {
        const char *text = json_string_value(value);

        if (text && field->repeated && strchr(text, ','))
                return gbx_fail(err, -EINVAL, "%s: '%.60s' is not one name; repeat --%s for each", field->name, text, field->name);
        if (!text || strlen(text) != json_string_length(value) || !gbx_name_valid(text))
                return gbx_fail(err, -EINVAL, "%s: '%.60s' cannot be a name: use a-z, 0-9, '.', '_', '-', at most 64", field->name,
                                text ? text : "");
        return 0;
}

static int check_time(const struct gbx_field *field, const json_t *value, struct gbx_error *err) {
        const char *text = json_string_value(value);
        int64_t seconds;

        if (text && (strlen(text) == 10 ? gbx_date_valid(text) : gbx_time_parse(text, &seconds, NULL) >= 0))
                return 0;
        return gbx_fail(err, -EINVAL, "%s: expected 2026-11-25 or 2026-11-25T08:00:00Z (UTC)", field->name);
}

int gbx_api_check_value(const struct gbx_field *field, const json_t *value, struct gbx_error *err) {
        switch (field->type) {
        case GBX_FIELD_TEXT:
        case GBX_FIELD_DOCUMENT:
        case GBX_FIELD_FILE:
        case GBX_FIELD_PATH:
                return check_text(field, value, err);
        case GBX_FIELD_NAME:
                return check_name(field, value, err);
        case GBX_FIELD_INTEGER:
                return json_is_integer(value) && json_integer_value(value) >= 0
                               ? 0
                               : gbx_fail(err, -EINVAL, "%s: expected a whole number, 0 or more", field->name);
        case GBX_FIELD_BOOLEAN:
                return json_is_boolean(value) ? 0 : gbx_fail(err, -EINVAL, "%s: expected true or false", field->name);
        case GBX_FIELD_TIME:
                return check_time(field, value, err);
        case GBX_FIELD_OBJECT:
                return json_is_object(value) ? 0 : gbx_fail(err, -EINVAL, "%s: expected a JSON object", field->name);
        }
        return gbx_fail(err, -EINVAL, "%s: of no type", field->name);
}

static int check_field(const struct gbx_field *field, const json_t *value, struct gbx_error *err) {
        size_t index;
        json_t *item;

        if (!field->repeated)
                return gbx_api_check_value(field, value, err);
        if (!json_is_array(value) || json_array_size(value) > LIST_LIMIT)
                return gbx_fail(err, -EINVAL, "%s: expected a list of at most %d", field->name, LIST_LIMIT);
        if (field->required && json_array_size(value) == 0)
                return gbx_fail(err, -EINVAL, "missing: %s", field->name);
        json_array_foreach(value, index, item) {
                int r = gbx_api_check_value(field, item, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static const struct gbx_field *find_field(const struct gbx_operation *operation, const char *name) {
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (!f->client && strcmp(f->name, name) == 0)
                        return f;
        return NULL;
}

static void add_problem(json_t *problems, const char *message) {
        char text[512];

        gbx_text_printable(message, strlen(message), text, sizeof text);
        (void)json_array_append_new(problems, json_pack("{s:s}", "message", text));
}

/* One line of all problems, as long as it fits. */
static int refuse(const struct gbx_operation *operation, const json_t *problems, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char name[GBX_OPERATION_NAME_SIZE];
        size_t index;
        json_t *problem;

        json_array_foreach(problems, index, problem)
                if (gbx_buffer_printf(&text, err, "%s%s", index ? "; " : "", gbx_json_text(problem, "message")) < 0)
                        return -ENOMEM;
        return gbx_fail(err, -EINVAL, "%.880s; see 'gbx %s --help'", gbx_buffer_text(&text), gbx_operation_name(operation, name));
}

int gbx_api_check(const struct gbx_operation *operation, const json_t *request, json_t **ret_problems, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *problems = json_array();
        const char *name;
        json_t *value;
        int r;

        if (!json_is_object(request))
                return gbx_fail(err, -EINVAL, "a request is a JSON object");
        json_object_foreach((json_t *)(uintptr_t)request, name, value) {
                const struct gbx_field *field = find_field(operation, name);
                struct gbx_error problem = {};

                if (!field)
                        (void)gbx_fail(&problem, -EINVAL, "unknown: %.60s", name);
                else
                        (void)check_field(field, value, &problem);
                if (problem.code)
                        add_problem(problems, problem.message);
        }
        for (const struct gbx_field *f = operation->fields; f && f->name; f++) {
                char text[160];

                if (!f->required || f->client || json_object_get(request, f->name))
                        continue;
                (void)snprintf(text, sizeof text, "missing: %s", f->name);
                add_problem(problems, text);
        }
        if (json_array_size(problems) == 0)
                return 0;
        r = refuse(operation, problems, err);
        if (ret_problems)
                *ret_problems = gbx_take_ptr(problems);
        return r;
}

/* --- the answer -------------------------------------------------------------------- */

/* Lists and objects lie in the view as text. */
static void unpack(json_t *object, const struct gbx_column *column) {
        const char *text = gbx_json_text(object, column->name);
        json_t *inner;

        if (!text || (column->kind != GBX_COLUMN_LIST && column->kind != GBX_COLUMN_OBJECT))
                return;
        inner = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (inner)
                (void)json_object_set_new(object, column->name, inner);
}

/* Whether a part shows a member: as its own, in its sentence ("{member}"), or as what it depends on. */
static bool part_shows(const struct gbx_part *part, const char *name) {
        const char *when = part->when && part->when[0] == '!' ? part->when + 1 : part->when;
        const char *place = part->text;
        size_t length = strlen(name);

        if ((part->member && strcmp(part->member, name) == 0) || (when && strcmp(when, name) == 0))
                return true;
        while (place && (place = strchr(place, '{'))) {
                place++;
                if (strncmp(place, name, length) == 0 && place[length] == '}')
                        return true;
        }
        return false;
}

static void project(json_t *object, const struct gbx_operation *operation, const struct gbx_column *columns, bool whole, unsigned roles) {
        const char *name;
        json_t *value;
        void *next;

        json_object_foreach_safe(object, next, name, value) {
                bool declared = false;

                for (const struct gbx_column *c = columns; c && c->name; c++)
                        if (strcmp(c->name, name) == 0 && (c->roles == 0 || (c->roles & roles)))
                                declared = true;
                for (const struct gbx_part *p = operation->answer; whole && p && p->kind; p++)
                        declared |= part_shows(p, name);
                if (!declared)
                        (void)json_object_del(object, name);
        }
        for (const struct gbx_column *c = columns; c && c->name; c++)
                unpack(object, c);
}

static bool is_own(const struct gbx_session *session, const struct gbx_operation *operation, const json_t *row) {
        const char *whose = operation->own ? gbx_json_text(row, operation->own) : NULL;

        return !operation->own || session->scope == GBX_SCOPE_ALL || (whose && strcmp(whose, gbx_caller_name(session->caller)) == 0);
}

static void leave_out_rows(const struct gbx_session *session, const struct gbx_operation *operation, const struct gbx_part *part,
                           json_t *rows) {
        for (size_t i = json_array_size(rows); i > 0; i--) {
                json_t *row = json_array_get(rows, i - 1);

                if (part == operation->answer && !is_own(session, operation, row))
                        (void)json_array_remove(rows, i - 1);
                else if (json_is_object(row))
                        project(row, operation, part->columns, false, session->roles);
        }
}

int gbx_api_leave_out(const struct gbx_session *session, const struct gbx_operation *operation, json_t *answer, struct gbx_error *err) {
        const struct gbx_part *first = operation->answer;
        const struct gbx_column *columns = NULL;

        if (json_is_object(answer) && (!first || first->kind != GBX_PART_ROWS) && !is_own(session, operation, answer))
                return gbx_fail(err, -ENOENT, "there is no such %s of yours", operation->noun);
        for (const struct gbx_part *p = first; p && p->kind; p++) {
                json_t *value = p->member ? json_object_get(answer, p->member) : answer;

                if (p->kind == GBX_PART_ROWS && json_is_array(value))
                        leave_out_rows(session, operation, p, value);
                else if (p->kind == GBX_PART_FIELDS && p->member && json_is_object(value))
                        project(value, operation, p->columns, false, session->roles);
                else if (p->kind == GBX_PART_FIELDS && !p->member)
                        columns = p->columns;
        }
        if (json_is_object(answer))
                project(answer, operation, columns, true, session->roles);
        return 0;
}

int gbx_api_perform(struct gbx_session *session, const struct gbx_operation *operation, const json_t *request, struct gbx_sink *sink,
                    json_t **ret_answer, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *answer = NULL;
        struct gbx_sink nobody = {};
        int r, outcome = gbx_api_check(operation, request, &session->problems, err);

        if (outcome >= 0 && operation->kind != GBX_LOCAL)
                outcome = gbx_session_open(session, operation->action, err);
        if (outcome >= 0)
                outcome = operation->perform(session, request, sink ? sink : &nobody, &answer, err);
        if (outcome < 0)
                return outcome;
        if (!answer)
                answer = json_object();
        r = gbx_api_leave_out(session, operation, answer, err);
        if (r < 0)
                return r;
        *ret_answer = gbx_take_ptr(answer);
        return outcome;
}
