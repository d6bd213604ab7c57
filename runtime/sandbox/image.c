#include "runtime/sandbox/image.h"

#include "base/cleanup.h"
#include "runtime/sandbox/image_digest.h"
#include "runtime/sandbox/run.h"
#include "runtime/sandbox/syscalls.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum {
        EROFS_PLACE = 1024, /* of the superblock (Documentation/filesystems/erofs.rst) */
        LOOP_ATTEMPTS = 64,
};

/* "erofs" or "squashfs" by the magic number; NULL for anything else. */
static const char *image_kind(int file) {
        static const uint8_t erofs[4] = { 0xe2, 0xe1, 0xf5, 0xe0 };
        uint8_t magic[4];

        if (pread(file, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "hsqs", 4) == 0)
                return "squashfs";
        if (pread(file, magic, sizeof magic, EROFS_PLACE) == sizeof magic && memcmp(magic, erofs, 4) == 0)
                return "erofs";
        return NULL;
}

static int mount_source(const char *kind, const char *source, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int context = fsopen(kind, FSOPEN_CLOEXEC);
        int fd;

        if (context < 0)
                return gbx_fail_errno(err, "this kernel has no %s", kind);
        if (fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
            fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
            fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return gbx_fail_errno(err, "cannot read it as %s", kind);
        fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot mount it as %s", kind);
        return fd;
}

/* A free loop device over `file`; it frees itself with its last user. `ret_device` keeps it until the mount has it. */
static int attach_loop(int file, int *ret_device, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

        if (control < 0)
                return gbx_fail_errno(err, "cannot open /dev/loop-control");
        for (int i = 0; i < LOOP_ATTEMPTS; i++) {
                struct loop_config config = { .fd = (uint32_t)file,
                                              .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };
                gbx_auto(gbx_close_fd) int device = -1;
                int number = ioctl(control, LOOP_CTL_GET_FREE);
                char path[32];

                if (number < 0)
                        return gbx_fail_errno(err, "no free loop device");
                (void)snprintf(path, sizeof path, "/dev/loop%d", number);
                device = open(path, O_RDONLY | O_CLOEXEC);
                if (device < 0)
                        return gbx_fail_errno(err, "cannot open %s", path);
                if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
                        *ret_device = gbx_take_fd(&device);
                        return number;
                }
                if (errno != EBUSY) /* somebody else took it meanwhile */
                        return gbx_fail_errno(err, "cannot set up %s", path);
        }
        return gbx_fail(err, -EBUSY, "no free loop device after %d attempts", LOOP_ATTEMPTS);
}

static int mount_by_loop(const char *kind, int file, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int device = -1;
        int number = attach_loop(file, &device, err);
        char source[32];

        if (number < 0)
                return number;
        (void)snprintf(source, sizeof source, "/dev/loop%d", number);
        return mount_source(kind, source, err);
}

static int mount_file(const struct gbx_spec *spec, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int file = open(spec->image.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat status;
        const char *kind;
        char source[32];
        int fd, r;

        if (file < 0)
                return gbx_fail_errno(err, "image.file: cannot open '%s'", spec->image.file);
        if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode))
                return gbx_fail(err, -EINVAL, "image.file: '%s' is not a regular file", spec->image.file);
        r = gbx_image_digest_check(file, &status, spec->image.digest, err);
        if (r < 0)
                return gbx_context(err, r, "image.digest: '%s'", spec->image.file);
        kind = image_kind(file);
        if (!kind)
                return gbx_fail(err, -EINVAL, "image.file: '%s' is neither squashfs nor erofs", spec->image.file);
        (void)snprintf(source, sizeof source, "/proc/self/fd/%d", file);
        fd = -1;
        if (strcmp(kind, "erofs") == 0)
                fd = mount_source(kind, source, NULL); /* by file: Linux 6.12 */
        if (fd < 0)
                fd = mount_by_loop(kind, file, err);
        if (fd < 0)
                return gbx_context(err, fd, "image.file: '%s'", spec->image.file);
        return fd;
}

static int clone_tree(int directory, const char *path, const char *field, struct gbx_error *err) {
        int fd = open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0U : AT_EMPTY_PATH));

        if (fd < 0)
                return gbx_fail_errno(err, "%s: cannot take a mount of '%s'", field, path);
        return fd;
}

static int mount_directory(const struct gbx_spec *spec, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int directory = open(spec->image.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (directory < 0)
                return gbx_fail_errno(err, "image.directory: cannot open '%s'", spec->image.directory);
        return clone_tree(directory, "", "image.directory", err);
}

static int clone_given(const struct gbx_spec *spec, struct gbx_error *err) {
        struct stat status;

        if (fstat(spec->image.fd, &status) < 0)
                return gbx_fail_errno(err, "image.fd: cannot look at descriptor %d", spec->image.fd);
        if (!S_ISDIR(status.st_mode))
                return gbx_fail(err, -EINVAL, "image.fd: descriptor %d is no mounted image (open_tree(2), fsmount(2))",
                                spec->image.fd);
        return clone_tree(spec->image.fd, "", "image.fd", err);
}

int gbx_image_mount(const struct gbx_spec *spec, struct gbx_error *err) {
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                .propagation = MS_PRIVATE,
        };
        gbx_auto(gbx_close_fd) int fd = spec->image.file        ? mount_file(spec, err)
                                        : spec->image.directory ? mount_directory(spec, err)
                                                                : clone_given(spec, err);

        if (fd < 0)
                return fd;
        if (gbx_layer_off(spec, GBX_LAYER_READ_ONLY))
                attributes.attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        if (gbx_layer_off(spec, GBX_LAYER_MOUNT_FLAGS))
                attributes.attr_set &= MOUNT_ATTR_RDONLY;
        if (!spec->image.file && mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                return gbx_fail_errno(err, "image: cannot make the mount read-only (mount_setattr)");
        return gbx_take_fd(&fd);
}
