/*
 * E05. A job cannot change what it sees: no mount, no remount, no unmount, no
 * new root, by the old calls or the new mount API.
 * Layers: the filter; no capability in any set (all of these want CAP_SYS_ADMIN
 * or CAP_SYS_CHROOT in the user namespace that owns the mounts).
 * Reference: mount(2), mount_setattr(2), fsopen(2); CVE-2021-30465.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TREE_CLONE = 1, MS_REMOUNT_BIND = 0x1020, MS_BIND_RECURSIVE = 0x5000, MS_MOVE_FLAG = 0x2000,
       MS_SHARED_FLAG = 0x100000, DETACH = 2 };

static const struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

static int try_pivot_root(const struct attempt *self) {
        (void)self;
        /* Outside, give the call what it wants; inside, none of this works already. */
        if (attempts_outside() && (syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) < 0 || chdir("/tmp") < 0))
                return errno;
        return attempts_result(syscall(SYS_pivot_root, ".", "."));
}

static int try_chroot_escape(const struct attempt *self) {
        char inner[] = "/tmp/chroot-XXXXXX";

        (void)self;
        for (char *mark = inner; *mark; mark++) /* a name of one's own is enough */
                if (*mark == 'X')
                        *mark = 'a';
        (void)mkdir(inner, 0700);
        if (chroot(inner) < 0) {
                int saved = errno;

                (void)rmdir(inner);
                return saved;
        }
        return ATTEMPT_BREACH;
}

static int try_new_mount_api(const struct attempt *self) {
        int context, mounted;

        (void)self;
        context = (int)syscall(SYS_fsopen, "tmpfs", 0);
        if (context < 0)
                return errno;
        if (syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) < 0)
                return errno;
        mounted = (int)syscall(SYS_fsmount, context, 0, 0);
        if (mounted < 0)
                return errno;
        return attempts_result(syscall(SYS_move_mount, mounted, "", AT_FDCWD, "/tmp", 4 /* MOVE_MOUNT_F_EMPTY_PATH */));
}

/* Without rights over them, mounts cannot even be listed. */
static int try_list_mounts(const struct attempt *self) {
        const struct {
                uint32_t size, spare;
                uint64_t id, parameter;
        } request = { .size = 24, .id = UINT64_MAX /* LSMT_ROOT */ };
        uint64_t found[8];

        return attempts_result(syscall((int)self->number, &request, found, 8, 0));
}

#define CALL(label, nr, ...) \
        { label, attempts_call, ATTEMPT_TWO_LAYERS, .number = nr, .arguments = { __VA_ARGS__ } }
/* For these an argument error is the most that can be seen outside without a mount of one's own. */
#define REACH(label, nr, ...) \
        { label, attempts_call_reached, ATTEMPT_TWO_LAYERS, .number = nr, .arguments = { __VA_ARGS__ } }
#define P(pointer) (long)(pointer)

static const struct attempt attempts[] = {
        CALL("mount-tmpfs", SYS_mount, P("none"), P("/tmp"), P("tmpfs"), 0, 0),
        CALL("mount-bind", SYS_mount, P("/"), P("/tmp"), 0, MS_BIND_RECURSIVE, 0),
        CALL("mount-proc", SYS_mount, P("proc"), P("/tmp"), P("proc"), 0, 0),
        CALL("mount-sysfs", SYS_mount, P("sysfs"), P("/tmp"), P("sysfs"), 0, 0),
        CALL("mount-cgroup", SYS_mount, P("none"), P("/tmp"), P("cgroup2"), 0, 0),
        REACH("remount-root-writable", SYS_mount, 0, P("/"), 0, MS_REMOUNT_BIND, 0),
        REACH("remount-data-writable", SYS_mount, 0, P("/data"), 0, MS_REMOUNT_BIND, 0),
        REACH("remount-job-writable", SYS_mount, 0, P("/job"), 0, MS_REMOUNT_BIND, 0),
        REACH("move-mount-old", SYS_mount, P("/data"), P("/tmp"), 0, MS_MOVE_FLAG, 0),
        REACH("make-shared", SYS_mount, 0, P("/"), 0, MS_SHARED_FLAG, 0),
        REACH("unmount-proc", SYS_umount2, P("/proc"), DETACH),
        REACH("unmount-data", SYS_umount2, P("/data"), DETACH),
        REACH("unmount-root", SYS_umount2, P("/"), DETACH),
        { "pivot-root", try_pivot_root, .flags = ATTEMPT_TWO_LAYERS },
        CALL("chroot-root", SYS_chroot, P("/")),
        { "chroot-escape", try_chroot_escape, .flags = ATTEMPT_TWO_LAYERS },
        CALL("open-tree-clone", SYS_open_tree, AT_FDCWD, P("/"), TREE_CLONE),
        CALL("open-tree-clone-recursive", SYS_open_tree, AT_FDCWD, P("/"), TREE_CLONE | 0x8000),
        CALL("fsopen-tmpfs", SYS_fsopen, P("tmpfs"), 0),
        CALL("fsopen-proc", SYS_fsopen, P("proc"), 0),
        REACH("fspick-root", SYS_fspick, AT_FDCWD, P("/"), 0),
        { "fsopen-to-move-mount", try_new_mount_api, .flags = ATTEMPT_TWO_LAYERS },
        REACH("move-mount", SYS_move_mount, AT_FDCWD, P("/data"), AT_FDCWD, P("/tmp"), 0),
        REACH("mount-setattr-root", SYS_mount_setattr, AT_FDCWD, P("/"), 0, P(&writable), sizeof(writable)),
        REACH("mount-setattr-data", SYS_mount_setattr, AT_FDCWD, P("/data"), 0, P(&writable), sizeof(writable)),
        REACH("open-tree-attr", SYS_open_tree_attr, AT_FDCWD, P("/"), TREE_CLONE, P(&writable), sizeof(writable)),
        { "listmount", try_list_mounts, 0, .number = 458 },
        REACH("swapon", SYS_swapon, P("/tmp/none"), 0),
        REACH("swapoff", SYS_swapoff, P("/tmp/none")),
};

ATTEMPTS_MAIN(attempts)
