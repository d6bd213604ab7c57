#include "runtime/sandbox/spec.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/sandbox/spec_fields.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Reads a number into a member of a struct: most limits need no more. */
#define NUMBER_FIELD(function, type, member, minimum, maximum)                                                        \
        static int function(void *target, const json_t *value, const char *path, struct gbx_error *err) {            \
                return gbx_field_number(value, path, minimum, maximum, &((type *)target)->member, err);               \
        }
#define BOOL_FIELD(function, type, member)                                                                            \
        static int function(void *target, const json_t *value, const char *path, struct gbx_error *err) {            \
                return gbx_field_bool(value, path, &((type *)target)->member, err);                                   \
        }
#define DESCRIPTOR_FIELD(function, type, member)                                                                      \
        static int function(void *target, const json_t *value, const char *path, struct gbx_error *err) {            \
                return gbx_field_descriptor(value, path, &((type *)target)->member, err);                             \
        }

const struct gbx_layer_name gbx_layer_names[] = {
        { "seccomp", GBX_LAYER_SECCOMP },
        { "landlock", GBX_LAYER_LANDLOCK },
        { "capabilities", GBX_LAYER_CAPABILITIES },
        { "no_new_privileges", GBX_LAYER_NO_NEW_PRIVILEGES },
        { "cgroup", GBX_LAYER_CGROUP },
        { "network_namespace", GBX_LAYER_NETWORK },
        { "read_only", GBX_LAYER_READ_ONLY },
        { "mount_flags", GBX_LAYER_MOUNT_FLAGS },
        { "user_identity", GBX_LAYER_USER_IDENTITY },
        { "resource_limits", GBX_LAYER_RESOURCE_LIMITS },
        { "core_dumps", GBX_LAYER_CORE },
        { "pid_namespace", GBX_LAYER_PID_NAMESPACE },
        { "ipc_namespace", GBX_LAYER_IPC_NAMESPACE },
        { "close_descriptors", GBX_LAYER_CLOSE_DESCRIPTORS },
};
const size_t gbx_layer_name_count = gbx_array_size(gbx_layer_names);

static int read_version(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        uint64_t version;

        (void)target;
        return gbx_field_number(value, path, 1, 1, &version, err);
}

static int read_name(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;
        int r = gbx_field_text(value, path, &spec->name, err);

        if (r < 0)
                return r;
        if (!gbx_name_valid(spec->name))
                return gbx_fail(err, -EINVAL, "%s: a name is [a-z0-9][a-z0-9._-]*, at most 64 characters", path);
        return 0;
}

/* --- image --- */

static int read_image_file(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_text(value, path, &((struct gbx_spec *)target)->image.file, err);
}
static int read_image_directory(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_text(value, path, &((struct gbx_spec *)target)->image.directory, err);
}
static int read_image_digest(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;
        int r = gbx_field_text(value, path, &spec->image.digest, err);

        if (r < 0)
                return r;
        if (strncmp(spec->image.digest, "sha256:", 7) != 0 || strlen(spec->image.digest) != 71 ||
            strspn(spec->image.digest + 7, "0123456789abcdef") != 64)
                return gbx_fail(err, -EINVAL, "%s: 'sha256:' and 64 lower-case hexadecimal digits are wanted", path);
        return 0;
}
DESCRIPTOR_FIELD(read_image_fd, struct gbx_spec, image.fd)

static int read_image(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "file", false, read_image_file },
                { "digest", false, read_image_digest },
                { "directory", false, read_image_directory },
                { "fd", false, read_image_fd },
        };
        struct gbx_spec *spec = target;
        int r = gbx_fields_read(fields, gbx_array_size(fields), spec, value, path, err);

        if (r < 0)
                return r;
        if (!!spec->image.file + !!spec->image.directory + (spec->image.fd >= 0) != 1)
                return gbx_fail(err, -EINVAL, "%s: exactly one of file, directory and fd is wanted", path);
        if (spec->image.file && !spec->image.digest)
                return gbx_fail(err, -EINVAL, "%s.digest: this field is mandatory beside file", path);
        return 0;
}

/* --- argv, env, cwd, profile --- */

static int read_argv(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;
        size_t count = json_array_size(value);

        if (!json_is_array(value) || count == 0 || count > GBX_SPEC_MAX_ARGUMENTS)
                return gbx_fail(err, -EINVAL, "%s: a list of 1 to %d texts is wanted", path, GBX_SPEC_MAX_ARGUMENTS);
        for (size_t i = 0; i < count; i++) {
                char inner[GBX_FIELD_PATH_SIZE];
                int r;

                (void)snprintf(inner, sizeof inner, "%s[%zu]", path, i);
                r = i == 0 ? gbx_field_absolute_path(json_array_get(value, i), inner, false, &spec->argv[i], err)
                           : gbx_field_text(json_array_get(value, i), inner, &spec->argv[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_env(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;
        size_t count = 0;
        const char *name;
        json_t *inner;

        if (!json_is_object(value) || json_object_size(value) > GBX_SPEC_MAX_ENVIRONMENT)
                return gbx_fail(err, -EINVAL, "%s: an object of at most %d texts is wanted", path,
                                GBX_SPEC_MAX_ENVIRONMENT);
        json_object_foreach((json_t *)(uintptr_t)value, name, inner) {
                if (!*name || strchr(name, '='))
                        return gbx_fail(err, -EINVAL, "%s: '%.64s' cannot name a variable", path, name);
                if (!json_is_string(inner))
                        return gbx_fail(err, -EINVAL, "%s.%.64s: a text is wanted", path, name);
                if (asprintf(&spec->environment[count], "%s=%s", name, json_string_value(inner)) < 0) {
                        spec->environment[count] = NULL;
                        return gbx_fail_memory(err);
                }
                count++;
        }
        return 0;
}

static int read_cwd(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_absolute_path(value, path, true, &((struct gbx_spec *)target)->cwd, err);
}
static int read_profile(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_text(value, path, &((struct gbx_spec *)target)->profile, err);
}

/* --- mounts --- */

NUMBER_FIELD(read_tmpfs_bytes, struct gbx_spec_mount, bytes, 4096, 1ULL << 40)
NUMBER_FIELD(read_tmpfs_inodes, struct gbx_spec_mount, inodes, 1, 1ULL << 30)
BOOL_FIELD(read_mount_later, struct gbx_spec_mount, later)
BOOL_FIELD(read_mount_writable, struct gbx_spec_mount, writable)
BOOL_FIELD(read_mount_executable, struct gbx_spec_mount, executable)
DESCRIPTOR_FIELD(read_mount_fd, struct gbx_spec_mount, fd)

static int read_mount_tmpfs(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "bytes", true, read_tmpfs_bytes },
                { "inodes", true, read_tmpfs_inodes },
        };

        return gbx_fields_read(fields, gbx_array_size(fields), target, value, path, err);
}
static int read_mount_directory(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_text(value, path, &((struct gbx_spec_mount *)target)->directory, err);
}
static int read_mount_target(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec_mount *mount = target;
        int r = gbx_field_absolute_path(value, path, false, &mount->target, err);

        if (r < 0)
                return r;
        for (const char *const *own = (const char *const[]){ "/dev", "/proc", "/sys", NULL }; *own; own++) {
                size_t length = strlen(*own);

                if (strncmp(mount->target, *own, length) == 0 && (!mount->target[length] || mount->target[length] == '/'))
                        return gbx_fail(err, -EINVAL, "%s: '%s' is the sandbox's own", path, *own);
        }
        return 0;
}

static int read_mount(struct gbx_spec_mount *mount, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "target", true, read_mount_target },          { "fd", false, read_mount_fd },
                { "directory", false, read_mount_directory },   { "tmpfs", false, read_mount_tmpfs },
                { "writable", false, read_mount_writable },     { "executable", false, read_mount_executable },
                { "later", false, read_mount_later },
        };
        int r = gbx_fields_read(fields, gbx_array_size(fields), mount, value, path, err);

        if (r < 0)
                return r;
        if ((mount->fd >= 0) + !!mount->directory + (mount->bytes > 0) + mount->later != 1)
                return gbx_fail(err, -EINVAL, "%s: exactly one of fd, directory, tmpfs and later is wanted", path);
        if (mount->writable && mount->executable)
                return gbx_fail(err, -EINVAL, "%s: a mount is writable or executable, not both", path);
        mount->kind = mount->later       ? GBX_MOUNT_LATER
                      : mount->fd >= 0   ? GBX_MOUNT_DETACHED
                      : mount->directory ? GBX_MOUNT_DIRECTORY
                                         : GBX_MOUNT_TMPFS;
        if (mount->kind == GBX_MOUNT_TMPFS && !json_object_get(value, "writable"))
                mount->writable = !mount->executable;
        return 0;
}

static int read_mounts(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;

        if (!json_is_array(value) || json_array_size(value) > GBX_SPEC_MAX_MOUNTS)
                return gbx_fail(err, -EINVAL, "%s: a list of at most %d mounts is wanted", path, GBX_SPEC_MAX_MOUNTS);
        for (size_t i = 0; i < json_array_size(value); i++) {
                char inner[GBX_FIELD_PATH_SIZE];
                int r;

                (void)snprintf(inner, sizeof inner, "%s[%zu]", path, i);
                spec->mounts[i].fd = -1;
                r = read_mount(&spec->mounts[i], json_array_get(value, i), inner, err);
                if (r < 0)
                        return r;
                for (size_t j = 0; j < i; j++)
                        if (strcmp(spec->mounts[i].target, spec->mounts[j].target) == 0)
                                return gbx_fail(err, -EINVAL, "%s.target: '%s' is mounted twice", inner,
                                                spec->mounts[i].target);
                spec->mount_count = i + 1;
        }
        return 0;
}

/* --- descriptors --- */

static int read_standard(struct gbx_spec *spec, int inside, const json_t *value, const char *path,
                         struct gbx_error *err) {
        spec->descriptors[inside].outside = GBX_SPEC_CLOSED;
        if (json_is_null(value))
                return 0;
        return gbx_field_descriptor(value, path, &spec->descriptors[inside].outside, err);
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
        struct gbx_spec *spec = target;
        const char *name;
        json_t *outside;

        if (!json_is_object(value) || json_object_size(value) > GBX_SPEC_MAX_DESCRIPTORS)
                return gbx_fail(err, -EINVAL, "%s: an object of at most %d descriptors is wanted", path,
                                GBX_SPEC_MAX_DESCRIPTORS);
        json_object_foreach((json_t *)(uintptr_t)value, name, outside) {
                struct gbx_spec_descriptor *descriptor = &spec->descriptors[spec->descriptor_count];
                char inner[GBX_FIELD_PATH_SIZE];
                uint64_t inside;
                int r;

                (void)snprintf(inner, sizeof inner, "%s.%.16s", path, name);
                if (gbx_parse_u64(name, &inside, NULL) < 0 || inside < 3 || inside > GBX_SPEC_MAX_DESCRIPTOR)
                        return gbx_fail(err, -EINVAL, "%s: a descriptor number from 3 to %d is wanted", inner,
                                        GBX_SPEC_MAX_DESCRIPTOR);
                r = gbx_field_descriptor(outside, inner, &descriptor->outside, err);
                if (r < 0)
                        return r;
                descriptor->inside = (int)inside;
                spec->descriptor_count++;
        }
        return 0;
}

/* --- limits --- */

static uint64_t host_memory(void) {
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

        return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}

/* Of one processor: a cap that the host could never reach is a mistake, as is memory that it does not have. */
static uint64_t host_percent(void) {
        long processors = sysconf(_SC_NPROCESSORS_CONF);

        return processors > 0 ? 100 * (uint64_t)processors : 100;
}

enum { MAX_MILLISECONDS = 7 * 24 * 3600 * 1000 };

NUMBER_FIELD(read_wall, struct gbx_spec_limits, wall_ms, 1, MAX_MILLISECONDS)
NUMBER_FIELD(read_cpu, struct gbx_spec_limits, cpu_ms, 1, MAX_MILLISECONDS)
NUMBER_FIELD(read_memory, struct gbx_spec_limits, memory_bytes, 1U << 20, host_memory())
NUMBER_FIELD(read_pids, struct gbx_spec_limits, pids, 1, 1U << 15)
NUMBER_FIELD(read_open_files, struct gbx_spec_limits, open_files, 4, GBX_SPEC_MAX_OPEN_FILES)
NUMBER_FIELD(read_file_bytes, struct gbx_spec_limits, file_bytes, 1, 1ULL << 40)
NUMBER_FIELD(read_denials, struct gbx_spec_limits, denials, 1, 1U << 20)
NUMBER_FIELD(read_pids_refused, struct gbx_spec_limits, pids_refused, 1, 1U << 20)
NUMBER_FIELD(read_cpu_percent, struct gbx_spec_limits, cpu_percent, 1, host_percent())

static int read_limits(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "wall_ms", true, read_wall },
                { "cpu_ms", false, read_cpu },
                { "memory_bytes", true, read_memory },
                { "pids", true, read_pids },
                { "open_files", false, read_open_files },
                { "file_bytes", false, read_file_bytes },
                { "denials", false, read_denials },
                { "pids_refused", false, read_pids_refused },
                { "cpu_percent", false, read_cpu_percent },
        };
        struct gbx_spec *spec = target;

        return gbx_fields_read(fields, gbx_array_size(fields), &spec->limits, value, path, err);
}

/* --- network and options --- */

static int read_network_mode(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        const char *mode;
        int r = gbx_field_text(value, path, &mode, err);

        (void)target;
        if (r < 0)
                return r;
        if (strcmp(mode, "none") != 0 && strcmp(mode, "fd") != 0)
                return gbx_fail(err, -EINVAL, "%s: 'none' or 'fd' is wanted", path);
        return 0;
}
DESCRIPTOR_FIELD(read_network_fd, struct gbx_spec, network_fd)
DESCRIPTOR_FIELD(read_notify_connect_fd, struct gbx_spec, notify_connect_fd)

static int read_network(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "mode", true, read_network_mode },
                { "fd", false, read_network_fd },
                { "notify_connect_fd", false, read_notify_connect_fd },
        };
        struct gbx_spec *spec = target;
        int r = gbx_fields_read(fields, gbx_array_size(fields), spec, value, path, err);
        bool by_fd;

        if (r < 0)
                return r;
        by_fd = strcmp(json_string_value(json_object_get(value, "mode")), "fd") == 0;
        if (by_fd != (spec->network_fd >= 0))
                return gbx_fail(err, -EINVAL, "%s.fd: goes with mode 'fd', and only with it", path);
        return 0;
}

static int read_core_pattern_pipe(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;
        const char *text;
        int r = gbx_field_text(value, path, &text, err);

        if (r < 0)
                return r;
        if (strcmp(text, "refuse") != 0 && strcmp(text, "suppress") != 0)
                return gbx_fail(err, -EINVAL, "%s: 'refuse' or 'suppress' is wanted", path);
        spec->options.core_pattern_pipe = *text == 's' ? GBX_CORE_PIPE_SUPPRESS : GBX_CORE_PIPE_REFUSE;
        return 0;
}
BOOL_FIELD(read_require_landlock, struct gbx_spec, options.require_landlock)
BOOL_FIELD(read_core_scheduling, struct gbx_spec, options.core_scheduling)
BOOL_FIELD(read_coarse_timers, struct gbx_spec, options.coarse_timers)
static int read_cgroup(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        return gbx_field_absolute_path(value, path, false, &((struct gbx_spec *)target)->options.cgroup, err);
}

#ifdef GBX_TEST_SWITCHES
static int read_test_without(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        struct gbx_spec *spec = target;

        if (!json_is_array(value))
                return gbx_fail(err, -EINVAL, "%s: a list of layers is wanted", path);
        for (size_t i = 0; i < json_array_size(value); i++) {
                const char *name = json_string_value(json_array_get(value, i));
                size_t at = 0;

                while (name && at < gbx_layer_name_count && strcmp(name, gbx_layer_names[at].name) != 0)
                        at++;
                if (!name || at == gbx_layer_name_count)
                        return gbx_fail(err, -EINVAL, "%s[%zu]: no such layer", path, i);
                spec->layers_off |= gbx_layer_names[at].layer;
        }
        return 0;
}
#endif

static int read_options(void *target, const json_t *value, const char *path, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "core_pattern_pipe", false, read_core_pattern_pipe },
                { "require_landlock", false, read_require_landlock },
                { "core_scheduling", false, read_core_scheduling },
                { "coarse_timers", false, read_coarse_timers },
                { "cgroup", false, read_cgroup },
#ifdef GBX_TEST_SWITCHES
                { "test_without", false, read_test_without },
#endif
        };

        return gbx_fields_read(fields, gbx_array_size(fields), target, value, path, err);
}

static void set_defaults(struct gbx_spec *spec) {
        spec->image.fd = -1;
        spec->cwd = "/";
        spec->network_fd = -1;
        spec->notify_connect_fd = -1;
        spec->descriptor_count = 3;
        for (int i = 0; i < 3; i++)
                spec->descriptors[i] = (struct gbx_spec_descriptor){ i, i };
        spec->limits = (struct gbx_spec_limits){
                .open_files = 64, .file_bytes = 64U << 20, .denials = 1000, .pids_refused = 100
        };
}

static int read_spec(struct gbx_spec *spec, struct gbx_error *err) {
        static const struct gbx_field fields[] = {
                { "version", true, read_version },    { "name", true, read_name },
                { "image", true, read_image },        { "argv", true, read_argv },
                { "env", false, read_env },           { "cwd", false, read_cwd },
                { "profile", true, read_profile },    { "mounts", false, read_mounts },
                { "pass_fds", false, read_pass_fds }, { "stdin", false, read_stdin },
                { "stdout", false, read_stdout },     { "stderr", false, read_stderr },
                { "limits", true, read_limits },      { "network", false, read_network },
                { "options", false, read_options },
        };
        int r = gbx_fields_read(fields, gbx_array_size(fields), spec, spec->json, "", err);

        if (r < 0)
                return r;
        if (spec->limits.cpu_ms == 0)
                spec->limits.cpu_ms = spec->limits.wall_ms;
        for (size_t i = 0; i < spec->descriptor_count; i++)
                if ((uint64_t)spec->descriptors[i].inside >= spec->limits.open_files)
                        return gbx_fail(err, -EINVAL, "pass_fds.%d: not below limits.open_files (%llu)",
                                        spec->descriptors[i].inside, (unsigned long long)spec->limits.open_files);
        return 0;
}

int gbx_spec_parse(struct gbx_spec *ret_spec, const char *text, size_t size, struct gbx_error *err) {
        struct gbx_spec spec = {};
        json_error_t problem;
        int r;

        if (size > GBX_SPEC_LIMIT)
                return gbx_fail(err, -EINVAL, "spec: longer than %d bytes", GBX_SPEC_LIMIT);
        set_defaults(&spec);
        spec.json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
        if (!spec.json)
                return gbx_fail(err, -EINVAL, "spec: not JSON: line %d, column %d: %s", problem.line, problem.column,
                                problem.text);
        r = read_spec(&spec, err);
        if (r < 0) {
                gbx_spec_free(&spec);
                return r;
        }
        *ret_spec = spec;
        return 0;
}

int gbx_spec_read(struct gbx_spec *ret_spec, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r;

        if (strcmp(path, "-") == 0)
                r = gbx_read_fd(STDIN_FILENO, GBX_SPEC_LIMIT, &text, err);
        else
                r = gbx_read_file(AT_FDCWD, path, GBX_SPEC_LIMIT, &text, err);
        if (r < 0)
                return gbx_context(err, r == -EFBIG || r == -ENOENT ? -EINVAL : r, "spec");
        return gbx_spec_parse(ret_spec, gbx_buffer_text(&text), text.size, err);
}

void gbx_spec_free(struct gbx_spec *spec) {
        for (size_t i = 0; i <= GBX_SPEC_MAX_ENVIRONMENT; i++) {
                free(spec->environment[i]);
                spec->environment[i] = NULL;
        }
        json_decref(spec->json);
        spec->json = NULL;
}
