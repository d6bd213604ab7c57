#include "policy/json_fields.h"

#include "base/cleanup.h"

#include <openssl/crypto.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct gbx_error *err, const char *path, const char *name, const char *what) {
        return gbx_fail(err, -EINVAL, "%s%s%s: %s", path, *path ? "." : "", name, what);
}

/* Texts with a zero byte inside would be cut short silently. */
static int copy_text(const json_t *value, const char *path, const char *name, char **ret, struct gbx_error *err) {
        const char *text = json_string_value(value);

        if (!text)
                return fail(err, path, name, "must be text");
        if (strlen(text) != json_string_length(value) || json_string_length(value) > GBX_FIELD_TEXT_LIMIT)
                return fail(err, path, name, "is too long or has a zero byte");
        *ret = strdup(text);
        return *ret ? 0 : gbx_fail_memory(err);
}

static void free_texts(char **texts) {
        for (char **text = texts; text && *text; text++)
                free(*text);
        free(texts);
}

static int read_texts(const struct gbx_field *field, const json_t *value, const char *path, char ***ret,
                      struct gbx_error *err) {
        size_t count = json_array_size(value), maximum = field->maximum ? field->maximum : 64;
        char **texts;

        if (!json_is_array(value))
                return fail(err, path, field->name, "must be a list of texts");
        if (count < field->minimum || count > maximum)
                return fail(err, path, field->name, "has too few or too many elements");
        texts = calloc(count + 1, sizeof *texts);
        if (!texts)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < count; i++) {
                int r = copy_text(json_array_get(value, i), path, field->name, &texts[i], err);

                if (r < 0) {
                        free_texts(texts);
                        return r;
                }
        }
        *ret = texts;
        return 0;
}

static int read_choice(const struct gbx_field *field, const json_t *value, const char *path, int *ret,
                       struct gbx_error *err) {
        const char *text = json_string_value(value);

        for (int i = 0; text && field->choices[i]; i++)
                if (strcmp(text, field->choices[i]) == 0) {
                        *ret = i;
                        return 0;
                }
        return fail(err, path, field->name, "is none of the values it may have");
}

static int read_value(const struct gbx_field *field, const json_t *value, const char *path, void *place,
                      struct gbx_error *err) {
        switch (field->type) {
        case GBX_FIELD_TEXT:
                return copy_text(value, path, field->name, place, err);
        case GBX_FIELD_TEXTS:
                return read_texts(field, value, path, place, err);
        case GBX_FIELD_NUMBER:
                if (!json_is_integer(value) || json_integer_value(value) < 0 ||
                    (uint64_t)json_integer_value(value) < field->minimum ||
                    (uint64_t)json_integer_value(value) > field->maximum)
                        return gbx_fail(err, -EINVAL, "%s%s%s: must be a whole number from %" PRIu64 " to %" PRIu64, path,
                                        *path ? "." : "", field->name, field->minimum, field->maximum);
                *(uint64_t *)place = (uint64_t)json_integer_value(value);
                return 0;
        case GBX_FIELD_BOOLEAN:
                if (!json_is_boolean(value))
                        return fail(err, path, field->name, "must be true or false");
                *(bool *)place = json_is_true(value);
                return 0;
        case GBX_FIELD_CHOICE:
                return read_choice(field, value, path, place, err);
        case GBX_FIELD_JSON:
        default:
                *(const json_t **)place = value;
                return 0;
        }
}

static const struct gbx_field *find(const struct gbx_field *table, const char *name) {
        for (; table->name; table++)
                if (strcmp(table->name, name) == 0)
                        return table;
        return NULL;
}

int gbx_fields_read(const struct gbx_field *table, const json_t *object, const char *path, void *ret,
                    struct gbx_error *err) {
        const char *name;
        json_t *value;

        if (!json_is_object(object))
                return gbx_fail(err, -EINVAL, "%s: must be an object", *path ? path : "the file");
        json_object_foreach((json_t *)(uintptr_t)object, name, value) {
                const struct gbx_field *field = find(table, name);
                int r;

                if (!field)
                        return fail(err, path, name, "is not a field of this object");
                r = field->nullable && json_is_null(value) ? 0 : read_value(field, value, path, (char *)ret + field->offset, err);
                if (r < 0)
                        return r;
        }
        for (const struct gbx_field *field = table; field->name; field++)
                if (field->required && !json_object_get(object, field->name))
                        return fail(err, path, field->name, "is missing");
        return 0;
}

void gbx_fields_free(const struct gbx_field *table, void *data) {
        for (const struct gbx_field *field = table; field->name; field++) {
                void *place = (char *)data + field->offset;

                if (field->type == GBX_FIELD_TEXT) {
                        char **text = place;

                        if (*text)
                                OPENSSL_cleanse(*text, strlen(*text));
                        free(*text);
                        *text = NULL;
                } else if (field->type == GBX_FIELD_TEXTS) {
                        char ***texts = place;

                        free_texts(*texts);
                        *texts = NULL;
                }
        }
}
