#include "runtime/sandbox/denials.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/syscall.h>

struct scalars {
        int syscall;
        unsigned arguments; /* bit N: argument N */
};

#define A(n) (1U << (n))

/* Which arguments are numbers, by the system call's man page. Calls not listed have none that matter. */
static const struct scalars table[] = {
        { SYS_socket, A(0) | A(1) | A(2) },
        { SYS_socketpair, A(0) | A(1) | A(2) },
        { SYS_connect, A(0) },
        { SYS_bind, A(0) },
        { SYS_listen, A(0) | A(1) },
        { SYS_setsockopt, A(0) | A(1) | A(2) },
        { SYS_getsockopt, A(0) | A(1) | A(2) },
        { SYS_clone, A(0) },
        { SYS_unshare, A(0) },
        { SYS_setns, A(0) | A(1) },
        { SYS_ioctl, A(0) | A(1) },
        { SYS_fcntl, A(0) | A(1) | A(2) },
        { SYS_prctl, A(0) | A(1) },
        { SYS_arch_prctl, A(0) },
        { SYS_ptrace, A(0) | A(1) },
        { SYS_process_vm_readv, A(0) },
        { SYS_process_vm_writev, A(0) },
        { SYS_pidfd_open, A(0) | A(1) },
        { SYS_pidfd_getfd, A(0) | A(1) },
        { SYS_pidfd_send_signal, A(0) | A(1) },
        { SYS_kcmp, A(0) | A(1) | A(2) | A(3) | A(4) },
        { SYS_keyctl, A(0) | A(1) | A(2) },
        { SYS_bpf, A(0) },
        { SYS_perf_event_open, A(1) | A(2) | A(3) | A(4) },
        { SYS_userfaultfd, A(0) },
        { SYS_seccomp, A(0) | A(1) },
        { SYS_io_uring_setup, A(0) },
        { SYS_mmap, A(1) | A(2) | A(3) | A(4) },
        { SYS_mprotect, A(1) | A(2) },
        { SYS_mount, A(3) },
        { SYS_umount2, A(1) },
        { SYS_fsmount, A(0) | A(1) | A(2) },
        { SYS_open_tree, A(2) },
        { SYS_open, A(1) },
        { SYS_openat, A(2) },
        { SYS_kill, A(0) | A(1) },
        { SYS_tkill, A(0) | A(1) },
        { SYS_tgkill, A(0) | A(1) | A(2) },
        { SYS_prlimit64, A(0) | A(1) },
        { SYS_setrlimit, A(0) },
        { SYS_setuid, A(0) },
        { SYS_setgid, A(0) },
        { SYS_setresuid, A(0) | A(1) | A(2) },
        { SYS_setresgid, A(0) | A(1) | A(2) },
        { SYS_capset, 0 },
        { SYS_flock, A(0) | A(1) },
        { SYS_memfd_create, A(1) },
        { SYS_memfd_secret, A(0) },
        { SYS_msgget, A(0) | A(1) },
        { SYS_semget, A(0) | A(1) | A(2) },
        { SYS_shmget, A(0) | A(1) | A(2) },
        { SYS_sched_setaffinity, A(0) },
        { SYS_setpriority, A(0) | A(1) | A(2) },
        { SYS_personality, A(0) },
        { SYS_splice, A(0) | A(2) | A(4) | A(5) },
        { SYS_tee, A(0) | A(1) | A(2) | A(3) },
        { SYS_vmsplice, A(0) | A(3) },
        { SYS_fanotify_init, A(0) | A(1) },
        { SYS_execveat, A(0) | A(4) },
};

unsigned gbx_denials_scalars(int syscall) {
        for (size_t i = 0; i < gbx_array_size(table); i++)
                if (table[i].syscall == syscall)
                        return table[i].arguments;
        return 0;
}

void gbx_denials_add(struct gbx_denials *denials, int syscall, const uint64_t arguments[GBX_DENIALS_ARGUMENTS],
                     struct gbx_denial_action action) {
        struct gbx_denial denial = { .syscall = syscall, .count = 1, .action = action };
        unsigned scalars = gbx_denials_scalars(syscall);

        denials->total++;
        for (unsigned i = 0; i < GBX_DENIALS_ARGUMENTS; i++)
                if (scalars & A(i))
                        denial.arguments[i] = arguments[i];
        for (size_t i = 0; i < denials->group_count; i++) {
                struct gbx_denial *group = &denials->groups[i];

                if (group->syscall == syscall &&
                    memcmp(group->arguments, denial.arguments, sizeof denial.arguments) == 0) {
                        group->count++;
                        return;
                }
        }
        if (denials->group_count < GBX_DENIALS_MAX)
                denials->groups[denials->group_count++] = denial;
}
