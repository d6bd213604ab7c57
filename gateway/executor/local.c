#include "gateway/executor/local.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "gateway/data/schema.h"
#include "gateway/data/dummy.h"
#include "base/install.h"
#include "gateway/algorithm/algorithm.h"
#include "gateway/executor/listener.h"
#include "gateway/store/objects.h"
#include "gateway/store/view.h"
#include "runtime/sandbox/launch.h"
#include "runtime/sandbox/spec.h"
#include "runtime/vault/keys.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
        JOB_BYTES = 80 * 1024 * 1024, /* program, parameters, schemas */
        JOB_FILES = 256,
        TMP_FILES = 256,
        ETC_SLACK = 16 * 1024,
        ETC_FILES = 8,
        DUMMY_BYTES = 64 * 1024 * 1024, /* the most that one twin may take */
        PROGRESS_LIMIT = 1024 * 1024,
        STREAM_LIMIT = 1024 * 1024,
        PROGRESS_FD = 3,
        DENIALS = 1000,
};

/* How each engine is started: the entry file of the algorithm is given to `host`, or is the program itself. */
static const struct engine {
        const char *name, *image, *profile, *host;
} engines[] = {
        { "lua", "lua", "lua", "/bin/gbx-lua" },
        { "native", "native-min", "native", NULL },
        { "lua-sql", "engine", "engine", "/bin/gbx-lua-duckdb" },
};

static const struct engine *find_engine(const char *name) {
        for (size_t i = 0; i < gbx_array_size(engines); i++)
                if (strcmp(engines[i].name, name) == 0)
                        return &engines[i];
        return NULL;
}

_Static_assert((int)GBX_POLICY_MAX_OPEN_FILES == (int)GBX_SPEC_MAX_OPEN_FILES, "a policy can ask for what the sandbox gives, and no more");

/* --- /data -------------------------------------------------------------------- */

static int deliver(int site, const json_t *dataset, struct gbx_delivery *data, int cancel, struct gbx_error *err) {
        const char *name = json_string_value(json_object_get(dataset, "name"));
        const char *stored = json_string_value(json_object_get(dataset, "stored"));
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_age_file_freep) struct gbx_age_file *file = NULL;
        gbx_auto(gbx_close_fd) int keys = -1, in = -1, out = -1;
        char version[24], key[GBX_KEYS_NAME_SIZE], path[80];
        int r;

        (void)snprintf(version, sizeof version, "%lld",
                       (long long)json_integer_value(json_object_get(dataset, "version")));
        gbx_keys_dataset_name(name, version, key);
        keys = gbx_open_directory(site, "keys", err);
        if (keys < 0)
                return keys;
        r = gbx_keys_load_identity(keys, key, &identity, err);
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof path, "data/%s", stored + strlen("sha256:"));
        in = openat(site, path, O_RDONLY | O_CLOEXEC);
        if (in < 0)
                return gbx_fail_errno(err, "cannot open the stored dataset '%s'", path);
        r = gbx_age_file_open(&file, in, (struct gbx_age_identities){ (const struct gbx_age_identity *const *)&identity, 1 },
                              NULL, err);
        if (r < 0)
                return r;
        out = gbx_delivery_create(data, name, err);
        if (out < 0)
                return out;
        gbx_age_file_cancel(file, cancel);
        return gbx_age_file_decrypt(file, out, 0, err);
}

int gbx_execution_deliver(int site, const json_t *dataset, struct gbx_delivery *data, struct gbx_error *err) {
        return deliver(site, dataset, data, 0, err);
}

static int deliver_twin(int site, const json_t *dataset, struct gbx_delivery *data, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer csv = {};
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        gbx_auto(gbx_close_fd) int out = -1;
        const char *name = json_string_value(json_object_get(dataset, "name"));
        int r = gbx_dataset_schema(site, dataset, &schema, err);

        if (r >= 0)
                r = gbx_dummy_twin(schema, 1, GBX_DUMMY_ROWS, &csv, err);
        if (r < 0)
                return r;
        out = gbx_delivery_create(data, name, err);
        return out < 0 ? out : gbx_write_all(out, csv.data, csv.size, err);
}

static int deliver_data(const struct gbx_execution *execution, struct gbx_delivery **ret, struct gbx_error *err) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *data = NULL;
        uint64_t bytes = 4096;
        size_t index;
        const json_t *dataset;
        int r;

        json_array_foreach(execution->datasets, index, dataset)
                bytes += (execution->dummy ? DUMMY_BYTES : (uint64_t)json_integer_value(json_object_get(dataset, "bytes"))) + 4096;
        r = gbx_delivery_new(&data, GBX_DELIVERY_DATA,
                             (struct gbx_delivery_limits){ bytes, json_array_size(execution->datasets) + 1 }, err);
        if (r < 0)
                return r;
        json_array_foreach(execution->datasets, index, dataset) {
                r = execution->dummy ? deliver_twin(execution->site, dataset, data, err)
                                     : deliver(execution->site, dataset, data, execution->cancel, err);
                if (r < 0)
                        return gbx_context(err, r, "dataset '%s'", json_string_value(json_object_get(dataset, "name")));
        }
        r = gbx_delivery_seal(data, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(data);
        return 0;
}

/* --- /job --------------------------------------------------------------------- */

static int put_file(int directory, const char *name, mode_t mode, const void *bytes, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot create /job/%s", name);
        r = gbx_write_all(fd, bytes, size, err);
        if (r < 0)
                return gbx_context(err, r, "/job/%s", name);
        return fchmod(fd, mode) < 0 ? gbx_fail_errno(err, "cannot set the mode of /job/%s", name) : 0;
}

static int put_json(int directory, const char *name, const json_t *value, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

        return text ? put_file(directory, name, 0444, text, strlen(text), err) : gbx_fail_memory(err);
}

/* The schemas were checked and turned into the engine's JSON when the dataset was added. */
static int put_schemas(const struct gbx_execution *execution, int job, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int folder = -1;
        size_t index;
        const json_t *dataset;
        int r;

        r = gbx_make_directories(job, "schema", 0755, err);
        if (r < 0)
                return gbx_context(err, r, "/job");
        folder = gbx_open_directory(job, "schema", err);
        if (folder < 0)
                return folder;
        json_array_foreach(execution->datasets, index, dataset) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer schema = {};
                char name[80];

                r = gbx_object_get(execution->site, json_string_value(json_object_get(dataset, "schema")), &schema, err);
                if (r < 0)
                        return r;
                (void)snprintf(name, sizeof name, "%s.json", json_string_value(json_object_get(dataset, "name")));
                r = put_file(folder, name, 0444, schema.data, schema.size, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is started. */
struct program {
        char *entry;    /* its path inside */
        unsigned lines; /* of a script */
};

static void free_program(struct program *program) { free(program->entry); }

/* The algorithm's files, unpacked by descriptor. */
static int put_program(const struct gbx_execution *execution, int job, struct program *ret, struct gbx_error *err) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = NULL;
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = NULL;
        const struct gbx_bundle_file *file;
        int r = gbx_bundle_read(&bundle, execution->program->data, execution->program->size, NULL, err);

        if (r >= 0)
                r = gbx_algorithm_read(&algorithm, bundle, NULL, err);
        if (r >= 0)
                r = gbx_algorithm_choose(algorithm, execution->engine, err);
        if (r >= 0)
                r = gbx_bundle_unpack(bundle, job, err);
        if (r < 0)
                return r;
        file = gbx_bundle_find(bundle, algorithm->entry);
        ret->lines = file ? gbx_listener_count_lines(file->data, file->size) : 0;
        if (asprintf(&ret->entry, "/job/%s", algorithm->entry) < 0) {
                ret->entry = NULL;
                return gbx_fail_memory(err);
        }
        return 0;
}

static int prepare_job(const struct gbx_execution *execution, struct gbx_delivery **ret, struct program *ret_program,
                       struct gbx_error *err) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *job = NULL;
        /* The Lua host ends a run with a message when its own limit is reached. The rest, up to where the
         * sandbox kills, is for what that does not count: buffers, tables being written, the allocator's loss. */
        const uint64_t memory = execution->limits.memory_bytes / 4 * 3;
        gbx_auto(gbx_json_freep) json_t *limits = json_pack("{s:I}", "memory_bytes", (json_int_t)memory);
        int mount, r;

        r = gbx_delivery_new(&job, GBX_DELIVERY_DATA, (struct gbx_delivery_limits){ JOB_BYTES, JOB_FILES }, err);
        if (r < 0)
                return r;
        mount = gbx_delivery_mount_fd(job);
        r = put_program(execution, mount, ret_program, err);
        if (r >= 0)
                r = put_json(mount, "params.json", execution->parameters, err);
        if (r >= 0)
                r = put_json(mount, "limits.json", limits, err);
        if (r >= 0)
                r = put_schemas(execution, mount, err);
        if (r >= 0 && execution->trust)
                r = gbx_write_file_durably(mount, "trust.pem", execution->trust, strlen(execution->trust), 0444, err);
        if (r >= 0)
                r = gbx_delivery_seal(job, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(job);
        return 0;
}

/* Where programs look for a trust store that no variable tells them of. Copies are links, for no symlink of a mount is
 * followed in the sandbox. */
static int put_trust_store(int etc, const char *trust, struct gbx_error *err) {
        static const char bundle[] = "ssl/certs/ca-certificates.crt";
        int r = gbx_make_directories(etc, "ssl/certs", 0755, err);

        if (r < 0)
                return gbx_context(err, r, "/etc");
        r = put_file(etc, bundle, 0444, trust, strlen(trust), err);
        if (r < 0)
                return r;
        return linkat(etc, bundle, etc, "ssl/cert.pem", 0) < 0 ? gbx_fail_errno(err, "cannot create /etc/ssl/cert.pem") : 0;
}

/* An /etc of its own, so that a program finds the names of its flows without DNS, and whom to trust. */
static int prepare_etc(const struct gbx_execution *execution, struct gbx_delivery **ret, struct gbx_error *err) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *etc = NULL;
        size_t size = strlen(execution->hosts) + (execution->trust ? strlen(execution->trust) : 0);
        int r = gbx_delivery_new(&etc, GBX_DELIVERY_DATA, (struct gbx_delivery_limits){ size + ETC_SLACK, ETC_FILES }, err);

        if (r >= 0)
                r = put_file(gbx_delivery_mount_fd(etc), "hosts", 0444, execution->hosts, strlen(execution->hosts), err);
        if (r >= 0 && execution->trust)
                r = put_trust_store(gbx_delivery_mount_fd(etc), execution->trust, err);
        if (r >= 0)
                r = gbx_delivery_seal(etc, err);
        if (r < 0)
                return gbx_context(err, r, "/etc");
        *ret = gbx_take_ptr(etc);
        return 0;
}

/* --- the sandbox ---------------------------------------------------------------- */

static json_t *make_argv(const struct engine *engine, const char *entry) {
        return engine->host ? json_pack("[s, s]", engine->host, entry) : json_pack("[s]", entry);
}

/* Native jobs may not know of proxies: their connect(2) is answered by the egress proxy's side. */
static bool redirected(const struct gbx_execution *execution, const struct engine *engine) {
        return execution->network > 0 && !engine->host;
}

static json_t *make_network(const struct gbx_execution *execution, const struct engine *engine) {
        if (execution->network <= 0)
                return json_pack("{s:s}", "mode", "none");
        if (!redirected(execution, engine))
                return json_pack("{s:s, s:i}", "mode", "fd", "fd", execution->network);
        return json_pack("{s:s, s:i, s:i}", "mode", "fd", "fd", execution->network, "notify_connect_fd", execution->connects);
}

static json_t *add_etc_mount(json_t *spec, int mount) {
        if (spec && mount >= 0 &&
            json_array_append_new(json_object_get(spec, "mounts"), json_pack("{s:s, s:i}", "target", "/etc", "fd", mount)) < 0) {
                json_decref(spec);
                return NULL;
        }
        return spec;
}

/* Where core dumps go to a program (systemd-coredump, apport), the sandbox would refuse every job: the pipe would carry
 * a job's memory, that is data, out. Suppressed is as safe: under an RLIMIT_CORE of 1 the kernel starts no pipe (core(5)),
 * and the sandbox sets that limit hard. */
static json_t *add_options(json_t *spec, const struct gbx_execution *execution) {
        json_t *options = json_pack("{s:s, s:b, s:b}", "core_pattern_pipe", "suppress", "core_scheduling",
                                    execution->sandbox.core_scheduling, "coarse_timers", execution->sandbox.coarse_timers);
        uint64_t cpu_percent = execution->limits.cpu_percent;
        int r = json_object_set_new(spec, "options", options);

        if (r >= 0 && cpu_percent)
                r = json_object_set_new(json_object_get(spec, "limits"), "cpu_percent", json_integer((json_int_t)cpu_percent));
        if (r >= 0)
                return spec;
        json_decref(spec);
        return NULL;
}

static json_t *make_spec(const struct gbx_execution *execution, const struct engine *engine, const char *image, const char *digest,
                         const char *entry, const int mounts[4], const struct gbx_launch_pipe pipes[3]) {
        const struct gbx_execution_limits *limits = &execution->limits;
        json_t *environment = json_pack("{s:s}", "TZ", "UTC");

        if (environment && execution->environment)
                (void)json_object_update((json_t *)environment, (json_t *)(uintptr_t)execution->environment);
        return add_options(add_etc_mount(json_pack(
                "{s:i, s:s, s:{s:s, s:s}, s:o, s:o, s:s,"
                " s:[{s:s, s:i}, {s:s, s:i, s:b}, {s:s, s:i, s:b}, {s:s, s:{s:I, s:i}}],"
                " s:{s:i}, s:n, s:i, s:i,"
                " s:{s:I, s:I, s:I, s:I, s:I, s:I, s:i}, s:o}",
                "version", 1, "name", execution->id, "image", "file", image, "digest", digest, "argv", make_argv(engine, entry), "env",
                environment, "profile", redirected(execution, engine) ? "native-redirect" : engine->profile, "mounts",
                "target", "/data", "fd", mounts[0],
                "target", "/job", "fd", mounts[1], "executable", 1,
                "target", "/out", "fd", mounts[2], "writable", 1,
                "target", "/tmp", "tmpfs", "bytes", (json_int_t)limits->scratch_bytes, "inodes", TMP_FILES,
                "pass_fds", "3", pipes[0].write_end, "stdin", "stdout", pipes[1].write_end, "stderr", pipes[2].write_end,
                "limits", "wall_ms", (json_int_t)limits->wall_ms, "cpu_ms", (json_int_t)limits->cpu_ms, "memory_bytes",
                (json_int_t)limits->memory_bytes, "pids", (json_int_t)limits->processes, "open_files",
                (json_int_t)limits->open_files, "file_bytes", (json_int_t)limits->output_bytes, "denials", DENIALS,
                "network", make_network(execution, engine)), mounts[3]), execution);
}

/* Runs gbx-sandbox over the mounts (the last one may be -1); fills `sandbox`, `end` and `error_bytes`. */
static int launch(const struct gbx_execution *execution, const struct engine *engine, const char *image, const char *digest,
                  const struct program *started, const int mounts[4], struct gbx_execution_result *result, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *program = NULL;
        struct gbx_listener listener = { .host = engine->host != NULL, .lines = started->lines, .progress = execution->progress,
                                         .userdata = execution->userdata };
        gbx_auto(gbx_json_freep) json_t *spec = NULL;
        struct gbx_launch_pipe pipes[3] = { { -1, -1, 0, NULL, NULL, 0, false }, { -1, -1, 0, NULL, NULL, 0, false }, { -1, -1, 0, NULL, NULL, 0, false } };
        int r = gbx_install_program("gbx-sandbox", &program, err);

        if (r >= 0)
                r = gbx_launch_pipe_open(&pipes[0], PROGRESS_LIMIT, gbx_listener_take, &listener, err);
        if (r >= 0)
                r = gbx_launch_pipe_open(&pipes[1], STREAM_LIMIT, NULL, NULL, err);
        if (r >= 0)
                r = gbx_launch_pipe_open(&pipes[2], STREAM_LIMIT, NULL, NULL, err);
        if (r >= 0) {
                spec = make_spec(execution, engine, image, digest, started->entry, mounts, pipes);
                r = spec ? 0 : gbx_fail_memory(err);
        }
        if (r >= 0) {
                int descriptors[6] = { mounts[0], mounts[1], mounts[2] };
                size_t count = 3;

                if (execution->network > 0)
                        descriptors[count++] = execution->network;
                if (redirected(execution, engine))
                        descriptors[count++] = execution->connects;
                if (mounts[3] >= 0)
                        descriptors[count++] = mounts[3];
                r = gbx_launch_run(&(struct gbx_launch){ program, spec, descriptors, count, pipes, 3, execution->cancel }, &result->sandbox, err);
        }
        if (r >= 0) {
                result->end = listener.end;
                result->error_bytes = pipes[2].taken;
        }
        for (size_t i = 0; i < gbx_array_size(pipes); i++)
                gbx_launch_pipe_close(&pipes[i]);
        return r;
}

/* What stands around the job: its data, program and outputs. */
struct surroundings {
        struct gbx_delivery *data, *job, *etc;
        struct program program;
        int mounts[4];
};

static void free_surroundings(struct surroundings *around) {
        around->data = gbx_delivery_free(around->data);
        around->job = gbx_delivery_free(around->job);
        around->etc = gbx_delivery_free(around->etc);
        free_program(&around->program);
}

static int surround(const struct gbx_execution *execution, const struct engine *engine, struct surroundings *around,
                    struct gbx_execution_result *result, struct gbx_error *err) {
        int r = deliver_data(execution, &around->data, err);

        if (r >= 0)
                r = prepare_job(execution, &around->job, &around->program, err);
        if (r >= 0 && execution->hosts && redirected(execution, engine))
                r = prepare_etc(execution, &around->etc, err);
        if (r >= 0)
                r = gbx_delivery_new(&result->out, GBX_DELIVERY_OUTPUT,
                                     (struct gbx_delivery_limits){ execution->limits.output_bytes, execution->limits.output_files }, err);
        if (r < 0)
                return r;
        around->mounts[0] = gbx_delivery_mount_fd(around->data);
        around->mounts[1] = gbx_delivery_mount_fd(around->job);
        around->mounts[2] = gbx_delivery_mount_fd(result->out);
        around->mounts[3] = around->etc ? gbx_delivery_mount_fd(around->etc) : -1;
        return 0;
}

static int say_cancelled(struct gbx_execution_result *result, struct gbx_error *err) {
        result->sandbox = json_pack("{s:s}", "outcome", "cancelled");
        return result->sandbox ? 0 : gbx_fail_memory(err);
}

int gbx_execute(const struct gbx_execution *execution, struct gbx_execution_result *ret, struct gbx_error *err) {
        const struct engine *engine = find_engine(execution->engine);
        gbx_auto(gbx_execution_result_free) struct gbx_execution_result result = {};
        gbx_auto(free_surroundings) struct surroundings around = {};
        gbx_auto(gbx_free_pointer) char *image = NULL;
        int r;

        if (!engine)
                return gbx_fail(err, -EINVAL, "there is no engine '%s'", execution->engine);
        r = gbx_install_image(engine->image, &image, &result.image, err);
        if (r >= 0)
                r = surround(execution, engine, &around, &result, err);
        if ((r >= 0 || r == -ECANCELED) && gbx_interrupt_asked(execution->cancel))
                r = say_cancelled(&result, err); /* before it was started */
        else if (r >= 0)
                r = launch(execution, engine, image, result.image, &around.program, around.mounts, &result, err);
        if (r >= 0 && result.out)
                r = gbx_delivery_seal(result.out, err);
        if (r < 0)
                return r;
        *ret = result;
        result = (struct gbx_execution_result){};
        return 0;
}
