#include "runtime/sandbox/mounts.h"

#include "base/cleanup.h"
#include "runtime/sandbox/image.h"
#include "runtime/sandbox/landlock.h"
#include "runtime/sandbox/skeleton.h"
#include "runtime/sandbox/stage.h"
#include "runtime/sandbox/syscalls.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
        CLOSED = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
        DEVICE_BYTES = 64 * 1024,
        DEVICE_INODES = 32,
};

static bool set_number(int context, const char *name, uint64_t value) {
        char text[24];

        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        return fsconfig(context, FSCONFIG_SET_STRING, name, text, 0) == 0;
}

int gbx_mounts_tmpfs(uint64_t bytes, uint64_t inodes, const char *mode, uint64_t attributes, bool *ret_noswap,
                     struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int fd;

        if (context < 0)
                return gbx_fail_errno(err, "cannot open a tmpfs (fsopen)");
        *ret_noswap = fsconfig(context, FSCONFIG_SET_FLAG, "noswap", NULL, 0) == 0;
        if (!set_number(context, "size", bytes) || !set_number(context, "nr_inodes", inodes + 1) ||
            fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) < 0 ||
            fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return gbx_fail_errno(err, "cannot make a tmpfs (fsconfig)");
        fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot make a tmpfs (fsmount)");
        return fd;
}

static int add_mount(struct gbx_run *run, const char *target, int mount, const struct gbx_spec_mount *given,
                     struct gbx_error *err);

static const struct {
        const char *path;
        unsigned minor;
} devices[] = {
        { "/dev/null", 3 }, { "/dev/zero", 5 }, { "/dev/full", 7 }, { "/dev/random", 8 }, { "/dev/urandom", 9 },
};

static const char *name_of(const char *device) {
        return device + sizeof "/dev/" - 1;
}

/* Who may not make device nodes shows the host's, each over an empty file. They are attached behind /dev itself. */
static int bind_device(struct gbx_run *run, int directory, const char *path, struct gbx_error *err) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, .propagation = MS_PRIVATE };
        struct gbx_run_mount *entry = &run->mounts[run->mount_count];

        if (mknodat(directory, name_of(path), S_IFREG | 0666, 0) < 0)
                return gbx_fail_errno(err, "cannot make a place for %s", path);
        *entry = (struct gbx_run_mount){ .target = path, .mount = -1, .place = -1 };
        entry->mount = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (entry->mount < 0 || mount_setattr(entry->mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                return gbx_fail_errno(err, "cannot take a mount of %s", path);
        run->mount_count++;
        return 0;
}

/* The usual names of descriptors, and devices that hold no state. */
static int fill_devices(struct gbx_run *run, int directory, struct gbx_error *err) {
        static const struct { const char *name, *target; } links[] = {
                { "fd", "/proc/self/fd" },
                { "stdin", "/proc/self/fd/0" },
                { "stdout", "/proc/self/fd/1" },
                { "stderr", "/proc/self/fd/2" },
        };

        for (size_t i = 0; i < gbx_array_size(links); i++)
                if (symlinkat(links[i].target, directory, links[i].name) < 0)
                        return gbx_fail_errno(err, "cannot make /dev/%s", links[i].name);
        for (size_t i = 0; i < gbx_array_size(devices); i++) {
                int r = 0;

                if (run->ordinary)
                        r = bind_device(run, directory, devices[i].path, err);
                else if (mknodat(directory, name_of(devices[i].path), S_IFCHR | 0666, makedev(1, devices[i].minor)) < 0)
                        r = gbx_fail_errno(err, "cannot make %s", devices[i].path);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_devices(struct gbx_run *run, struct gbx_error *err) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
        int fd = gbx_mounts_tmpfs(DEVICE_BYTES, DEVICE_INODES, "0755", 0, &run->layers.noswap, err), r;

        if (fd < 0)
                return fd;
        r = add_mount(run, "/dev", fd, NULL, err);
        if (r == 0)
                r = fill_devices(run, fd, err);
        if (r == 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                r = gbx_fail_errno(err, "cannot make /dev read-only (mount_setattr)");
        return r;
}

static int bind_directory(const char *path, struct gbx_error *err) {
        int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (fd < 0)
                return gbx_fail_errno(err, "cannot take a mount of '%s'", path);
        return fd;
}

/* Of the whole tree: a mount that others made may bring more below it. */
static int set_attributes(const struct gbx_run *run, const struct gbx_spec_mount *item, int fd,
                          struct gbx_error *err) {
        struct mount_attr attributes = { .attr_set = CLOSED | MOUNT_ATTR_NOSYMFOLLOW, .propagation = MS_PRIVATE };

        if (item->executable) {
                attributes.attr_set &= ~(uint64_t)MOUNT_ATTR_NOEXEC;
                attributes.attr_clr |= MOUNT_ATTR_NOEXEC; /* whoever made a detached mount closed it */
        }
        if (item->kind == GBX_MOUNT_DIRECTORY || (item->kind == GBX_MOUNT_TMPFS && item->writable))
                attributes.attr_set &= ~(uint64_t)MOUNT_ATTR_NOSYMFOLLOW;
        if (!item->writable)
                attributes.attr_set |= MOUNT_ATTR_RDONLY;
        if (gbx_layer_off(&run->spec, GBX_LAYER_READ_ONLY))
                attributes.attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        if (gbx_layer_off(&run->spec, GBX_LAYER_MOUNT_FLAGS))
                attributes.attr_set &= MOUNT_ATTR_RDONLY;
        if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0)
                return 0;
        return gbx_fail_errno(err, "cannot set the mount's attributes (mount_setattr)");
}

/* A detached mount by descriptor. Whether it is attached somewhere shows only when init moves it; until then it keeps
 * its attributes, for an attached one is the host's own. */
static int take_given(const struct gbx_spec_mount *item, struct gbx_error *err) {
        struct statx status;
        int fd;

        /* Said early where the kernel tells (Linux 5.8); init's move_mount(2) refuses it in any case. */
        if (statx(item->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0 &&
            (status.stx_attributes_mask & ~status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return gbx_fail(err, -EINVAL, "descriptor %d is not a detached mount of its own", item->fd);
        fd = fcntl(item->fd, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? gbx_fail_errno(err, "cannot duplicate descriptor %d", item->fd) : fd;
}

/* The detached mount of one item of the spec, with its attributes unless others made it. */
static int make_mount(struct gbx_run *run, const struct gbx_spec_mount *item, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        int r;

        if (item->kind == GBX_MOUNT_DETACHED)
                return take_given(item, err);
        fd = item->kind == GBX_MOUNT_TMPFS
                     ? gbx_mounts_tmpfs(item->bytes, item->inodes, "1777", 0, &run->layers.noswap, err)
                     : bind_directory(item->directory, err);
        if (fd < 0)
                return fd;
        r = set_attributes(run, item, fd, err);
        return r < 0 ? r : gbx_take_fd(&fd);
}

/* Whether another mount of the spec lies above `target`. */
static bool is_nested(const struct gbx_spec *spec, const char *target) {
        for (size_t i = 0; i < spec->mount_count; i++) {
                size_t length = strlen(spec->mounts[i].target);

                if (strncmp(spec->mounts[i].target, target, length) == 0 && target[length] == '/')
                        return true;
        }
        return false;
}

static int find_place(struct gbx_run *run, const char *target, struct gbx_error *err) {
        int place = sys_open_beneath(run->root, target + 1, O_PATH);

        if (place >= 0)
                return place;
        if (errno == ELOOP)
                return gbx_fail(err, -EINVAL, "image: '%s' is, or lies behind, a symlink", target);
        return gbx_fail_errno(err, "image: cannot open '%s'", target);
}

static int add_mount(struct gbx_run *run, const char *target, int mount, const struct gbx_spec_mount *given,
                     struct gbx_error *err) {
        struct gbx_run_mount *entry = &run->mounts[run->mount_count];

        *entry = (struct gbx_run_mount){ .target = target, .given = given, .mount = mount, .place = -1 };
        run->mount_count++;
        if (is_nested(&run->spec, target))
                return 0;
        entry->place = find_place(run, target, err);
        return entry->place < 0 ? entry->place : 0;
}

int gbx_mounts_prepare(struct gbx_run *run, struct gbx_error *err) {
        int r;

        (void)umask(0); /* modes below are meant as written */
        run->root = gbx_image_mount(&run->spec, err);
        if (run->root < 0)
                return run->root;
        gbx_stage("image");
        r = gbx_skeleton_prepare(run, err);
        if (r < 0)
                return r;
        run->proc_place = find_place(run, "/proc", err);
        if (run->proc_place < 0)
                return run->proc_place;
        r = add_devices(run, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < run->spec.mount_count; i++) {
                const struct gbx_spec_mount *item = &run->spec.mounts[i];
                int mount = item->kind == GBX_MOUNT_LATER ? -1 : make_mount(run, item, err);

                if (mount < 0 && item->kind != GBX_MOUNT_LATER)
                        return gbx_context(err, mount, "mounts[%zu] (%s)", i, item->target);
                r = add_mount(run, item->target, mount, item->kind == GBX_MOUNT_DETACHED ? item : NULL, err);
                if (r < 0)
                        return gbx_context(err, r, "mounts[%zu] (%s)", i, item->target);
        }
        gbx_stage("tmpfs");
        return gbx_landlock_prepare(run, err);
}

/* Only processes of our own namespace, and of them only what ptrace would show; nothing of the host's kernel. */
static int make_proc(const struct gbx_run *run, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int context = fsopen("proc", FSOPEN_CLOEXEC);
        unsigned attributes = CLOSED | MOUNT_ATTR_RDONLY;
        int fd;

        if (context < 0)
                return gbx_fail_errno(err, "/proc: fsopen");
        if (fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
            fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "ptraceable", 0) < 0 ||
            fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return gbx_fail_errno(err, "/proc: fsconfig (subset=pid, hidepid=ptraceable)");
        if (gbx_layer_off(&run->spec, GBX_LAYER_READ_ONLY))
                attributes = CLOSED;
        fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
        if (fd < 0)
                return gbx_fail_errno(err, "/proc: fsmount");
        return fd;
}

static int put(int mount, int place, const char *target, struct gbx_error *err) {
        if (move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return gbx_fail_errno(err, "cannot attach the mount for '%s' (move_mount)", target);
        return 0;
}

/* The new root goes over the old one; after the pivot the old one lies on top and is let go. */
static int pivot(const struct gbx_run *run, struct gbx_error *err) {
        if (move_mount(run->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return gbx_fail_errno(err, "cannot attach the root (move_mount)");
        if (fchdir(run->root) < 0 || sys_pivot_root(".", ".") < 0)
                return gbx_fail_errno(err, "cannot change the root (pivot_root)");
        if (umount2(".", MNT_DETACH) < 0)
                return gbx_fail_errno(err, "cannot let go of the host's file tree (umount2)");
        if (chdir("/") < 0)
                return gbx_fail_errno(err, "cannot enter the new root");
        return 0;
}

int gbx_mounts_attach(struct gbx_run *run, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int proc = make_proc(run, err); /* before the host's /proc is out of sight */
        int r;

        if (proc < 0)
                return proc;
        gbx_stage("proc");
        r = pivot(run, err);
        if (r < 0)
                return r;
        gbx_stage("pivoted");
        r = put(proc, run->proc_place, "/proc", err);
        for (size_t i = 0; i < run->mount_count && r == 0; i++) {
                const struct gbx_run_mount *entry = &run->mounts[i];
                gbx_auto(gbx_close_fd) int nested = -1;

                if (entry->mount < 0)
                        continue;
                if (entry->place < 0) {
                        nested = find_place(run, entry->target, err);
                        if (nested < 0)
                                return nested;
                }
                r = put(entry->mount, entry->place < 0 ? nested : entry->place, entry->target, err);
                if (r == -EINVAL && entry->given)
                        return gbx_fail(err, r, "mounts (%s): descriptor %d is not a detached mount of its own",
                                        entry->target, entry->given->fd);
                if (r == 0 && entry->given)
                        r = set_attributes(run, entry->given, entry->mount, err);
        }
        return r;
}

static struct gbx_run_mount *find_mount(struct gbx_run *run, const char *target) {
        for (size_t i = 0; i < run->mount_count; i++)
                if (run->mounts[i].target == target)
                        return &run->mounts[i];
        return NULL;
}

int gbx_mounts_attach_later(struct gbx_run *run, const int *received, struct gbx_error *err) {
        for (size_t i = 0; i < run->order->mount_count; i++) {
                const struct gbx_spec_mount *item = &run->spec.mounts[run->order->mounts[i].mount];
                struct gbx_run_mount *entry = find_mount(run, item->target);
                int fd = received[run->order->mounts[i].position], r;

                if (!entry || entry->place < 0)
                        return gbx_fail(err, -EINVAL, "%s: a 'later' mount cannot lie below another", item->target);
                r = set_attributes(run, item, fd, err);
                if (r == 0 && run->landlock >= 0)
                        r = gbx_landlock_allow_mount(run, item, fd, err);
                if (r == 0)
                        r = put(fd, entry->place, item->target, err);
                if (r < 0)
                        return gbx_context(err, r, "mounts (%s)", item->target);
        }
        return 0;
}
