#include "runtime/sandbox/spec_fields.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char *separator(const char *path) {
        return *path ? "." : "";
}

static const struct gbx_field *find(const struct gbx_field *fields, size_t count, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(fields[i].name, name) == 0)
                        return &fields[i];
        return NULL;
}

int gbx_fields_read(const struct gbx_field *fields, size_t count, void *target, const json_t *object, const char *path,
                    struct gbx_error *err) {
        const char *name;
        json_t *value;

        if (!json_is_object(object))
                return gbx_fail(err, -EINVAL, "%s: an object is wanted", *path ? path : "spec");
        json_object_foreach((json_t *)(uintptr_t)object, name, value) {
                if (!find(fields, count, name))
                        return gbx_fail(err, -EINVAL, "%s%s%.64s: unknown field", path, separator(path), name);
        }
        for (size_t i = 0; i < count; i++) {
                char inner[GBX_FIELD_PATH_SIZE];
                int r;

                (void)snprintf(inner, sizeof inner, "%s%s%s", path, separator(path), fields[i].name);
                value = json_object_get(object, fields[i].name);
                if (!value && fields[i].mandatory)
                        return gbx_fail(err, -EINVAL, "%s: this field is mandatory", inner);
                if (!value)
                        continue;
                r = fields[i].read(target, value, inner, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_field_text(const json_t *value, const char *path, const char **ret, struct gbx_error *err) {
        if (!json_is_string(value))
                return gbx_fail(err, -EINVAL, "%s: a text is wanted", path);
        *ret = json_string_value(value);
        return 0;
}

int gbx_field_bool(const json_t *value, const char *path, bool *ret, struct gbx_error *err) {
        if (!json_is_boolean(value))
                return gbx_fail(err, -EINVAL, "%s: true or false is wanted", path);
        *ret = json_is_true(value);
        return 0;
}

int gbx_field_number(const json_t *value, const char *path, uint64_t minimum, uint64_t maximum, uint64_t *ret,
                     struct gbx_error *err) {
        json_int_t number;

        if (!json_is_integer(value))
                return gbx_fail(err, -EINVAL, "%s: a whole number is wanted", path);
        number = json_integer_value(value);
        if (number < 0 || (uint64_t)number < minimum || (uint64_t)number > maximum)
                return gbx_fail(err, -EINVAL, "%s: %lld is not between %llu and %llu", path, (long long)number,
                                (unsigned long long)minimum, (unsigned long long)maximum);
        *ret = (uint64_t)number;
        return 0;
}

int gbx_field_descriptor(const json_t *value, const char *path, int *ret, struct gbx_error *err) {
        uint64_t number = 0;
        int r = gbx_field_number(value, path, 0, 1U << 20, &number, err);

        if (r < 0)
                return r;
        if (fcntl((int)number, F_GETFD) < 0)
                return gbx_fail(err, -EINVAL, "%s: descriptor %d is not open", path, (int)number);
        *ret = (int)number;
        return 0;
}

int gbx_field_absolute_path(const json_t *value, const char *path, bool allow_root, const char **ret,
                            struct gbx_error *err) {
        const char *text = NULL;
        int r = gbx_field_text(value, path, &text, err);

        if (r < 0)
                return r;
        if (allow_root && strcmp(text, "/") == 0) {
                *ret = text;
                return 0;
        }
        if (text[0] != '/' || strlen(text) > 255)
                return gbx_fail(err, -EINVAL, "%s: an absolute path of at most 255 bytes is wanted", path);
        for (const char *part = text + 1, *end;; part = end + 1) {
                end = strchrnul(part, '/');
                if (end == part || (end - part == 1 && part[0] == '.') || (end - part == 2 && memcmp(part, "..", 2) == 0))
                        return gbx_fail(err, -EINVAL, "%s: empty, '.' and '..' components are not allowed", path);
                if (!*end)
                        break;
        }
        *ret = text;
        return 0;
}
