#include "runtime/sandbox/skeleton.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/sandbox/mounts.h"
#include "runtime/sandbox/syscalls.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
        MAX_ENTRIES = 64,
        SKELETON_BYTES = 1024 * 1024,
        SKELETON_INODES = 256,
};

int gbx_directory_each(int fd, int (*take)(void *userdata, int directory, const char *name, struct gbx_error *err),
                       void *userdata, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _Alignas(struct dirent64) char block[8192];
        unsigned entries = 0;

        if (directory < 0)
                return gbx_fail_errno(err, "image: cannot read its root directory");
        for (;;) {
                ssize_t size = getdents64(directory, (void *)block, sizeof block);

                if (size < 0)
                        return gbx_fail_errno(err, "image: cannot read its root directory");
                if (size == 0)
                        return 0;
                for (ssize_t at = 0; at < size;) {
                        struct dirent64 *entry = (struct dirent64 *)(void *)(block + at);
                        int r;

                        at += entry->d_reclen;
                        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                                continue;
                        if (++entries > MAX_ENTRIES)
                                return gbx_fail(err, -EINVAL, "image: more than %d entries in its root directory",
                                                MAX_ENTRIES);
                        r = take(userdata, directory, entry->d_name, err);
                        if (r < 0)
                                return r;
                }
        }
}

/* 1: something to mount on is missing. 0: all is there. */
static int lacks(struct gbx_run *run, const char *target, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = sys_open_beneath(run->root, target + 1, O_PATH);

        if (fd >= 0)
                return 0;
        if (errno == ENOENT)
                return 1;
        if (errno == ELOOP)
                return gbx_fail(err, -EINVAL, "image: '%s' is, or lies behind, a symlink", target);
        if (errno == ENOSYS)
                return gbx_fail(err, -ENOSYS, "this kernel lacks openat2(2), without which paths of an image cannot be "
                                              "opened safely (Linux 5.6 has it)");
        return gbx_fail_errno(err, "image: cannot open '%s'", target);
}

static bool is_nested_in_mount(const struct gbx_spec *spec, size_t item) {
        for (size_t i = 0; i < spec->mount_count; i++) {
                size_t length = strlen(spec->mounts[i].target);

                if (i != item && strncmp(spec->mounts[i].target, spec->mounts[item].target, length) == 0 &&
                    spec->mounts[item].target[length] == '/')
                        return true;
        }
        return false;
}

static int needs_skeleton(struct gbx_run *run, struct gbx_error *err) {
        int needed = lacks(run, "/dev", err), r;

        if (needed < 0)
                return needed;
        r = lacks(run, "/proc", err);
        if (r < 0)
                return r;
        needed |= r;
        for (size_t i = 0; i < run->spec.mount_count; i++) {
                if (is_nested_in_mount(&run->spec, i))
                        continue;
                r = lacks(run, run->spec.mounts[i].target, err);
                if (r < 0)
                        return r;
                needed |= r;
        }
        return needed;
}

struct skeleton {
        struct gbx_run *run;
        int root; /* the tmpfs */
};

/* Whether `name` is the first component of something that we mount. */
static bool is_ours(const struct gbx_spec *spec, const char *name) {
        size_t length = strlen(name);

        if (strcmp(name, "dev") == 0 || strcmp(name, "proc") == 0)
                return true;
        for (size_t i = 0; i < spec->mount_count; i++)
                if (strcmp(spec->mounts[i].target + 1, name) == 0)
                        return true;
        (void)length;
        return false;
}

static int copy_symlink(struct skeleton *skeleton, int directory, const char *name, struct gbx_error *err) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(directory, name, target, sizeof target - 1);

        if (length < 0)
                return gbx_fail_errno(err, "image: cannot read the symlink '/%.255s'", name);
        target[length] = '\0';
        if (symlinkat(target, skeleton->root, name) < 0)
                return gbx_fail_errno(err, "image: cannot copy the symlink '/%.255s'", name);
        return 0;
}

/* Binds one top-level entry of the image into the skeleton. */
static int bind_entry(void *userdata, int directory, const char *name, struct gbx_error *err) {
        struct skeleton *skeleton = userdata;
        struct gbx_run *run = skeleton->run;
        gbx_auto(gbx_close_fd) int entry = -1;
        struct gbx_run_mount *mount = &run->mounts[run->mount_count];
        struct stat status;

        if (is_ours(&run->spec, name))
                return 0;
        entry = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (entry < 0 || fstat(entry, &status) < 0)
                return gbx_fail_errno(err, "image: cannot open '/%.255s'", name);
        if (S_ISLNK(status.st_mode))
                return copy_symlink(skeleton, directory, name, err);
        if (S_ISDIR(status.st_mode) ? mkdirat(skeleton->root, name, 0755) < 0
                                    : mknodat(skeleton->root, name, S_IFREG | 0444, 0) < 0)
                return gbx_fail_errno(err, "cannot make '/%.255s' in the skeleton", name);
        *mount = (struct gbx_run_mount){ .target = "an entry of the image", .mount = -1, .place = -1 };
        mount->mount = open_tree(entry, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        mount->place = sys_open_beneath(skeleton->root, name, O_PATH);
        if (mount->mount < 0 || mount->place < 0)
                return gbx_fail_errno(err, "cannot bind '/%.255s' of the image", name);
        run->mount_count++;
        return 0;
}

static int make_missing(struct skeleton *skeleton, const char *target, struct gbx_error *err) {
        const char *path = target + 1;

        return gbx_make_directories(skeleton->root, path, 0755, err);
}

int gbx_skeleton_prepare(struct gbx_run *run, struct gbx_error *err) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        struct skeleton skeleton = { .run = run, .root = -1 };
        int r = needs_skeleton(run, err);
        bool noswap;

        if (r <= 0)
                return r;
        skeleton.root = gbx_mounts_tmpfs(SKELETON_BYTES, SKELETON_INODES, "0755", 0, &noswap, err);
        if (skeleton.root < 0)
                return skeleton.root;
        r = gbx_directory_each(run->root, bind_entry, &skeleton, err);
        if (r == 0)
                r = make_missing(&skeleton, "/dev", err);
        if (r == 0)
                r = make_missing(&skeleton, "/proc", err);
        for (size_t i = 0; i < run->spec.mount_count && r == 0; i++)
                if (!is_nested_in_mount(&run->spec, i))
                        r = make_missing(&skeleton, run->spec.mounts[i].target, err);
        if (r == 0 && !gbx_layer_off(&run->spec, GBX_LAYER_READ_ONLY) &&
            mount_setattr(skeleton.root, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                r = gbx_fail_errno(err, "cannot make the skeleton read-only (mount_setattr)");
        if (r < 0) {
                gbx_close_fd(&skeleton.root);
                return r;
        }
        (void)close(run->root);
        run->root = skeleton.root;
        run->layers.skeleton = true;
        return 0;
}
