#include "runtime/sandbox/result.h"

#include "base/cleanup.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 }; /* getrusage(2): unit of ru_inblock and ru_oublock */

static const char *const limit_names[] = {
        [GBX_LIMIT_WALL] = "wall",       [GBX_LIMIT_CPU] = "cpu",   [GBX_LIMIT_MEMORY] = "memory", [GBX_LIMIT_PIDS] = "pids",
        [GBX_LIMIT_DENIALS] = "denials", [GBX_LIMIT_FILE] = "file",
};

static const char *error_name(int error) {
        static const struct { int error; const char *name; } names[] = {
                { EPERM, "EPERM" },     { ENOSYS, "ENOSYS" }, { EACCES, "EACCES" }, { EAFNOSUPPORT, "EAFNOSUPPORT" },
                { ENOENT, "ENOENT" },   { EINVAL, "EINVAL" }, { EOPNOTSUPP, "EOPNOTSUPP" },
                { EPROTOTYPE, "EPROTOTYPE" }, { EAGAIN, "EAGAIN" },
        };

        for (size_t i = 0; i < gbx_array_size(names); i++)
                if (names[i].error == error)
                        return names[i].name;
        return "?";
}

static bool was_signaled(const struct gbx_outcome *outcome, int *ret_signal) {
        if (outcome->profile_kill)
                *ret_signal = SIGSYS;
        else if (!outcome->ended)
                *ret_signal = SIGKILL;
        else if (outcome->code != CLD_EXITED)
                *ret_signal = outcome->status;
        else
                return false;
        return true;
}

int gbx_result_status(const struct gbx_outcome *outcome) {
        int number;

        if (outcome->limit != GBX_LIMIT_NONE || outcome->cancelled)
                return 128 + SIGKILL;
        return was_signaled(outcome, &number) ? 128 + number : outcome->status;
}

static int print_end(const struct gbx_outcome *outcome, struct gbx_buffer *text, struct gbx_error *err) {
        int number;

        if (outcome->limit != GBX_LIMIT_NONE)
                return gbx_buffer_printf(text, err, "\"outcome\":\"limit\",\"exit_code\":null,\"signal\":null,\"limit\":\"%s\"",
                                         limit_names[outcome->limit]);
        if (outcome->cancelled)
                return gbx_buffer_append_text(text, "\"outcome\":\"cancelled\",\"exit_code\":null,\"signal\":null,\"limit\":null", err);
        if (was_signaled(outcome, &number))
                return gbx_buffer_printf(text, err,
                                         "\"outcome\":\"signaled\",\"exit_code\":null,\"signal\":%d,\"limit\":null", number);
        return gbx_buffer_printf(text, err, "\"outcome\":\"exited\",\"exit_code\":%d,\"signal\":null,\"limit\":null",
                                 outcome->status);
}

static uint64_t milliseconds(const struct timeval *time) {
        return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

static int print_usage(const struct gbx_outcome *outcome, struct gbx_buffer *text, struct gbx_error *err) {
        uint64_t cpu_ms = milliseconds(&outcome->usage.ru_utime) + milliseconds(&outcome->usage.ru_stime);
        uint64_t memory = outcome->cgroup.memory_peak_bytes;

        if (outcome->cgroup.cpu_us / 1000 > cpu_ms)
                cpu_ms = outcome->cgroup.cpu_us / 1000;
        if (memory == 0)
                memory = (uint64_t)outcome->usage.ru_maxrss * 1024;
        return gbx_buffer_printf(text, err,
                                 ",\"cpu_ms\":%llu,\"wall_ms\":%llu,\"memory_peak_bytes\":%llu,\"pids_peak\":%llu,"
                                 "\"pids_refused\":%llu,\"io_read_bytes\":%llu,\"io_write_bytes\":%llu",
                                 (unsigned long long)cpu_ms, (unsigned long long)outcome->wall_us / 1000,
                                 (unsigned long long)memory,
                                 /* init is ours and not the job's */
                                 (unsigned long long)(outcome->cgroup.pids_peak ? outcome->cgroup.pids_peak - 1 : 0),
                                 (unsigned long long)outcome->cgroup.pids_refused,
                                 (unsigned long long)outcome->usage.ru_inblock * BLOCK,
                                 (unsigned long long)outcome->usage.ru_oublock * BLOCK);
}

static int print_denial(const struct gbx_denial *denial, struct gbx_buffer *text, struct gbx_error *err) {
        const char *name = gbx_syscall_name(denial->syscall), *names[GBX_DENIAL_NAMES_MAX];
        size_t count = gbx_denial_class_names(denial->syscall, &denial->class, names);
        int r = gbx_buffer_printf(text, err, "{\"syscall\":\"%s\",\"class\":[", name ? name : "other");

        for (size_t i = 0; i < count && r == 0; i++)
                r = gbx_buffer_printf(text, err, "%s\"%s\"", i ? "," : "", names[i]);
        if (r < 0)
                return r;
        return gbx_buffer_printf(text, err, "],\"count\":%llu,\"action\":\"%s%s\"}", (unsigned long long)denial->count,
                                 denial->action.kind == GBX_DENIAL_KILL ? "kill" : "errno ",
                                 denial->action.kind == GBX_DENIAL_KILL ? "" : error_name(denial->action.error));
}

static int print_denials(const struct gbx_denials *denials, struct gbx_buffer *text, struct gbx_error *err) {
        int r = gbx_buffer_append_text(text, ",\"denied\":[", err);

        for (size_t i = 0; i < denials->group_count && r == 0; i++) {
                if (i > 0)
                        r = gbx_buffer_append_byte(text, ',', err);
                if (r == 0)
                        r = print_denial(&denials->groups[i], text, err);
        }
        if (r < 0)
                return r;
        return gbx_buffer_printf(text, err, "],\"denied_total\":%llu", (unsigned long long)denials->total);
}

static const char *truth(bool value) {
        return value ? "true" : "false";
}

static int print_layers(const struct gbx_run *run, struct gbx_buffer *text, struct gbx_error *err) {
        const struct gbx_spec *spec = &run->spec;
        const struct gbx_run_layers *layers = &run->layers;
        int r = gbx_buffer_append_text(text, ",\"layers\":{\"user_namespace\":true,\"mount_namespace\":true,"
                                             "\"uts_namespace\":true,\"cgroup_namespace\":true,\"time_namespace\":true", err);

        for (size_t i = 0; i < gbx_layer_name_count && r == 0; i++)
                if (gbx_layer_names[i].layer & ~(unsigned)(GBX_LAYER_SECCOMP | GBX_LAYER_LANDLOCK | GBX_LAYER_CGROUP))
                        r = gbx_buffer_printf(text, err, ",\"%s\":%s", gbx_layer_names[i].name,
                                              truth(!gbx_layer_off(spec, gbx_layer_names[i].layer)));
        if (r == 0)
                r = layers->landlock_abi ? gbx_buffer_printf(text, err, ",\"landlock\":\"abi %d\"", layers->landlock_abi)
                                         : gbx_buffer_append_text(text, ",\"landlock\":\"unavailable\"", err);
        if (r == 0)
                r = run->cgroup.version ? gbx_buffer_printf(text, err, ",\"cgroup\":\"v%d\"", run->cgroup.version)
                                        : gbx_buffer_append_text(text, ",\"cgroup\":\"none\"", err);
        if (r == 0)
                r = gbx_buffer_printf(text, err, ",\"seccomp\":\"%s\"",
                                      gbx_layer_off(spec, GBX_LAYER_SECCOMP) ? "none" : run->filter->digest);
        if (r < 0)
                return r;
        return gbx_buffer_printf(text, err,
                                 ",\"noswap\":%s,\"own_root\":%s,\"core_scheduling\":%s,\"coarse_timers\":%s,"
                                 "\"first_uid\":%u}",
                                 truth(layers->noswap), truth(layers->skeleton), truth(spec->options.core_scheduling),
                                 truth(spec->options.coarse_timers), run->outside_id);
}

int gbx_result_format(const struct gbx_run *run, const struct gbx_outcome *outcome, struct gbx_buffer *ret_text,
                      struct gbx_error *err) {
        int r = gbx_buffer_reserve(ret_text, 2048, err);

        if (r == 0)
                r = gbx_buffer_printf(ret_text, err, "{\"version\":1,\"name\":\"%s\",", run->spec.name);
        if (r == 0)
                r = print_end(outcome, ret_text, err);
        if (r == 0)
                r = print_usage(outcome, ret_text, err);
        if (r == 0)
                r = print_denials(&outcome->denials, ret_text, err);
        if (r == 0)
                r = print_layers(run, ret_text, err);
        return r < 0 ? r : gbx_buffer_append_text(ret_text, "}\n", err);
}
