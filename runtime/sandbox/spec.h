/*
 * What to run, and how confined: the spec of `gbx-sandbox run`
 *
 * One strict JSON object (docs/sandbox.md describes every field): unknown or
 * duplicate fields, wrong types and values out of range are refused with the
 * field's path. A parsed spec owns its text; descriptors named in it stay the
 * caller's.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_SPEC_LIMIT = 1024 * 1024, /* bytes of a spec */
        GBX_SPEC_MAX_ARGUMENTS = 256,
        GBX_SPEC_MAX_ENVIRONMENT = 256,
        GBX_SPEC_MAX_MOUNTS = 32,
        GBX_SPEC_MAX_DESCRIPTORS = 16,
        GBX_SPEC_MAX_DESCRIPTOR = 255,   /* highest number a passed descriptor can have in the job */
        GBX_SPEC_MAX_OPEN_FILES = 1000,  /* below GBX_EXEC_DESCRIPTOR, see filter.h */
        GBX_SPEC_CLOSED = -1,            /* an absent descriptor: /dev/null */
};

enum gbx_mount_kind {
        GBX_MOUNT_DETACHED,  /* a mount descriptor made by the caller */
        GBX_MOUNT_DIRECTORY, /* a host directory, bound */
        GBX_MOUNT_TMPFS,     /* a new empty tmpfs */
        GBX_MOUNT_LATER,     /* a place for a mount that comes with a pool's order (order.h) */
};

struct gbx_spec_mount {
        const char *target; /* absolute, normalized */
        enum gbx_mount_kind kind;
        int fd;
        const char *directory;
        uint64_t bytes, inodes;
        bool writable, executable;
        bool later;
};

struct gbx_spec_descriptor {
        int inside, outside;
};

struct gbx_spec_limits {
        uint64_t wall_ms, cpu_ms;
        uint64_t memory_bytes;
        uint64_t pids;
        uint64_t open_files;
        uint64_t file_bytes;
        uint64_t denials;      /* reported system calls before the run is killed */
        uint64_t pids_refused; /* refused forks before the run is killed */
        uint64_t cpu_percent;  /* of one processor; 0: no cap */
};

enum gbx_core_pattern_pipe {
        GBX_CORE_PIPE_REFUSE,   /* a core_pattern that pipes refuses the run */
        GBX_CORE_PIPE_SUPPRESS, /* accepted; RLIMIT_CORE=1 makes the kernel skip the pipe */
};

/* Layers that a test build can switch off, to show that another one still holds (docs/sandbox.md). */
enum gbx_layer {
        GBX_LAYER_SECCOMP = 1U << 0,
        GBX_LAYER_LANDLOCK = 1U << 1,
        GBX_LAYER_CAPABILITIES = 1U << 2,
        GBX_LAYER_NO_NEW_PRIVILEGES = 1U << 3,
        GBX_LAYER_CGROUP = 1U << 4,
        GBX_LAYER_NETWORK = 1U << 5,
        GBX_LAYER_READ_ONLY = 1U << 6,
        GBX_LAYER_MOUNT_FLAGS = 1U << 7,
        GBX_LAYER_USER_IDENTITY = 1U << 8,
        GBX_LAYER_RESOURCE_LIMITS = 1U << 9,
        GBX_LAYER_CORE = 1U << 10,
        GBX_LAYER_PID_NAMESPACE = 1U << 11,
        GBX_LAYER_IPC_NAMESPACE = 1U << 12,
        GBX_LAYER_CLOSE_DESCRIPTORS = 1U << 13,
};

struct gbx_spec {
        json_t *json; /* owns every text below */
        const char *name;
        struct {
                const char *file, *digest, *directory; /* file or directory or fd */
                int fd;
        } image;
        const char *argv[GBX_SPEC_MAX_ARGUMENTS + 1];
        char *environment[GBX_SPEC_MAX_ENVIRONMENT + 1]; /* "NAME=value", owned */
        const char *cwd;
        const char *profile;
        struct gbx_spec_mount mounts[GBX_SPEC_MAX_MOUNTS];
        size_t mount_count;
        struct gbx_spec_descriptor descriptors[GBX_SPEC_MAX_DESCRIPTORS + 3]; /* 0, 1 and 2 come first */
        size_t descriptor_count;
        struct gbx_spec_limits limits;
        int network_fd; /* -1: a new, empty namespace */
        int notify_connect_fd; /* -1: connect(2) is an ordinary system call of the profile */
        struct {
                enum gbx_core_pattern_pipe core_pattern_pipe;
                bool require_landlock;
                bool core_scheduling;
                bool coarse_timers;
                const char *cgroup; /* delegated cgroup (v2) to make the run's cgroup in; NULL: chosen */
        } options;
        unsigned layers_off; /* of enum gbx_layer; always 0 outside a test build */
};

/* Parses `size` bytes of JSON. -EINVAL with "field.path: what is wrong". */
int gbx_spec_parse(struct gbx_spec *ret_spec, const char *text, size_t size, struct gbx_error *err);

/* Reads the file `path`, or standard input for "-", and parses it. */
int gbx_spec_read(struct gbx_spec *ret_spec, const char *path, struct gbx_error *err);

void gbx_spec_free(struct gbx_spec *spec);

/* The names of layers in "options.test_without" and in the result. */
struct gbx_layer_name {
        const char *name;
        enum gbx_layer layer;
};
extern const struct gbx_layer_name gbx_layer_names[];
extern const size_t gbx_layer_name_count;
