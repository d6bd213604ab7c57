#include "runtime/sandbox/order.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/sandbox/spec_fields.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reading {
        struct gbx_order *order;
        const struct gbx_spec *spec;
        size_t received;
};

static int read_version(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        uint64_t version;

        (void)target;
        return gbx_field_number(value, path, 1, 1, &version, err);
}

static int read_name(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct reading *reading = target;
        const char *name = NULL;
        int r = gbx_field_text(value, path, &name, err);

        if (r < 0)
                return r;
        if (!gbx_name_valid(name))
                return gbx_fail(err, -EINVAL, "%s: a name is [a-z0-9][a-z0-9._-]*, at most 64 characters", path);
        (void)snprintf(reading->order->name, sizeof reading->order->name, "%s", name);
        return 0;
}

static int append(struct gbx_order *order, const char *name, const char *value, const char *path,
                  struct gbx_error *err) {
        size_t room = sizeof order->text - order->text_size;
        int length = snprintf(order->text + order->text_size, room, "%s%s%s", name, *name ? "=" : "", value);

        if (length < 0 || (size_t)length >= room)
                return gbx_fail(err, -EINVAL, "%s: more than %d bytes together", path, GBX_ORDER_TEXT);
        order->text_size += (size_t)length + 1;
        return 0;
}

static int read_argv(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_order *order = ((struct reading *)target)->order;
        size_t count = json_array_size(value);

        if (!json_is_array(value) || count == 0 || count > GBX_SPEC_MAX_ARGUMENTS)
                return gbx_fail(err, -EINVAL, "%s: a list of 1 to %d texts is wanted", path, GBX_SPEC_MAX_ARGUMENTS);
        for (size_t i = 0; i < count; i++) {
                char inner[GBX_FIELD_PATH_SIZE];
                const char *text = NULL;
                int r;

                (void)snprintf(inner, sizeof inner, "%s[%zu]", path, i);
                r = i == 0 ? gbx_field_absolute_path(json_array_get(value, i), inner, false, &text, err)
                           : gbx_field_text(json_array_get(value, i), inner, &text, err);
                if (r == 0)
                        r = append(order, "", text, path, err);
                if (r < 0)
                        return r;
        }
        order->argument_count = count;
        return 0;
}

static int read_env(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_order *order = ((struct reading *)target)->order;
        const char *name;
        json_t *inner;

        if (!json_is_object(value) || json_object_size(value) > GBX_SPEC_MAX_ENVIRONMENT)
                return gbx_fail(err, -EINVAL, "%s: an object of at most %d texts is wanted", path,
                                GBX_SPEC_MAX_ENVIRONMENT);
        json_object_foreach((json_t *)(uintptr_t)value, name, inner) {
                int r;

                if (!*name || strchr(name, '=') || !json_is_string(inner))
                        return gbx_fail(err, -EINVAL, "%s.%.64s: a variable has a name without '=' and a text", path,
                                        name);
                r = append(order, name, json_string_value(inner), path, err);
                if (r < 0)
                        return r;
                order->environment_count++;
        }
        return 0;
}

static int read_position(const struct reading *reading, const json_t *value, const char *path, int *ret,
                         struct gbx_error *err) {
        uint64_t position = 0;
        int r;

        if (reading->received == 0)
                return gbx_fail(err, -EINVAL, "%s: no descriptor came with the order", path);
        r = gbx_field_number(value, path, 0, reading->received - 1, &position, err);
        if (r == 0)
                *ret = (int)position;
        return r;
}

struct mount_reading {
        const struct reading *reading;
        const char *target;
        int position;
};

static int read_mount_target(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_text(value, path, &((struct mount_reading *)target)->target, err);
}
static int read_mount_fd(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct mount_reading *mount = target;

        return read_position(mount->reading, value, path, &mount->position, err);
}

static int read_mount(struct reading *reading, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "target", true, read_mount_target },
                { "fd", true, read_mount_fd },
        };
        struct mount_reading mount = { .reading = reading };
        struct gbx_order *order = reading->order;
        int r = gbx_fields_read(fields, gbx_array_size(fields), &mount, value, path, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < reading->spec->mount_count; i++) {
                const struct gbx_spec_mount *place = &reading->spec->mounts[i];

                if (place->kind != GBX_MOUNT_LATER || strcmp(place->target, mount.target) != 0)
                        continue;
                for (size_t j = 0; j < order->mount_count; j++)
                        if (order->mounts[j].mount == i)
                                return gbx_fail(err, -EINVAL, "%s.target: mounted twice", path);
                order->mounts[order->mount_count].mount = i;
                order->mounts[order->mount_count++].position = mount.position;
                return 0;
        }
        return gbx_fail(err, -EINVAL, "%s.target: the pool's spec has no such 'later' mount", path);
}

static int read_mounts(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        if (!json_is_array(value) || json_array_size(value) > GBX_SPEC_MAX_MOUNTS)
                return gbx_fail(err, -EINVAL, "%s: a list of at most %d mounts is wanted", path, GBX_SPEC_MAX_MOUNTS);
        for (size_t i = 0; i < json_array_size(value); i++) {
                char inner[GBX_FIELD_PATH_SIZE];
                int r;

                (void)snprintf(inner, sizeof inner, "%s[%zu]", path, i);
                r = read_mount(target, json_array_get(value, i), inner, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_standard(struct reading *reading, int inside, const json_t *value, const char *path,
                         struct gbx_error *err) {
        if (json_is_null(value))
                return 0;
        return read_position(reading, value, path, &reading->order->descriptors[inside].position, err);
}
static int read_stdin(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return read_standard(target, STDIN_FILENO, value, path, err);
}
static int read_stdout(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return read_standard(target, STDOUT_FILENO, value, path, err);
}
static int read_stderr(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return read_standard(target, STDERR_FILENO, value, path, err);
}

static int read_pass_fds(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct reading *reading = target;
        struct gbx_order *order = reading->order;
        const char *name;
        json_t *position;

        if (!json_is_object(value) || json_object_size(value) > GBX_SPEC_MAX_DESCRIPTORS)
                return gbx_fail(err, -EINVAL, "%s: an object of at most %d descriptors is wanted", path,
                                GBX_SPEC_MAX_DESCRIPTORS);
        json_object_foreach((json_t *)(uintptr_t)value, name, position) {
                char inner[GBX_FIELD_PATH_SIZE];
                uint64_t inside;
                int r;

                (void)snprintf(inner, sizeof inner, "%s.%.16s", path, name);
                if (gbx_parse_u64(name, &inside, NULL) < 0 || inside < 3 || inside > GBX_SPEC_MAX_DESCRIPTOR ||
                    inside >= reading->spec->limits.open_files)
                        return gbx_fail(err, -EINVAL, "%s: a descriptor number from 3 to %d and below "
                                                      "limits.open_files is wanted", inner, GBX_SPEC_MAX_DESCRIPTOR);
                order->descriptors[order->descriptor_count].inside = (int)inside;
                r = read_position(reading, position, inner, &order->descriptors[order->descriptor_count].position, err);
                if (r < 0)
                        return r;
                order->descriptor_count++;
        }
        return 0;
}

static void put_json(json_t **json) {
        json_decref(*json);
}

int gbx_order_parse(struct gbx_order *ret_order, const struct gbx_spec *spec, const char *text, size_t size,
                    size_t descriptor_count, struct gbx_error *err) {
        /* argv comes before env: so they lie in the text. */
        static const struct gbx_field fields[] = {
                { "version", true, read_version }, { "name", false, read_name },
                { "argv", false, read_argv },      { "env", false, read_env },
                { "mounts", false, read_mounts },  { "pass_fds", false, read_pass_fds },
                { "stdin", false, read_stdin },    { "stdout", false, read_stdout },
                { "stderr", false, read_stderr },
        };
        struct reading reading = { .order = ret_order, .spec = spec, .received = descriptor_count };
        gbx_auto(put_json) json_t *json = NULL;
        json_error_t problem;

        memset(ret_order, 0, offsetof(struct gbx_order, text));
        ret_order->descriptor_count = 3;
        for (int i = 0; i < 3; i++) {
                ret_order->descriptors[i].inside = i;
                ret_order->descriptors[i].position = GBX_SPEC_CLOSED;
        }
        json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
        if (!json)
                return gbx_fail(err, -EINVAL, "order: not JSON: line %d, column %d: %s", problem.line, problem.column,
                                problem.text);
        return gbx_fields_read(fields, gbx_array_size(fields), &reading, json, "", err);
}

void gbx_order_apply(struct gbx_order *order, struct gbx_spec *spec, const int *received) {
        char *at = order->text;

        for (size_t i = 0; i < order->argument_count; i++, at += strlen(at) + 1)
                spec->argv[i] = at;
        if (order->argument_count)
                spec->argv[order->argument_count] = NULL;
        for (size_t i = 0; i < order->environment_count; i++, at += strlen(at) + 1)
                spec->environment[i] = at;
        if (order->environment_count)
                spec->environment[order->environment_count] = NULL;
        spec->descriptor_count = order->descriptor_count;
        for (size_t i = 0; i < order->descriptor_count; i++) {
                int position = order->descriptors[i].position;

                spec->descriptors[i].inside = order->descriptors[i].inside;
                spec->descriptors[i].outside = position == GBX_SPEC_CLOSED ? GBX_SPEC_CLOSED : received[position];
        }
}
