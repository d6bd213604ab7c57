#include "base/lockdown.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int install_filter(const struct gbx_lockdown *lockdown, struct gbx_error *err) {
        const struct sock_fprog program = { (unsigned short)lockdown->filter_length,
                                            (struct sock_filter *)(uintptr_t)lockdown->filter };

        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                return gbx_fail_errno(err, "seccomp: the filter cannot be installed");
        return 0;
}

/* No file may be opened by any path. Kernels without Landlock have the empty root and the filter. */
static int forbid_files(struct gbx_error *err) {
        const struct landlock_ruleset_attr attributes = { .handled_access_fs = (1U << 13) - 1 /* all of ABI 1 */ };
        long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
        int r = 0;

        if (ruleset < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : gbx_fail_errno(err, "Landlock");
        if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                r = gbx_fail_errno(err, "Landlock");
        (void)close((int)ruleset);
        return r;
}

/* An empty, read-only file system becomes the root. */
static int empty_root(struct gbx_error *err) {
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555") < 0 ||
            chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
            mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
                return gbx_fail_errno(err, "empty root");
        return 0;
}

static int drop_user(uid_t user, struct gbx_error *err) {
        struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
                return gbx_fail_errno(err, "cannot become an unprivileged user");
        if (syscall(SYS_capset, &header, none) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot drop capabilities");
        return 0;
}

static int drop_bounding(struct gbx_error *err) {
        for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
                if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
                        return gbx_fail_errno(err, "cannot drop a capability for good");
        if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                             SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot lock capabilities");
        return 0;
}

int gbx_lockdown(const struct gbx_lockdown *lockdown, struct gbx_error *err) {
        const struct rlimit no_core = { 0, 0 };
        int r = 0;

        if (geteuid() == 0) {
                if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                        return gbx_fail_errno(err, "namespaces");
                r = empty_root(err);
                if (r == 0)
                        r = drop_bounding(err);
        }
        if (r == 0)
                r = drop_user(lockdown->user, err);
        if (r < 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
            setrlimit(RLIMIT_CORE, &no_core) < 0)
                return gbx_fail_errno(err, "no_new_privs, dumpable, core limit");
        /* Changing the user has undone the tie to the starter. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot tie a program to its starter");
        r = forbid_files(err);
        return r < 0 ? r : install_filter(lockdown, err);
}
