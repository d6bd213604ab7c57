#include "gateway/log/format/entry.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/crypto.h"
#include "base/text.h"
#include "gateway/log/format/tile.h"

#include <string.h>


/* --- values --------------------------------------------------------------- */

static bool is_text(const json_t *value) {
        const char *text = json_string_value(value);
        size_t length = json_string_length(value);

        if (!text || length > GBX_ENTRY_TEXT_MAX)
                return false;
        for (size_t i = 0; i < length; i++)
                if ((uint8_t)text[i] < ' ' && text[i] != '\n' && text[i] != '\t')
                        return false;
        return gbx_utf8_valid(text, length);
}

static bool is_name(const json_t *value) { return is_text(value) && gbx_name_valid(json_string_value(value)); }

static bool is_digest(const json_t *value) {
        const char *text = json_string_value(value);
        uint8_t digest[GBX_SHA256_SIZE];
        char canonical[GBX_SHA256_TEXT_SIZE];

        if (!text || gbx_sha256_parse(text, digest, NULL) < 0)
                return false;
        gbx_sha256_text(digest, canonical); /* lower-case digits only */
        return strcmp(text, canonical) == 0;
}

static bool is_time(const json_t *value) {
        int64_t seconds;

        return json_is_string(value) && gbx_time_parse(json_string_value(value), &seconds, NULL) == 0;
}

static bool is_list_of(const json_t *value, bool (*is_member)(const json_t *member)) {
        if (!json_is_array(value) || json_array_size(value) > GBX_ENTRY_LIST_MAX)
                return false;
        for (size_t i = 0; i < json_array_size(value); i++)
                if (!is_member(json_array_get(value, i)))
                        return false;
        return true;
}

/* Free-form values: no reals, no null, limits on depth and number. */
static bool is_plain(const json_t *value, unsigned depth) {
        const char *key;
        json_t *member;
        size_t i;

        if (depth > GBX_ENTRY_DEPTH_MAX)
                return false;
        switch (json_typeof(value)) {
        case JSON_STRING:
                return is_text(value);
        case JSON_INTEGER:
        case JSON_TRUE:
        case JSON_FALSE:
                return true;
        case JSON_ARRAY:
                if (json_array_size(value) > GBX_ENTRY_LIST_MAX)
                        return false;
                json_array_foreach(value, i, member)
                        if (!is_plain(member, depth + 1))
                                return false;
                return true;
        case JSON_OBJECT:
                if (json_object_size(value) > GBX_ENTRY_LIST_MAX)
                        return false;
                /* the iteration does not change the object; jansson's macro only wants it without const */
                json_object_foreach((json_t *)(uintptr_t)value, key, member)
                        if (!is_plain(member, depth + 1))
                                return false;
                return true;
        default:
                return false;
        }
}

static bool has_type(const json_t *value, enum gbx_entry_type type) {
        switch (type) {
        case GBX_ENTRY_TEXT:
                return is_text(value);
        case GBX_ENTRY_NAME:
                return is_name(value);
        case GBX_ENTRY_DIGEST:
                return is_digest(value);
        case GBX_ENTRY_TIME:
                return is_time(value);
        case GBX_ENTRY_COUNT:
                return json_is_integer(value) && json_integer_value(value) >= 0;
        case GBX_ENTRY_INTEGER:
                return json_is_integer(value);
        case GBX_ENTRY_BOOLEAN:
                return json_is_boolean(value);
        case GBX_ENTRY_TEXTS:
                return is_list_of(value, is_text);
        case GBX_ENTRY_NAMES:
                return is_list_of(value, is_name);
        case GBX_ENTRY_DIGESTS:
                return is_list_of(value, is_digest);
        case GBX_ENTRY_MAP:
                return json_is_object(value) && is_plain(value, 1);
        case GBX_ENTRY_LIST:
                return json_is_array(value) && is_plain(value, 1);
        }
        return false;
}

/* --- schemas -------------------------------------------------------------- */

static const struct gbx_entry_field envelope[] = {
        { "action", GBX_ENTRY_NAME, true },  { "actor", GBX_ENTRY_NAME, true },   { "clock", GBX_ENTRY_TIME, false },
        { "details", GBX_ENTRY_MAP, true },  { "object", GBX_ENTRY_TEXT, false }, { "outcome", GBX_ENTRY_NAME, true },
        { "proof", GBX_ENTRY_NAME, false },  { "reasons", GBX_ENTRY_TEXTS, false },
        { "time", GBX_ENTRY_TIME, true },    { "v", GBX_ENTRY_COUNT, true },      {},
};

static const struct gbx_entry_field *find_field(const struct gbx_entry_field *fields, const char *name) {
        for (; fields->name; fields++)
                if (strcmp(fields->name, name) == 0)
                        return fields;
        return NULL;
}

/* `where` stands in front of the field's name in messages. */
static int check_fields(const json_t *object, const struct gbx_entry_field *fields, const char *where,
                        struct gbx_error *err) {
        const char *key;
        json_t *value;

        for (const struct gbx_entry_field *field = fields; field->name; field++)
                if (field->required && !json_object_get(object, field->name))
                        return gbx_fail(err, -EINVAL, "%s%s is missing", where, field->name);
        json_object_foreach((json_t *)(uintptr_t)object, key, value) {
                const struct gbx_entry_field *field = find_field(fields, key);
                char shown[80];

                if (!field) {
                        gbx_text_printable(key, strlen(key), shown, sizeof shown);
                        return gbx_fail(err, -EINVAL, "%s%s is not a field of this action", where, shown);
                }
                if (!has_type(value, field->type))
                        return gbx_fail(err, -EINVAL, "%s%s is not a %s", where, key, gbx_entry_type_name(field->type));
        }
        return 0;
}

int gbx_entry_check(const json_t *entry, struct gbx_error *err) {
        const struct gbx_entry_action *action;
        const char *name;
        int r;

        if (!json_is_object(entry))
                return gbx_fail(err, -EINVAL, "a log entry is not a JSON object");
        r = check_fields(entry, envelope, "", err);
        if (r < 0)
                return gbx_context(err, r, "log entry");
        if (json_integer_value(json_object_get(entry, "v")) != GBX_ENTRY_VERSION)
                return gbx_fail(err, -EINVAL, "a log entry of version %lld; this program knows version %d",
                                (long long)json_integer_value(json_object_get(entry, "v")), GBX_ENTRY_VERSION);
        name = json_string_value(json_object_get(entry, "action"));
        action = gbx_entry_action_find(name);
        if (!action)
                return gbx_fail(err, -EINVAL, "'%s' is not an action of the log", name);
        r = check_fields(json_object_get(entry, "details"), action->fields, "details.", err);
        return r < 0 ? gbx_context(err, r, "log entry %s", name) : 0;
}

/* --- making, writing, reading --------------------------------------------- */

static int set(json_t *entry, const char *key, json_t *value, struct gbx_error *err) {
        return json_object_set_new(entry, key, value) < 0 ? gbx_fail_memory(err) : 0;
}

int gbx_entry_new(json_t **ret, const char *action, const char *actor, const char *object, const char *outcome,
                  int64_t now, json_t *details, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *owned = details ? details : json_object();
        gbx_auto(gbx_json_freep) json_t *entry = json_object();
        char time[GBX_TIME_TEXT_SIZE];
        int r;

        if (!owned || !entry)
                return gbx_fail_memory(err);
        gbx_time_text(now, time);
        r = set(entry, "details", json_incref(owned), err);
        if (r == 0)
                r = set(entry, "v", json_integer(GBX_ENTRY_VERSION), err);
        if (r == 0)
                r = set(entry, "time", json_string(time), err);
        if (r == 0)
                r = set(entry, "action", json_string(action), err);
        if (r == 0)
                r = set(entry, "actor", json_string(actor), err);
        if (r == 0)
                r = set(entry, "outcome", json_string(outcome), err);
        if (r == 0 && object)
                r = set(entry, "object", json_string(object), err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(entry);
        return 0;
}

int gbx_entry_set_proof(json_t *entry, const char *proof, struct gbx_error *err) {
        return set(entry, "proof", json_string(proof), err);
}

int gbx_entry_add_reason(json_t *entry, const char *reason, struct gbx_error *err) {
        json_t *reasons = json_object_get(entry, "reasons");

        if (!reasons) {
                reasons = json_array();
                if (json_object_set_new(entry, "reasons", reasons) < 0)
                        return gbx_fail_memory(err);
        }
        return json_array_append_new(reasons, json_string(reason)) < 0 ? gbx_fail_memory(err) : 0;
}

static int append_json(const char *bytes, size_t size, void *buffer) {
        return gbx_buffer_append(buffer, bytes, size, NULL) < 0 ? -1 : 0;
}

/* The one text of this content. */
static int write_canonical(const json_t *entry, struct gbx_buffer *ret, struct gbx_error *err) {
        return json_dump_callback(entry, append_json, ret, JSON_COMPACT | JSON_SORT_KEYS) < 0 ? gbx_fail_memory(err) : 0;
}

int gbx_entry_format(const json_t *entry, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_entry_check(entry, err);

        if (r == 0)
                r = write_canonical(entry, &text, err);
        if (r < 0)
                return r;
        if (text.size > GBX_ENTRY_MAX)
                return gbx_fail(err, -EMSGSIZE, "a log entry of %zu bytes; at most %d can be logged", text.size, GBX_ENTRY_MAX);
        return gbx_buffer_append(ret, text.data, text.size, err);
}

int gbx_entry_parse(const void *data, size_t size, json_t **ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer canonical = {};
        gbx_auto(gbx_json_freep) json_t *entry = NULL;
        json_error_t where;
        int r;

        if (size > GBX_ENTRY_MAX)
                return gbx_fail(err, -EINVAL, "a log entry of %zu bytes", size);
        entry = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
        if (!entry)
                return gbx_fail(err, -EINVAL, "a log entry is not JSON: byte %d: %.100s", where.position, where.text);
        r = gbx_entry_check(entry, err);
        if (r == 0)
                r = write_canonical(entry, &canonical, err);
        if (r < 0)
                return r;
        if (canonical.size != size || memcmp(canonical.data, data, size) != 0)
                return gbx_fail(err, -EINVAL, "a log entry is not in its canonical form");
        *ret = gbx_take_ptr(entry);
        return 0;
}
