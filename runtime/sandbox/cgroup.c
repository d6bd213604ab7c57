#include "runtime/sandbox/cgroup.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define ROOT "/sys/fs/cgroup"

enum {
        CGROUP2_MAGIC = 0x63677270,
        FILE_SIZE = 4096,
        MAX_LIMIT_TEXT = 64,
        MAX_ATTEMPTS = 100,
};

/* The controllers of version 1 that a run gets a directory in; cpu last, because it is optional. */
static const char *const v1_controllers[] = { "memory", "pids", "cpuacct", "cpu" };

/* Reads a small file of the kernel as text; "" if it is not there. */
static const char *read_small(int directory, const char *name, char ret[static FILE_SIZE]) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, ret, FILE_SIZE - 1);

        ret[size < 0 ? 0 : size] = '\0';
        return ret;
}

static int write_small(int directory, const char *name, const char *text, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return gbx_fail_errno(err, "cannot open %s", name);
        if (write(fd, text, strlen(text)) < 0)
                return gbx_fail_errno(err, "cannot write '%s' to %s", text, name);
        return 0;
}

static int write_number(int directory, const char *name, uint64_t value, struct gbx_error *err) {
        char text[24];

        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        return write_small(directory, name, text, err);
}

static uint64_t read_number(int directory, const char *name) {
        char text[FILE_SIZE];

        return strtoull(read_small(directory, name, text), NULL, 10);
}

uint64_t gbx_cgroup_keyed_value(const char *text, const char *key) {
        size_t length = strlen(key);

        while (text && *text) {
                if (strncmp(text, key, length) == 0 && text[length] == ' ')
                        return strtoull(text + length + 1, NULL, 10);
                text = strchr(text, '\n');
                text = text ? text + 1 : NULL;
        }
        return 0;
}

int gbx_cgroup_own_path(const char *text, const char *controller, char *ret, size_t size, struct gbx_error *err) {
        size_t wanted = strlen(controller);

        for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
                const char *names = memchr(line, ':', strlen(line)), *path;

                end = strchrnul(line, '\n');
                if (!names || names > end)
                        continue;
                names++;
                path = memchr(names, ':', (size_t)(end - names));
                if (!path)
                        continue;
                for (const char *name = names, *stop; name <= path; name = stop + 1) {
                        stop = memchr(name, ',', (size_t)(path - name));
                        stop = stop ? stop : path;
                        if ((size_t)(stop - name) != wanted || memcmp(name, controller, wanted) != 0)
                                continue;
                        path++;
                        if (*path != '/' || (size_t)(end - path) >= size)
                                return gbx_fail(err, -EINVAL, "/proc/self/cgroup: unexpected path");
                        memcpy(ret, path, (size_t)(end - path));
                        ret[end - path] = '\0';
                        return 0;
                }
        }
        return gbx_fail(err, -ENOENT, "this host has no cgroup controller '%s'", controller);
}

static bool has_word(const char *text, const char *word) {
        size_t length = strlen(word);

        for (const char *at = text; (at = strstr(at, word)); at += length)
                if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\n' || !at[length]))
                        return true;
        return false;
}

int gbx_cgroup_detect(struct gbx_error *err) {
        char text[FILE_SIZE];
        struct statfs status;

        if (statfs(ROOT, &status) < 0)
                return gbx_fail_errno(err, "cgroup: nothing is mounted on " ROOT);
        if (status.f_type == CGROUP2_MAGIC) {
                (void)read_small(AT_FDCWD, ROOT "/cgroup.controllers", text);
                for (const char *const *name = (const char *const[]){ "memory", "pids", NULL }; *name; name++)
                        if (!has_word(text, *name))
                                return gbx_fail(err, -EOPNOTSUPP, "cgroup: the controller '%s' is not in " ROOT
                                                                  "/cgroup.controllers", *name);
                return 2;
        }
        return 1;
}

static int set_path(char *ret, const char *base, const char *own, uint32_t user, const char *name,
                    struct gbx_error *err) {
        char suffix[16] = "";
        int length;

        if (user)
                (void)snprintf(suffix, sizeof suffix, "-%u", user);
        length = snprintf(ret, GBX_CGROUP_PATH_SIZE, "%s%s%s" GBX_CGROUP_PARENT "%s/gbx-%s-%d", base, own,
                          own[strlen(own) - 1] == '/' ? "" : "/", suffix, name, getpid());

        if (length < 0 || length >= GBX_CGROUP_PATH_SIZE)
                return gbx_fail(err, -ENAMETOOLONG, "cgroup: the path '%s%s' is too long", base, own);
        return 0;
}

static int plan_v1(struct gbx_cgroup *cgroup, const char *name, uint32_t user, bool with_cpu,
                   struct gbx_error *err) {
        char text[FILE_SIZE], own[GBX_CGROUP_PATH_SIZE], base[64];

        (void)read_small(AT_FDCWD, "/proc/self/cgroup", text);
        cgroup->count = with_cpu ? 4 : 3;
        for (size_t i = 0; i < cgroup->count; i++) {
                int r = gbx_cgroup_own_path(text, v1_controllers[i], own, sizeof own, err);

                cgroup->controllers[i] = v1_controllers[i];
                (void)snprintf(base, sizeof base, ROOT "/%s", v1_controllers[i]);
                if (r == 0)
                        r = set_path(cgroup->paths[i], base, own, user, name, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_cgroup_plan(struct gbx_cgroup *ret, const char *name, const char *delegated, uint32_t user, bool with_cpu,
                    struct gbx_error *err) {
        struct gbx_cgroup cgroup = { .pids_events = -1 };
        int r = gbx_cgroup_detect(err);

        if (r < 0)
                return r;
        cgroup.version = r;
        for (size_t i = 0; i < GBX_CGROUP_MAX; i++)
                cgroup.directories[i] = cgroup.entries[i] = -1;
        if (cgroup.version == 1)
                r = plan_v1(&cgroup, name, user, with_cpu, err);
        else {
                cgroup.count = 1;
                cgroup.controllers[0] = "";
                r = set_path(cgroup.paths[0], ROOT, delegated ? delegated : "/", user, name, err);
        }
        if (r < 0)
                return r;
        *ret = cgroup;
        return 0;
}

/* Version 2: a cgroup must hand on the controllers for its children to have them. */
static int hand_on_controllers(const char *path, bool with_cpu, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char text[FILE_SIZE];

        if (directory < 0)
                return gbx_fail_errno(err, "cannot open '%s'", path);
        (void)read_small(directory, "cgroup.subtree_control", text);
        if (has_word(text, "memory") && has_word(text, "pids") && (!with_cpu || has_word(text, "cpu")))
                return 0;
        if (write_small(directory, "cgroup.subtree_control", with_cpu ? "+memory +pids +cpu" : "+memory +pids", err) < 0)
                return gbx_context(err, -EOPNOTSUPP, "'%s' does not hand on its controllers (delegate one that does, "
                                                     "see options.cgroup)", path);
        return 0;
}

/* Makes the folder that all runs share, and on version 2 lets it and its own parent hand on the controllers. */
static int prepare_parent(const struct gbx_cgroup *cgroup, size_t i, bool with_cpu, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *parent =
                strndup(cgroup->paths[i], (size_t)(strrchr(cgroup->paths[i], '/') - cgroup->paths[i]));
        char *slash;
        int r;

        if (!parent)
                return gbx_fail_memory(err);
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
                return gbx_fail_errno(err, "cannot make '%s' (for an ordinary user, root makes it and gives it to him)",
                                      parent);
        if (cgroup->version == 1)
                return 0;
        slash = strrchr(parent, '/');
        *slash = '\0';
        r = hand_on_controllers(parent, with_cpu, err);
        *slash = '/';
        return r < 0 ? r : hand_on_controllers(parent, with_cpu, err);
}

struct setting {
        const char *file;
        uint64_t value;
        bool optional; /* a kernel may be built without it */
};

static int apply(int directory, const struct setting *settings, size_t count, struct gbx_error *err) {
        for (size_t i = 0; i < count; i++) {
                int r = write_number(directory, settings[i].file, settings[i].value, err);

                if (r < 0 && !(settings[i].optional && r == -ENOENT))
                        return r;
        }
        return 0;
}

static int set_v1(const struct gbx_cgroup *cgroup, const struct gbx_cgroup_limits *limits, struct gbx_error *err) {
        const struct setting memory[] = {
                { "memory.limit_in_bytes", limits->memory_bytes, false },
                { "memory.memsw.limit_in_bytes", limits->memory_bytes, true },
                { "memory.swappiness", 0, true },
        };
        const struct setting pids[] = { { "pids.max", limits->pids, false } };
        const struct setting cpu[] = { { "cpu.cfs_quota_us", limits->cpu_percent * 1000, false } };
        int r = apply(cgroup->directories[0], memory, gbx_array_size(memory), err);

        if (r == 0)
                r = apply(cgroup->directories[1], pids, gbx_array_size(pids), err);
        if (r == 0 && cgroup->count == 4)
                r = apply(cgroup->directories[3], cpu, gbx_array_size(cpu), err);
        return r;
}

static int set_v2(const struct gbx_cgroup *cgroup, const struct gbx_cgroup_limits *limits, struct gbx_error *err) {
        const struct setting settings[] = {
                { "memory.max", limits->memory_bytes, false },
                { "memory.swap.max", 0, true },
                { "memory.zswap.max", 0, true },
                { "memory.oom.group", 1, false },
                { "pids.max", limits->pids, false },
        };
        char text[MAX_LIMIT_TEXT];
        int r = apply(cgroup->directories[0], settings, gbx_array_size(settings), err);

        if (r < 0 || !limits->cpu_percent)
                return r;
        (void)snprintf(text, sizeof text, "%llu 100000", (unsigned long long)limits->cpu_percent * 1000);
        return write_small(cgroup->directories[0], "cpu.max", text, err);
}

static int try_directory(struct gbx_cgroup *cgroup, size_t i, bool with_cpu, struct gbx_error *err) {
        int r = 0;

        if (cgroup->version == 2)
                r = prepare_parent(cgroup, i, with_cpu, err);
        if (r < 0)
                return r;
        if (mkdir(cgroup->paths[i], 0755) < 0) {
                if (errno != ENOENT)
                        return gbx_fail_errno(err, "cannot make '%s'", cgroup->paths[i]);
                r = prepare_parent(cgroup, i, with_cpu, err);
                if (r < 0)
                        return r;
                if (mkdir(cgroup->paths[i], 0755) < 0)
                        return gbx_fail_errno(err, "cannot make '%s'", cgroup->paths[i]);
        }
        cgroup->directories[i] = open(cgroup->paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (cgroup->directories[i] < 0 || flock(cgroup->directories[i], LOCK_SH) < 0)
                return gbx_fail_errno(err, "cannot open '%s'", cgroup->paths[i]);
        if (cgroup->version == 2)
                return 0;
        /* Init has one thread, so "tasks" moves as much as "cgroup.procs" would. But a thread that moves itself is spared
         * the kernel's lock against changing thread groups, whose writer waits for an RCU grace period (10 ms seen). */
        cgroup->entries[i] = openat(cgroup->directories[i], "tasks", O_WRONLY | O_CLOEXEC);
        if (cgroup->entries[i] < 0)
                return gbx_fail_errno(err, "cannot open '%s/tasks'", cgroup->paths[i]);
        return 0;
}

/* Between its making and its lock a directory looks like a leftover, which `gbx-sandbox gc` takes away. */
static int make_directory(struct gbx_cgroup *cgroup, size_t i, bool with_cpu, struct gbx_error *err) {
        int r = -ENOENT;

        for (int attempt = 0; attempt < MAX_ATTEMPTS && r == -ENOENT; attempt++) {
                gbx_close_fd(&cgroup->directories[i]);
                r = try_directory(cgroup, i, with_cpu, err);
        }
        return r;
}

int gbx_cgroup_create(struct gbx_cgroup *cgroup, const struct gbx_cgroup_limits *limits, struct gbx_error *err) {
        int r = 0;

        for (size_t i = 0; i < cgroup->count && r == 0; i++)
                r = make_directory(cgroup, i, limits->cpu_percent > 0, err);
        if (r == 0)
                r = cgroup->version == 2 ? set_v2(cgroup, limits, err) : set_v1(cgroup, limits, err);
        if (r < 0)
                return gbx_context(err, r, "cgroup");
        cgroup->pids_events = openat(cgroup->directories[cgroup->version == 2 ? 0 : 1], "pids.events",
                                     O_RDONLY | O_CLOEXEC);
        return 0;
}

int gbx_cgroup_enter(const struct gbx_cgroup *cgroup, struct gbx_error *err) {
        if (cgroup->version != 1)
                return 0;
        for (size_t i = 0; i < cgroup->count; i++)
                if (write(cgroup->entries[i], "0", 1) < 0)
                        return gbx_fail_errno(err, "cgroup: cannot enter '%s'", cgroup->paths[i]);
        return 0;
}

uint64_t gbx_cgroup_cpu_us(const struct gbx_cgroup *cgroup) {
        char text[FILE_SIZE];

        if (cgroup->version == 1)
                return read_number(cgroup->directories[2], "cpuacct.usage") / 1000;
        if (cgroup->version == 2)
                return gbx_cgroup_keyed_value(read_small(cgroup->directories[0], "cpu.stat", text), "usage_usec");
        return 0;
}

uint64_t gbx_cgroup_pids_refused(const struct gbx_cgroup *cgroup) {
        char text[FILE_SIZE];
        ssize_t size;

        if (cgroup->pids_events < 0)
                return 0;
        size = pread(cgroup->pids_events, text, sizeof text - 1, 0);
        text[size < 0 ? 0 : size] = '\0';
        return gbx_cgroup_keyed_value(text, "max");
}

void gbx_cgroup_usage(const struct gbx_cgroup *cgroup, struct gbx_cgroup_usage *ret) {
        char text[FILE_SIZE];

        *ret = (struct gbx_cgroup_usage){};
        if (cgroup->version == 0)
                return;
        ret->cpu_us = gbx_cgroup_cpu_us(cgroup);
        ret->pids_refused = gbx_cgroup_pids_refused(cgroup);
        if (cgroup->version == 1) {
                ret->memory_peak_bytes = read_number(cgroup->directories[0], "memory.max_usage_in_bytes");
                ret->oom_kills = gbx_cgroup_keyed_value(
                        read_small(cgroup->directories[0], "memory.oom_control", text), "oom_kill");
                ret->pids_peak = read_number(cgroup->directories[1], "pids.peak");
                return;
        }
        ret->memory_peak_bytes = read_number(cgroup->directories[0], "memory.peak");
        ret->oom_kills =
                gbx_cgroup_keyed_value(read_small(cgroup->directories[0], "memory.events", text), "oom_kill");
        ret->pids_peak = read_number(cgroup->directories[0], "pids.peak");
}

void gbx_cgroup_kill(const struct gbx_cgroup *cgroup) {
        if (cgroup->version == 2 && cgroup->directories[0] >= 0)
                (void)write_small(cgroup->directories[0], "cgroup.kill", "1", NULL);
}

int gbx_cgroup_remove(struct gbx_cgroup *cgroup) {
        int r = 0;

        for (size_t i = 0; i < cgroup->count; i++)
                if (cgroup->paths[i][0] && rmdir(cgroup->paths[i]) < 0 && errno != ENOENT)
                        r = -errno;
        return r;
}

void gbx_cgroup_close(struct gbx_cgroup *cgroup) {
        for (size_t i = 0; i < cgroup->count; i++) {
                gbx_close_fd(&cgroup->directories[i]);
                gbx_close_fd(&cgroup->entries[i]);
        }
        if (cgroup->version)
                gbx_close_fd(&cgroup->pids_events);
}
