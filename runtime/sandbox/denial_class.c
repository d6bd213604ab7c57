/* The tables are the kernel's interface as its manual pages name it; numbers stand where Debian 12's headers of glibc and
 * musl do not agree on a header that has the name. */
#include "runtime/sandbox/denial_class.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct name {
        uint32_t value;
        const char *name;
};

#define N(name) { (uint32_t)(name), #name }

static const struct name families[] = {
        N(AF_UNSPEC), N(AF_UNIX), N(AF_INET), N(AF_AX25), N(AF_IPX), N(AF_APPLETALK), N(AF_NETROM), N(AF_X25), N(AF_INET6), N(AF_ROSE),
        N(AF_KEY), N(AF_NETLINK), N(AF_PACKET), N(AF_RDS), N(AF_PPPOX), N(AF_LLC), N(AF_IB), N(AF_MPLS), N(AF_CAN), N(AF_TIPC),
        N(AF_BLUETOOTH), N(AF_IUCV), N(AF_RXRPC), N(AF_PHONET), N(AF_IEEE802154), N(AF_CAIF), N(AF_ALG), N(AF_NFC),
        N(AF_VSOCK), N(AF_KCM),
        N(AF_QIPCRTR), N(AF_SMC), N(AF_XDP),
};
static const struct name socket_types[] = {
        { 1, "SOCK_STREAM" }, { 2, "SOCK_DGRAM" }, { 3, "SOCK_RAW" }, { 4, "SOCK_RDM" }, { 5, "SOCK_SEQPACKET" }, { 6, "SOCK_DCCP" },
        { 10, "SOCK_PACKET" },
};
static const struct name socket_flags[] = { { 02000000, "SOCK_CLOEXEC" }, { 04000, "SOCK_NONBLOCK" } };
static const struct name socket_levels[] = {
        { 1, "SOL_SOCKET" }, { 0, "IPPROTO_IP" }, { 6, "IPPROTO_TCP" }, { 17, "IPPROTO_UDP" }, { 41, "IPPROTO_IPV6" },
        { 58, "IPPROTO_ICMPV6" },
        { 255, "IPPROTO_RAW" }, { 263, "SOL_PACKET" }, { 270, "SOL_NETLINK" }, { 279, "SOL_ALG" }, { 282, "SOL_TLS" },
};
static const struct name clone_flags[] = {
        N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES), N(CLONE_SIGHAND), { 0x1000, "CLONE_PIDFD" }, N(CLONE_PTRACE), N(CLONE_VFORK),
        N(CLONE_PARENT),
        N(CLONE_THREAD), N(CLONE_NEWNS), N(CLONE_SYSVSEM), N(CLONE_SETTLS), N(CLONE_PARENT_SETTID), N(CLONE_CHILD_CLEARTID),
        N(CLONE_DETACHED), N(CLONE_UNTRACED), N(CLONE_CHILD_SETTID), { 0x02000000, "CLONE_NEWCGROUP" }, N(CLONE_NEWUTS), N(CLONE_NEWIPC),
        N(CLONE_NEWUSER), N(CLONE_NEWPID), N(CLONE_NEWNET), N(CLONE_IO),
};
static const struct name namespace_flags[] = {
        { 0x80, "CLONE_NEWTIME" }, N(CLONE_NEWNS), { 0x02000000, "CLONE_NEWCGROUP" }, N(CLONE_NEWUTS), N(CLONE_NEWIPC), N(CLONE_NEWUSER),
        N(CLONE_NEWPID), N(CLONE_NEWNET), N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES), N(CLONE_SIGHAND), N(CLONE_THREAD), N(CLONE_SYSVSEM),
};
static const struct name requests[] = { /* ioctl(2) */
        { 0x5401, "TCGETS" }, { 0x5402, "TCSETS" }, { 0x5403, "TCSETSW" }, { 0x5404, "TCSETSF" }, { 0x5409, "TCSBRK" },
        { 0x540a, "TCXONC" },
        { 0x540b, "TCFLSH" }, { 0x540c, "TIOCEXCL" }, { 0x540d, "TIOCNXCL" }, { 0x540e, "TIOCSCTTY" }, { 0x540f, "TIOCGPGRP" },
        { 0x5410, "TIOCSPGRP" }, { 0x5411, "TIOCOUTQ" }, { 0x5412, "TIOCSTI" }, { 0x5413, "TIOCGWINSZ" }, { 0x5414, "TIOCSWINSZ" },
        { 0x541b, "FIONREAD" }, { 0x541c, "TIOCLINUX" }, { 0x541d, "TIOCCONS" }, { 0x5421, "FIONBIO" }, { 0x5422, "TIOCNOTTY" },
        { 0x5423, "TIOCSETD" }, { 0x5424, "TIOCGETD" }, { 0x5429, "TIOCGSID" }, { 0x5450, "FIONCLEX" }, { 0x5451, "FIOCLEX" },
        { 0x5452, "FIOASYNC" }, { 0x80045430, "TIOCGPTN" }, { 0x40045431, "TIOCSPTLCK" }, { 0x5441, "TIOCGPTPEER" },
        { 0x80086601, "FS_IOC_GETFLAGS" }, { 0x40086602, "FS_IOC_SETFLAGS" }, { 0xc020660b, "FS_IOC_FIEMAP" }, { 0x40049409, "FICLONE" },
        { 0x4020940d, "FICLONERANGE" }, { 0xc0189436, "FIDEDUPERANGE" }, { 0xc0045877, "FIFREEZE" }, { 0xc0045878, "FITHAW" },
        { 0xc0185879, "FITRIM" }, { 0x1, "FIBMAP" }, { 0x2, "FIGETBSZ" }, { 0x80081272, "BLKGETSIZE64" }, { 0x8912, "SIOCGIFCONF" },
        { 0x8913, "SIOCGIFFLAGS" }, { 0x8914, "SIOCSIFFLAGS" }, { 0x8915, "SIOCGIFADDR" }, { 0x8916, "SIOCSIFADDR" },
        { 0x8927, "SIOCGIFHWADDR" }, { 0x8933, "SIOCGIFINDEX" }, { 0x8946, "SIOCETHTOOL" }, { 0x8905, "SIOCATMARK" },
        { 0x80045200, "RNDGETENTCNT" }, { 0x40085203, "RNDADDENTROPY" }, { 0xb701, "NS_GET_USERNS" }, { 0xb702, "NS_GET_PARENT" },
        { 0x400454ca, "TUNSETIFF" }, { 0x4c00, "LOOP_SET_FD" }, { 0xae00, "KVM_GET_API_VERSION" }, { 0xae01, "KVM_CREATE_VM" },
        { 0xc018aa3f, "UFFDIO_API" }, { 0x2400, "PERF_EVENT_IOC_ENABLE" },
};
static const struct name file_commands[] = { /* fcntl(2) */
        { 0, "F_DUPFD" }, { 1, "F_GETFD" }, { 2, "F_SETFD" }, { 3, "F_GETFL" }, { 4, "F_SETFL" }, { 5, "F_GETLK" }, { 6, "F_SETLK" },
        { 7, "F_SETLKW" }, { 8, "F_SETOWN" }, { 9, "F_GETOWN" }, { 10, "F_SETSIG" }, { 11, "F_GETSIG" }, { 15, "F_SETOWN_EX" },
        { 16, "F_GETOWN_EX" }, { 36, "F_OFD_GETLK" }, { 37, "F_OFD_SETLK" }, { 38, "F_OFD_SETLKW" }, { 1024, "F_SETLEASE" },
        { 1025, "F_GETLEASE" }, { 1026, "F_NOTIFY" }, { 1030, "F_DUPFD_CLOEXEC" }, { 1031, "F_SETPIPE_SZ" }, { 1032, "F_GETPIPE_SZ" },
        { 1033, "F_ADD_SEALS" }, { 1034, "F_GET_SEALS" }, { 1036, "F_SET_RW_HINT" },
};
static const struct name process_options[] = { /* prctl(2) */
        N(PR_SET_PDEATHSIG), N(PR_GET_PDEATHSIG), N(PR_GET_DUMPABLE), N(PR_SET_DUMPABLE), N(PR_GET_KEEPCAPS), N(PR_SET_KEEPCAPS),
        N(PR_SET_NAME), N(PR_GET_NAME), N(PR_GET_SECCOMP), N(PR_SET_SECCOMP), N(PR_CAPBSET_READ), N(PR_CAPBSET_DROP), N(PR_GET_TSC),
        N(PR_SET_TSC), N(PR_GET_SECUREBITS), N(PR_SET_SECUREBITS), N(PR_SET_TIMERSLACK), N(PR_GET_TIMERSLACK), N(PR_SET_MM),
        N(PR_SET_CHILD_SUBREAPER), N(PR_GET_CHILD_SUBREAPER), N(PR_SET_NO_NEW_PRIVS), N(PR_GET_NO_NEW_PRIVS), N(PR_SET_THP_DISABLE),
        N(PR_GET_THP_DISABLE), N(PR_CAP_AMBIENT), { 0x59616d61, "PR_SET_PTRACER" }, { 52, "PR_GET_SPECULATION_CTRL" },
        { 53, "PR_SET_SPECULATION_CTRL" }, { 59, "PR_SET_SYSCALL_USER_DISPATCH" }, { 62, "PR_SCHED_CORE" }, { 0x53564d41, "PR_SET_VMA" },
};
static const struct name thread_codes[] = { /* arch_prctl(2) */
        { 0x1001, "ARCH_SET_GS" }, { 0x1002, "ARCH_SET_FS" }, { 0x1003, "ARCH_GET_FS" }, { 0x1004, "ARCH_GET_GS" },
        { 0x1011, "ARCH_GET_CPUID" },
        { 0x1012, "ARCH_SET_CPUID" }, { 0x3001, "ARCH_CET_STATUS" },
};
static const struct name traces[] = { /* ptrace(2) */
        { 0, "PTRACE_TRACEME" }, { 1, "PTRACE_PEEKTEXT" }, { 2, "PTRACE_PEEKDATA" }, { 3, "PTRACE_PEEKUSER" }, { 4, "PTRACE_POKETEXT" },
        { 5, "PTRACE_POKEDATA" }, { 6, "PTRACE_POKEUSER" }, { 7, "PTRACE_CONT" }, { 8, "PTRACE_KILL" }, { 9, "PTRACE_SINGLESTEP" },
        { 12, "PTRACE_GETREGS" }, { 13, "PTRACE_SETREGS" }, { 16, "PTRACE_ATTACH" }, { 17, "PTRACE_DETACH" }, { 24, "PTRACE_SYSCALL" },
        { 0x4200, "PTRACE_SETOPTIONS" }, { 0x4204, "PTRACE_GETREGSET" }, { 0x4206, "PTRACE_SEIZE" }, { 0x4207, "PTRACE_INTERRUPT" },
};
static const struct name key_operations[] = { /* keyctl(2) */
        { 0, "KEYCTL_GET_KEYRING_ID" }, { 1, "KEYCTL_JOIN_SESSION_KEYRING" }, { 2, "KEYCTL_UPDATE" }, { 3, "KEYCTL_REVOKE" },
        { 4, "KEYCTL_CHOWN" }, { 5, "KEYCTL_SETPERM" }, { 6, "KEYCTL_DESCRIBE" }, { 7, "KEYCTL_CLEAR" }, { 8, "KEYCTL_LINK" },
        { 9, "KEYCTL_UNLINK" }, { 10, "KEYCTL_SEARCH" }, { 11, "KEYCTL_READ" }, { 22, "KEYCTL_GET_PERSISTENT" },
};
static const struct name bpf_commands[] = {
        { 0, "BPF_MAP_CREATE" }, { 1, "BPF_MAP_LOOKUP_ELEM" }, { 2, "BPF_MAP_UPDATE_ELEM" }, { 3, "BPF_MAP_DELETE_ELEM" },
        { 4, "BPF_MAP_GET_NEXT_KEY" }, { 5, "BPF_PROG_LOAD" }, { 6, "BPF_OBJ_PIN" }, { 7, "BPF_OBJ_GET" }, { 8, "BPF_PROG_ATTACH" },
        { 18, "BPF_BTF_LOAD" },
};
static const struct name filter_operations[] = { /* seccomp(2) */
        N(SECCOMP_SET_MODE_STRICT), N(SECCOMP_SET_MODE_FILTER), N(SECCOMP_GET_ACTION_AVAIL), N(SECCOMP_GET_NOTIF_SIZES),
};
static const struct name protections[] = {
        N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), { 0x8, "PROT_SEM" }, { 0x01000000, "PROT_GROWSDOWN" }, { 0x02000000, "PROT_GROWSUP" },
};
static const struct name mappings[] = {
        N(MAP_SHARED), N(MAP_PRIVATE), N(MAP_FIXED), N(MAP_ANONYMOUS), { 0x40, "MAP_32BIT" }, N(MAP_GROWSDOWN), N(MAP_DENYWRITE),
        N(MAP_EXECUTABLE), N(MAP_LOCKED), N(MAP_NORESERVE), N(MAP_POPULATE), N(MAP_NONBLOCK), N(MAP_STACK), N(MAP_HUGETLB),
        { 0x80000, "MAP_SYNC" }, { 0x100000, "MAP_FIXED_NOREPLACE" },
};
static const struct name advices[] = { /* madvise(2) */
        { 0, "MADV_NORMAL" }, { 1, "MADV_RANDOM" }, { 2, "MADV_SEQUENTIAL" }, { 3, "MADV_WILLNEED" }, { 4, "MADV_DONTNEED" },
        { 8, "MADV_FREE" },
        { 9, "MADV_REMOVE" }, { 10, "MADV_DONTFORK" }, { 11, "MADV_DOFORK" }, { 12, "MADV_MERGEABLE" }, { 13, "MADV_UNMERGEABLE" },
        { 14, "MADV_HUGEPAGE" }, { 15, "MADV_NOHUGEPAGE" }, { 16, "MADV_DONTDUMP" }, { 17, "MADV_DODUMP" }, { 18, "MADV_WIPEONFORK" },
        { 20, "MADV_COLD" }, { 21, "MADV_PAGEOUT" }, { 100, "MADV_HWPOISON" },
};
static const struct name mount_flags[] = {
        { 1, "MS_RDONLY" }, { 2, "MS_NOSUID" }, { 4, "MS_NODEV" }, { 8, "MS_NOEXEC" }, { 16, "MS_SYNCHRONOUS" }, { 32, "MS_REMOUNT" },
        { 128, "MS_DIRSYNC" }, { 256, "MS_NOSYMFOLLOW" }, { 1024, "MS_NOATIME" }, { 2048, "MS_NODIRATIME" }, { 4096, "MS_BIND" },
        { 8192, "MS_MOVE" }, { 16384, "MS_REC" }, { 32768, "MS_SILENT" }, { 1 << 17, "MS_UNBINDABLE" }, { 1 << 18, "MS_PRIVATE" },
        { 1 << 19, "MS_SLAVE" }, { 1 << 20, "MS_SHARED" }, { 1 << 21, "MS_RELATIME" }, { 1 << 24, "MS_STRICTATIME" },
};
static const struct name unmount_flags[] = {
        { 1, "MNT_FORCE" }, { 2, "MNT_DETACH" }, { 4, "MNT_EXPIRE" }, { 8, "UMOUNT_NOFOLLOW" },
};
static const struct name open_flags[] = { /* of several bits first */
        { 020200000, "O_TMPFILE" }, { 04010000, "O_SYNC" }, { 01, "O_WRONLY" }, { 02, "O_RDWR" }, { 0100, "O_CREAT" }, { 0200, "O_EXCL" },
        { 0400, "O_NOCTTY" }, { 01000, "O_TRUNC" }, { 02000, "O_APPEND" }, { 04000, "O_NONBLOCK" }, { 010000, "O_DSYNC" },
        { 020000, "O_ASYNC" },
        { 040000, "O_DIRECT" }, { 0100000, "O_LARGEFILE" }, { 0200000, "O_DIRECTORY" }, { 0400000, "O_NOFOLLOW" },
        { 01000000, "O_NOATIME" },
        { 02000000, "O_CLOEXEC" }, { 010000000, "O_PATH" },
};
static const struct name memory_file_flags[] = {
        { 1, "MFD_CLOEXEC" }, { 2, "MFD_ALLOW_SEALING" }, { 4, "MFD_HUGETLB" }, { 8, "MFD_NOEXEC_SEAL" }, { 16, "MFD_EXEC" },
};
static const struct name resources[] = {
        { 0, "RLIMIT_CPU" }, { 1, "RLIMIT_FSIZE" }, { 2, "RLIMIT_DATA" }, { 3, "RLIMIT_STACK" }, { 4, "RLIMIT_CORE" },
        { 5, "RLIMIT_RSS" },
        { 6, "RLIMIT_NPROC" }, { 7, "RLIMIT_NOFILE" }, { 8, "RLIMIT_MEMLOCK" }, { 9, "RLIMIT_AS" }, { 10, "RLIMIT_LOCKS" },
        { 11, "RLIMIT_SIGPENDING" }, { 12, "RLIMIT_MSGQUEUE" }, { 13, "RLIMIT_NICE" }, { 14, "RLIMIT_RTPRIO" }, { 15, "RLIMIT_RTTIME" },
};

enum kind { WORD, FLAGS };

#define TABLE(names) names, gbx_array_size(names)

/* What each argument means; a call's lines in the order in which they are told. `mask`: the bits that are looked at. */
static const struct meaning {
        int syscall;
        uint8_t argument;
        enum kind kind;
        uint64_t mask;
        const struct name *names;
        size_t count;
} meanings[] = {
        { SYS_socket, 0, WORD, 0xffffffff, TABLE(families) },
        { SYS_socket, 1, WORD, 0xf, TABLE(socket_types) },
        { SYS_socket, 1, FLAGS, 0xfffffff0, TABLE(socket_flags) },
        { SYS_socketpair, 0, WORD, 0xffffffff, TABLE(families) },
        { SYS_socketpair, 1, WORD, 0xf, TABLE(socket_types) },
        { SYS_socketpair, 1, FLAGS, 0xfffffff0, TABLE(socket_flags) },
        { SYS_setsockopt, 1, WORD, 0xffffffff, TABLE(socket_levels) },
        { SYS_getsockopt, 1, WORD, 0xffffffff, TABLE(socket_levels) },
        { SYS_clone, 0, FLAGS, ~0xffULL, TABLE(clone_flags) }, /* below: the signal that the child's end sends */
        { SYS_unshare, 0, FLAGS, 0xffffffff, TABLE(namespace_flags) },
        { SYS_setns, 1, FLAGS, 0xffffffff, TABLE(namespace_flags) },
        { SYS_ioctl, 1, WORD, 0xffffffff, TABLE(requests) },
        { SYS_fcntl, 1, WORD, 0xffffffff, TABLE(file_commands) },
        { SYS_prctl, 0, WORD, 0xffffffff, TABLE(process_options) },
        { SYS_arch_prctl, 0, WORD, 0xffffffff, TABLE(thread_codes) },
        { SYS_ptrace, 0, WORD, ~0ULL, TABLE(traces) },
        { SYS_keyctl, 0, WORD, 0xffffffff, TABLE(key_operations) },
        { SYS_bpf, 0, WORD, 0xffffffff, TABLE(bpf_commands) },
        { SYS_seccomp, 0, WORD, 0xffffffff, TABLE(filter_operations) },
        { SYS_mmap, 2, FLAGS, ~0ULL, TABLE(protections) },
        { SYS_mmap, 3, FLAGS, ~0ULL, TABLE(mappings) },
        { SYS_mprotect, 2, FLAGS, ~0ULL, TABLE(protections) },
        { SYS_pkey_mprotect, 2, FLAGS, ~0ULL, TABLE(protections) },
        { SYS_madvise, 2, WORD, 0xffffffff, TABLE(advices) },
        { SYS_mount, 3, FLAGS, ~0ULL, TABLE(mount_flags) },
        { SYS_umount2, 1, FLAGS, 0xffffffff, TABLE(unmount_flags) },
        { SYS_open, 1, FLAGS, 0xffffffff, TABLE(open_flags) },
        { SYS_openat, 2, FLAGS, 0xffffffff, TABLE(open_flags) },
        { SYS_memfd_create, 1, FLAGS, 0xffffffff, TABLE(memory_file_flags) },
        { SYS_setrlimit, 0, WORD, 0xffffffff, TABLE(resources) },
        { SYS_prlimit64, 1, WORD, 0xffffffff, TABLE(resources) },
};

enum { OTHER_FLAG = 31 };

static uint8_t find_word(const struct meaning *meaning, uint64_t value) {
        for (size_t i = 0; i < meaning->count; i++)
                if (meaning->names[i].value == value)
                        return (uint8_t)(i + 1);
        return GBX_DENIAL_OTHER;
}

/* `first`: the bit of the table's first flag. */
static uint32_t find_flags(const struct meaning *meaning, uint64_t value, unsigned first) {
        uint32_t flags = 0;

        for (size_t i = 0; i < meaning->count; i++)
                if ((value & meaning->names[i].value) == meaning->names[i].value) {
                        flags |= 1U << (first + i);
                        value &= ~(uint64_t)meaning->names[i].value;
                }
        return value ? flags | 1U << OTHER_FLAG : flags;
}

struct gbx_denial_class gbx_denial_classify(int syscall, const uint64_t arguments[static GBX_DENIAL_ARGUMENTS]) {
        struct gbx_denial_class class = {};
        unsigned words = 0, first = 0;

        for (size_t i = 0; i < gbx_array_size(meanings); i++) {
                const struct meaning *meaning = &meanings[i];
                uint64_t value = arguments[meaning->argument] & meaning->mask;

                if (meaning->syscall != syscall)
                        continue;
                if (meaning->kind == WORD)
                        class.words[words++] = find_word(meaning, value);
                else {
                        class.flags |= find_flags(meaning, value, first);
                        first += (unsigned)meaning->count;
                }
        }
        return class;
}

static size_t name_flags(const struct meaning *meaning, uint32_t flags, const char *ret_names[]) {
        size_t count = 0;

        for (size_t i = 0; i < meaning->count; i++)
                if (flags & 1U << i)
                        ret_names[count++] = meaning->names[i].name;
        return count;
}

size_t gbx_denial_class_names(int syscall, const struct gbx_denial_class *class, const char *ret_names[static GBX_DENIAL_NAMES_MAX]) {
        size_t count = 0;
        unsigned words = 0, first = 0;

        for (size_t i = 0; i < gbx_array_size(meanings); i++) {
                const struct meaning *meaning = &meanings[i];

                if (meaning->syscall != syscall)
                        continue;
                if (meaning->kind == WORD) {
                        uint8_t word = class->words[words++];

                        ret_names[count++] = word > 0 && word <= meaning->count ? meaning->names[word - 1].name : "other";
                } else {
                        count += name_flags(meaning, class->flags >> first, ret_names + count);
                        first += (unsigned)meaning->count;
                }
        }
        if (class->flags & 1U << OTHER_FLAG)
                ret_names[count++] = "other";
        return count;
}
