#include "runtime/vault/delivery.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/vault/delivery_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int set_text(int context, const char *key, const char *value, struct gbx_error *err) {
        if (fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) < 0)
                return gbx_fail_errno(err, "tmpfs does not take %s=%s", key, value);
        return 0;
}

static int set_number(int context, const char *key, uint64_t value, struct gbx_error *err) {
        char text[24];

        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        return set_text(context, key, text, err);
}

/* /proc/swaps has a heading and a line for each swap area. */
static int host_swaps(bool *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_read_file(AT_FDCWD, "/proc/swaps", 1 << 20, &text, err);
        const char *heading_end;

        if (r < 0)
                return r;
        heading_end = strchr(gbx_buffer_text(&text), '\n');
        *ret = heading_end && heading_end[1] != '\0';
        return 0;
}

static int refuse_swap(struct gbx_delivery *delivery, int context, struct gbx_error *err) {
        bool swaps = true;
        int r;

        delivery->noswap = fsconfig(context, FSCONFIG_SET_FLAG, "noswap", NULL, 0) == 0;
        if (delivery->noswap)
                return 0;
        r = host_swaps(&swaps, err);
        if (r == 0 && swaps)
                r = gbx_fail(err, -EOPNOTSUPP, "this host swaps and its kernel has no tmpfs option noswap (Linux 6.4), "
                                               "so plaintext could reach a disk; swapoff -a, or a newer kernel");
        return r;
}

static int configure(struct gbx_delivery *delivery, int context, struct gbx_delivery_limits limits,
                     struct gbx_error *err) {
        int r = set_text(context, "source", "glovebox", err);

        if (r == 0)
                r = set_text(context, "mode", delivery->kind == GBX_DELIVERY_OUTPUT ? "1777" : "0755", err);
        if (r == 0)
                r = set_number(context, "size", limits.bytes, err);
        if (r == 0)
                r = set_number(context, "nr_inodes", limits.files + 1, err); /* the root is one */
        if (r == 0)
                r = refuse_swap(delivery, context, err);
        /* Huge pages halve the kernel's share of filling a large file. Where there are none, small ones do. */
        if (r == 0 && delivery->kind == GBX_DELIVERY_DATA)
                (void)fsconfig(context, FSCONFIG_SET_STRING, "huge", "within_size", 0);
        if (r == 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                r = gbx_fail_errno(err, "cannot create a tmpfs");
        return r;
}

int gbx_delivery_new(struct gbx_delivery **ret, enum gbx_delivery_kind kind, struct gbx_delivery_limits limits,
                     struct gbx_error *err) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = NULL;
        gbx_auto(gbx_close_fd) int context = -1;
        int r;

        /* To tmpfs, zero means "no limit". */
        if (limits.bytes == 0 || limits.bytes > INT64_MAX || limits.files == 0 || limits.files > INT32_MAX)
                return gbx_fail(err, -EINVAL, "a delivery of %llu bytes and %llu files cannot be had",
                                (unsigned long long)limits.bytes, (unsigned long long)limits.files);
        delivery = calloc(1, sizeof *delivery);
        if (!delivery)
                return gbx_fail_memory(err);
        delivery->mount = -1;
        delivery->kind = kind;
        context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        if (context < 0)
                return gbx_fail_errno(err, "cannot open a tmpfs (fsopen needs CAP_SYS_ADMIN)");
        r = configure(delivery, context, limits, err);
        if (r < 0)
                return r;
        delivery->mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (delivery->mount < 0)
                return gbx_fail_errno(err, "cannot make a detached mount");
        *ret = gbx_take_ptr(delivery);
        return 0;
}

struct gbx_delivery *gbx_delivery_free(struct gbx_delivery *delivery) {
        if (!delivery)
                return NULL;
        gbx_close_fd(&delivery->mount);
        free(delivery);
        return NULL;
}

int gbx_delivery_mount_fd(const struct gbx_delivery *delivery) { return delivery->mount; }
bool gbx_delivery_noswap(const struct gbx_delivery *delivery) { return delivery->noswap; }

int gbx_delivery_create(struct gbx_delivery *delivery, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        char shown[256];

        gbx_text_printable(name, strlen(name), shown, sizeof shown);
        if (!gbx_name_valid(name))
                return gbx_fail(err, -EINVAL, "'%s' is not a name for delivered data", shown);
        if (delivery->sealed)
                return gbx_fail(err, -EPERM, "'%s': the delivery is sealed", shown);
        fd = openat(delivery->mount, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (fd < 0 || fchmod(fd, 0444) < 0)
                return gbx_fail_errno(err, "cannot create '%s' in a delivery", shown);
        return gbx_take_fd(&fd);
}

int gbx_delivery_seal(struct gbx_delivery *delivery, struct gbx_error *err) {
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        gbx_auto(gbx_close_fd) int context = -1;

        if (delivery->sealed)
                return 0;
        /* The file system itself: it stays so whatever mounts of it there are, and every writer anywhere counts. */
        context = fspick(delivery->mount, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
        if (context < 0 || fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
            fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
                return gbx_fail_errno(err, "cannot make a delivery read-only%s",
                                      errno == EBUSY ? ": a process still has a file in it open for writing" : "");
        /* The mount too, while it is ours: once attached in a sandbox, it belongs to that namespace. */
        if (delivery->kind == GBX_DELIVERY_DATA &&
            mount_setattr(delivery->mount, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
                return gbx_fail_errno(err, "cannot make the mount of a delivery read-only");
        delivery->sealed = true;
        return 0;
}
