#include "gateway/egress/confine.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the loop, the resolver, OpenSSL and the allocator use once all is set up. */
static const int allowed_syscalls[] = {
        SCMP_SYS(read),          SCMP_SYS(readv),         SCMP_SYS(write),         SCMP_SYS(writev),
        SCMP_SYS(recvfrom),      SCMP_SYS(recvmsg),       SCMP_SYS(sendto),        SCMP_SYS(sendmsg),
        SCMP_SYS(close),         SCMP_SYS(shutdown),
        SCMP_SYS(connect),       SCMP_SYS(bind),          SCMP_SYS(accept4),       SCMP_SYS(getsockopt),
        SCMP_SYS(setsockopt),    SCMP_SYS(getsockname),   SCMP_SYS(getpeername),   SCMP_SYS(epoll_ctl),
        SCMP_SYS(epoll_wait),    SCMP_SYS(epoll_pwait),   SCMP_SYS(epoll_pwait2),  SCMP_SYS(poll),
        SCMP_SYS(timerfd_settime), SCMP_SYS(munmap),      SCMP_SYS(mremap),        SCMP_SYS(brk),
        SCMP_SYS(madvise),       SCMP_SYS(futex),         SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
        SCMP_SYS(time),          SCMP_SYS(getrandom),     SCMP_SYS(getpid),        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(alarm),         SCMP_SYS(exit),
        SCMP_SYS(exit_group),    SCMP_SYS(restart_syscall), SCMP_SYS(lseek),
        SCMP_SYS(splice),        SCMP_SYS(pipe2),
};

/* Calls that are allowed with some arguments only. */
static const struct {
        int syscall;
        struct scmp_arg_cmp comparison;
} filtered_syscalls[] = {
        { SCMP_SYS(socket), .comparison = { 0, SCMP_CMP_EQ, AF_INET, 0 } },
        { SCMP_SYS(socket), .comparison = { 0, SCMP_CMP_EQ, AF_INET6, 0 } },
        { SCMP_SYS(mmap), .comparison = { 2, SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0 } },
        { SCMP_SYS(mprotect), .comparison = { 2, SCMP_CMP_MASKED_EQ, 4, 0 } },
        { SCMP_SYS(fcntl), .comparison = { 1, SCMP_CMP_EQ, F_GETFL, 0 } },
        { SCMP_SYS(fcntl), .comparison = { 1, SCMP_CMP_EQ, F_SETFL, 0 } },
        { SCMP_SYS(fcntl), .comparison = { 1, SCMP_CMP_EQ, F_GETFD, 0 } },
        { SCMP_SYS(fcntl), .comparison = { 1, SCMP_CMP_EQ, F_SETFD, 0 } },
        { SCMP_SYS(fcntl), .comparison = { 1, SCMP_CMP_EQ, F_SETPIPE_SZ, 0 } },
        { SCMP_SYS(ioctl), .comparison = { 1, SCMP_CMP_EQ, 0x541b /* FIONREAD */, 0 } },
};

/* Looked for by libraries that can do without: answered, not killed. */
static const int missing_syscalls[] = { SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(newfstatat), SCMP_SYS(fstat),
                                        SCMP_SYS(uname),  SCMP_SYS(sysinfo), SCMP_SYS(access) };

static void release_filter(scmp_filter_ctx *filter) { seccomp_release(*filter); }

static int install_filter(struct gbx_error *err) {
        gbx_auto(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = filter ? 0 : -ENOMEM;

        for (size_t i = 0; i < gbx_array_size(allowed_syscalls) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_syscalls[i], 0);
        for (size_t i = 0; i < gbx_array_size(filtered_syscalls) && r == 0; i++)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, filtered_syscalls[i].syscall, 1, &filtered_syscalls[i].comparison);
        for (size_t i = 0; i < gbx_array_size(missing_syscalls) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), missing_syscalls[i], 0);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? gbx_fail(err, r, "seccomp: the filter cannot be installed (%d)", r) : 0;
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

static int drop_user(struct gbx_error *err) {
        cap_t none;
        int r = 0;

        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(GBX_EGRESS_UID, GBX_EGRESS_UID, GBX_EGRESS_UID) < 0 ||
                               setresuid(GBX_EGRESS_UID, GBX_EGRESS_UID, GBX_EGRESS_UID) < 0))
                return gbx_fail_errno(err, "cannot become an unprivileged user");
        none = cap_init();
        if (!none || cap_set_proc(none) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                r = gbx_fail_errno(err, "cannot drop capabilities");
        (void)cap_free(none);
        return r;
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

int gbx_egress_confine(struct gbx_error *err) {
        const struct rlimit no_core = { 0, 0 };
        int r;

        if (geteuid() == 0) {
                if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                        return gbx_fail_errno(err, "namespaces");
                r = empty_root(err);
                if (r < 0)
                        return r;
                r = drop_bounding(err);
                if (r < 0)
                        return r;
        }
        r = drop_user(err);
        if (r < 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
            setrlimit(RLIMIT_CORE, &no_core) < 0)
                return gbx_fail_errno(err, "no_new_privs, dumpable, core limit");
        /* Changing the user has undone the tie to the starter. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "cannot tie the proxy to its starter");
        r = forbid_files(err);
        if (r < 0)
                return r;
        return install_filter(err);
}
