/* System call filters: (profile, architecture, call, arguments) -> action, on a simulator of classic BPF */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "runtime/sandbox/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* The part of the machine that seccomp filters use (Documentation/networking/filter.rst). */
static uint32_t simulate(const struct gbx_filter *filter, const struct seccomp_data *data) {
        uint32_t accumulator = 0, word;

        for (uint32_t at = 0, steps = 0; at < filter->length; at++, steps++) {
                const struct sock_filter *step = &filter->program[at];
                bool taken;

                assert_true(steps < filter->length);
                switch (step->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        assert_true(step->k % 4 == 0 && step->k < sizeof *data);
                        memcpy(&accumulator, (const char *)data + step->k, sizeof accumulator);
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        accumulator &= step->k;
                        continue;
                case BPF_RET | BPF_K:
                        return step->k;
                case BPF_JMP | BPF_JA:
                        at += step->k;
                        continue;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        taken = accumulator == step->k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        taken = accumulator > step->k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        taken = accumulator >= step->k;
                        break;
                case BPF_JMP | BPF_JSET | BPF_K:
                        taken = accumulator & step->k;
                        break;
                default:
                        fail_msg("instruction 0x%x is not simulated", step->code);
                        return 0;
                }
                word = taken ? step->jt : step->jf;
                at += word;
        }
        fail_msg("the filter ran past its end");
        return 0;
}

enum { ALLOW = (int)SECCOMP_RET_ALLOW, REPORT = (int)SECCOMP_RET_USER_NOTIF };
#define KILL SECCOMP_RET_KILL_PROCESS
#define REFUSE(error) (SECCOMP_RET_ERRNO | (error))

static uint32_t ask(const char *profile, uint32_t architecture, int number, const uint64_t arguments[6]) {
        const struct gbx_filter *filter = gbx_filter_find(profile);
        struct seccomp_data data = { .nr = number, .arch = architecture };

        assert_non_null(filter);
        memcpy(data.args, arguments, sizeof data.args);
        return simulate(filter, &data);
}

static const char *const all[] = { "lua", "native", "native-threads", "native-network", "native-redirect", "engine", "tabulator", "gate" };
static const char *const jobs[] = { "lua", "native", "native-threads", "native-network", "native-redirect", "engine", "tabulator" };
static const char *const single[] = { "lua", "gate" };

#define PROFILES(list) list, gbx_array_size(list)

struct row {
        const char *const *profiles;
        size_t profile_count;
        int number;
        uint64_t arguments[6];
        uint32_t action;
};

#define HIGH 0x100000000ULL /* the kernel ignores the upper half of an int argument */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
                CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static const char *const native[] = { "native", "native-threads", "native-network", "native-redirect" };
static const char *const threads[] = { "native", "native-threads", "engine" };
static const char *const network[] = { "native-network", "native-redirect" };
static const char *const plain_network[] = { "native-network" };
static const char *const no_network[] = { "lua", "native", "native-threads", "native-redirect", "engine", "tabulator", "gate" };
static const char *const no_sockets[] = { "lua", "native", "native-threads", "engine", "tabulator", "gate" };
static const char *const engine[] = { "engine" };
static const char *const gate[] = { "gate" };
static const char *const no_pairs[] = { "lua", "native", "engine", "tabulator", "gate" };
static const char *const no_execution[] = { "lua", "engine", "tabulator", "gate" };

static const struct row rows[] = {
        /* what everybody needs */
        { PROFILES(all), SYS_read, {}, ALLOW },
        { PROFILES(all), SYS_write, {}, ALLOW },
        { PROFILES(all), SYS_exit_group, {}, ALLOW },
        { PROFILES(all), SYS_brk, {}, ALLOW },
        { PROFILES(all), SYS_futex, {}, ALLOW },
        { PROFILES(all), SYS_getrandom, {}, ALLOW },
        { PROFILES(jobs), SYS_openat, { (uint64_t)AT_FDCWD, 0, O_RDWR | O_CREAT }, ALLOW },
        /* the one execution */
        { PROFILES(all), SYS_execveat, { 1023, 0, 0, 0, AT_EMPTY_PATH }, ALLOW },
        { PROFILES(no_execution), SYS_execveat, { 3, 0, 0, 0, AT_EMPTY_PATH }, REPORT },
        { PROFILES(all), SYS_execveat, { (uint64_t)AT_FDCWD, 1, 0, 0, 0 }, REPORT },
        { PROFILES(no_execution), SYS_execve, {}, REPORT },
        { PROFILES(native), SYS_execve, {}, ALLOW },
        /* E14: memory that is written and then executed */
        { PROFILES(single), SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE }, ALLOW },
        { PROFILES(single), SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE }, REPORT },
        { PROFILES(single), SYS_mprotect, { 0, 4096, PROT_READ | PROT_EXEC }, REPORT },
        /* E13: huge pages, which no limit on memory counts */
        { PROFILES(all), SYS_mmap, { 0, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS }, ALLOW },
        { PROFILES(all), SYS_mmap, { 0, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB }, REPORT },
        { PROFILES(all), SYS_mmap, { 0, 1 << 21, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26 }, REPORT },
        { PROFILES(all), SYS_memfd_create, {}, REPORT },
        { PROFILES(all), SYS_pkey_mprotect, {}, REPORT },
        /* E04: namespaces */
        { PROFILES(all), SYS_clone3, {}, REFUSE(ENOSYS) },
        { PROFILES(all), SYS_unshare, { CLONE_NEWUSER }, REPORT },
        { PROFILES(all), SYS_unshare, { 0 }, REPORT },
        { PROFILES(all), SYS_setns, {}, REPORT },
        { PROFILES(native), SYS_clone, { SIGCHLD }, ALLOW },
        { PROFILES(threads), SYS_clone, { THREAD }, ALLOW },
        { PROFILES(engine), SYS_clone, { SIGCHLD }, REPORT },
        { PROFILES(engine), SYS_clone, { THREAD | CLONE_NEWUSER }, REPORT },
        { PROFILES(engine), SYS_fork, {}, REPORT },
        { PROFILES(single), SYS_clone, { THREAD }, REPORT },
        { PROFILES(single), SYS_fork, {}, REPORT },
        { PROFILES(single), SYS_vfork, {}, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWUSER | SIGCHLD }, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWNS | SIGCHLD }, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWPID | SIGCHLD }, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWNET | SIGCHLD }, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWIPC | SIGCHLD }, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWUTS | SIGCHLD }, REPORT },
        { PROFILES(all), SYS_clone, { CLONE_NEWCGROUP | SIGCHLD }, REPORT },
        /* E05: mounts */
        { PROFILES(all), SYS_mount, {}, REPORT },
        { PROFILES(all), SYS_umount2, {}, REPORT },
        { PROFILES(all), SYS_pivot_root, {}, REPORT },
        { PROFILES(all), SYS_chroot, {}, REPORT },
        { PROFILES(all), SYS_open_tree, {}, REPORT },
        { PROFILES(all), SYS_move_mount, {}, REPORT },
        { PROFILES(all), SYS_fsopen, {}, REPORT },
        { PROFILES(all), SYS_fsmount, {}, REPORT },
        { PROFILES(all), SYS_mount_setattr, {}, REPORT },
        /* E06: other processes, the kernel, shared state */
        { PROFILES(all), SYS_ptrace, {}, REPORT },
        { PROFILES(all), SYS_process_vm_readv, {}, REPORT },
        { PROFILES(all), SYS_process_vm_writev, {}, REPORT },
        { PROFILES(all), SYS_pidfd_open, {}, REPORT },
        { PROFILES(all), SYS_pidfd_getfd, {}, REPORT },
        { PROFILES(all), SYS_kcmp, {}, REPORT },
        { PROFILES(all), SYS_userfaultfd, {}, REPORT },
        { PROFILES(all), SYS_bpf, {}, REPORT },
        { PROFILES(all), SYS_perf_event_open, {}, REPORT },
        { PROFILES(all), SYS_seccomp, { SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER }, REPORT },
        { PROFILES(all), SYS_io_uring_setup, {}, REPORT },
        { PROFILES(all), SYS_keyctl, {}, REPORT },
        { PROFILES(all), SYS_add_key, {}, REPORT },
        { PROFILES(all), SYS_request_key, {}, REPORT },
        { PROFILES(all), SYS_init_module, {}, REPORT },
        { PROFILES(all), SYS_kexec_load, {}, REPORT },
        { PROFILES(all), SYS_open_by_handle_at, {}, REPORT },
        { PROFILES(all), SYS_name_to_handle_at, {}, REPORT },
        { PROFILES(all), SYS_quotactl, {}, REPORT },
        { PROFILES(all), SYS_fanotify_init, {}, REPORT },
        { PROFILES(all), SYS_inotify_init1, {}, REPORT },
        { PROFILES(all), SYS_splice, {}, REPORT },
        { PROFILES(all), SYS_tee, {}, REPORT },
        { PROFILES(all), SYS_vmsplice, {}, REPORT },
        { PROFILES(all), SYS_setuid, {}, REPORT },
        { PROFILES(all), SYS_capset, {}, REPORT },
        { PROFILES(all), SYS_personality, {}, REPORT },
        { PROFILES(all), SYS_prlimit64, { 0, 0, 0, 1 }, ALLOW },
        { PROFILES(all), SYS_prlimit64, { 0, 0, 1, 0 }, REPORT },
        { PROFILES(all), SYS_prlimit64, { 1, 0, 0, 1 }, REPORT },
        { PROFILES(all), SYS_prctl, { PR_SET_SECCOMP, 2 }, REPORT },
        { PROFILES(all), SYS_prctl, { PR_SET_DUMPABLE, 1 }, REPORT },
        { PROFILES(native), SYS_prctl, { PR_SET_NAME | HIGH }, ALLOW },
        /* E07: sockets */
        { PROFILES(no_sockets), SYS_socket, { AF_INET, SOCK_STREAM, 0 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_NETLINK, SOCK_RAW, 0 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, REPORT },
        { PROFILES(network), SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 }, ALLOW },
        { PROFILES(network), SYS_socket, { AF_INET6, SOCK_STREAM, IPPROTO_TCP }, ALLOW },
        { PROFILES(all), SYS_socket, { AF_INET, SOCK_DGRAM, 0 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_INET, SOCK_RAW, 1 }, REPORT },
        { PROFILES(all), SYS_socket, { AF_INET, SOCK_STREAM, 262 /* MPTCP */ }, REPORT },
        { PROFILES(plain_network), SYS_connect, {}, ALLOW },
        { PROFILES(no_network), SYS_connect, {}, REPORT },
        { PROFILES(all), SYS_bind, {}, REPORT },
        { PROFILES(all), SYS_listen, {}, REPORT },
        { PROFILES(no_pairs), SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0 }, REPORT },
        { PROFILES(all), SYS_socketpair, { AF_TIPC, SOCK_SEQPACKET, 0 }, REPORT },
        /* E08: terminals, and the upper half of the command (CVE-2019-10063) */
        { PROFILES(all), SYS_ioctl, { 0, TCGETS }, ALLOW },
        { PROFILES(all), SYS_ioctl, { 0, TIOCSTI }, REPORT },
        { PROFILES(all), SYS_ioctl, { 0, TIOCSTI | HIGH }, REPORT },
        { PROFILES(all), SYS_ioctl, { 0, TIOCLINUX }, REPORT },
        { PROFILES(all), SYS_ioctl, { 0, TIOCLINUX | HIGH }, REPORT },
        /* E11: locks and leases on inodes that others may see */
        { PROFILES(all), SYS_flock, {}, REPORT },
        { PROFILES(all), SYS_fcntl, { 0, F_GETFL }, ALLOW },
        { PROFILES(all), SYS_fcntl, { 0, F_SETLK }, REPORT },
        { PROFILES(all), SYS_fcntl, { 0, F_SETLK | HIGH }, REPORT },
        { PROFILES(all), SYS_fcntl, { 0, F_OFD_SETLK }, REPORT },
        { PROFILES(all), SYS_fcntl, { 0, F_SETLEASE }, REPORT },
        { PROFILES(all), SYS_fcntl, { 0, F_NOTIFY }, REPORT },
        { PROFILES(all), SYS_shmget, {}, REPORT },
        { PROFILES(all), SYS_semget, {}, REPORT },
        { PROFILES(all), SYS_msgget, {}, REPORT },
        { PROFILES(all), SYS_mq_open, {}, REPORT },
        /* links, devices and attributes that a reader of the outputs would have to fear */
        { PROFILES(all), SYS_symlink, {}, REPORT },
        { PROFILES(all), SYS_link, {}, REPORT },
        { PROFILES(all), SYS_mknod, {}, REPORT },
        { PROFILES(all), SYS_mknodat, {}, REPORT },
        { PROFILES(all), SYS_setxattr, {}, REPORT },
        { PROFILES(all), SYS_chown, {}, REPORT },
        /* the gate's parser only reads */
        { PROFILES(gate), SYS_openat, { (uint64_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC }, ALLOW },
        { PROFILES(gate), SYS_openat, { (uint64_t)AT_FDCWD, 0, O_WRONLY }, REPORT },
        { PROFILES(gate), SYS_openat, { (uint64_t)AT_FDCWD, 0, O_RDONLY | O_CREAT }, REPORT },
        { PROFILES(gate), SYS_unlink, {}, REPORT },
        { PROFILES(gate), SYS_mkdir, {}, REPORT },
        { PROFILES(single), SYS_kill, {}, REPORT },
        { PROFILES(single), SYS_tgkill, { 1, 1, 6 }, ALLOW },
        { PROFILES(single), SYS_tgkill, { 1, 1, 9 }, REPORT },
        /* numbers that are no system call */
        { PROFILES(all), 400, {}, REPORT },
        { PROFILES(all), 100000, {}, REPORT },
};

static void filters_answer_as_the_table_says(void **state) {
        (void)state;
        for (size_t i = 0; i < gbx_array_size(rows); i++)
                for (size_t j = 0; j < rows[i].profile_count; j++) {
                        uint32_t found = ask(rows[i].profiles[j], AUDIT_ARCH_X86_64, rows[i].number, rows[i].arguments);

                        if (found != rows[i].action)
                                fail_msg("%s: row %zu, %s(0x%llx, 0x%llx, 0x%llx): 0x%x and not 0x%x",
                                         rows[i].profiles[j], i,
                                         gbx_syscall_name(rows[i].number) ? gbx_syscall_name(rows[i].number) : "?",
                                         (unsigned long long)rows[i].arguments[0],
                                         (unsigned long long)rows[i].arguments[1],
                                         (unsigned long long)rows[i].arguments[2], found, rows[i].action);
                }
}

static void foreign_architectures_are_killed(void **state) {
        static const uint32_t foreign[] = { AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0, 0xffffffffU };
        static const uint64_t none[6];

        (void)state;
        for (size_t i = 0; i < gbx_array_size(all); i++) {
                for (size_t j = 0; j < gbx_array_size(foreign); j++)
                        for (int number = 0; number < 500; number++)
                                assert_int_equal(ask(all[i], foreign[j], number, none), KILL);
                for (int number = 0; number < 600; number++) /* x32 */
                        assert_int_equal(ask(all[i], AUDIT_ARCH_X86_64, 0x40000000 | number, none), KILL);
        }
}

static void answers_follow_the_profile(void **state) {
        const struct gbx_filter *filter = gbx_filter_find("native");

        (void)state;
        assert_non_null(filter);
        assert_int_equal(gbx_filter_denial(filter, SYS_socket).error, EAFNOSUPPORT);
        assert_int_equal(gbx_filter_denial(filter, SYS_mount).error, EPERM);
        assert_int_equal(gbx_filter_denial(filter, SYS_mount).kind, GBX_DENIAL_ERRNO);
        assert_int_equal(gbx_filter_denial(filter, SYS_bpf).kind, GBX_DENIAL_KILL);
        assert_int_equal(gbx_filter_denial(gbx_filter_find("gate"), SYS_mount).kind, GBX_DENIAL_KILL);
        assert_null(gbx_filter_find("no-such-profile"));
        assert_string_equal(gbx_syscall_name(SYS_socket), "socket");
        assert_null(gbx_syscall_name(-1));
        assert_null(gbx_syscall_name(1 << 20));
}

static void bad_profiles_are_refused(void **state) {
        static const struct { const char *text, *message; } bad[] = {
                { "allow read\n", "t: no line 'default ERRNO', 'default kill' or 'default die'" },
                { "default die\nreport EPERM ptrace\n", "t: with 'default die' nobody takes reports" },
                { "allow raed\ndefault EPERM\n", "t:1: 'raed' is not a system call of x86-64" },
                { "default EPERM\nallow\n", "t:2: a system call is missing" },
                { "permit read\n", "t:1: 'permit' is not a word that begins a line" },
                { "allow read if\n", "t:1: a condition is 'argN OP VALUE' or 'argN & MASK == VALUE'" },
                { "allow read if arg6 == 1\n", "t:1: a condition is 'argN OP VALUE' or 'argN & MASK == VALUE'" },
                { "allow read if arg0 == x\n", "t:1: 'x' is not a whole number" },
                { "allow read if arg0 ~ 1\n", "t:1: '~' is not an operator" },
                { "allow read if arg0:int != 1\n", "t:1: :int goes with == only" },
                { "allow read if arg0 & 1\n", "t:1: '== VALUE' is missing behind the mask" },
                { "allow read write if arg0 == 1\n", "t:1: conditions go with one system call at a time" },
                { "allow read if arg0 == 1 or arg1 == 2\n", "t:1: 'or' is not expected here" },
                { "report EWHAT read\n", "t:1: 'EWHAT' is not an error name that profiles use" },
                { "include ../common\n", "t:1: 'include' wants the name of a profile" },
                { "default EWHAT\n", "t:1: 'EWHAT' is not an error name that profiles use" },
        };

        (void)state;
        for (size_t i = 0; i < gbx_array_size(bad); i++) {
                gbx_auto(gbx_profile_freep) struct gbx_profile *profile = NULL;
                struct gbx_error err = {};

                assert_int_equal(gbx_profile_parse(&profile, -1, "t", bad[i].text, &err), -EINVAL);
                assert_string_equal(err.message, bad[i].message);
        }
}

static void embedded_filters_are_those_of_the_files(void **state) {
        gbx_auto(gbx_close_fd) int directory = open("policy/profiles", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)state;
        assert_true(directory >= 0);
        for (size_t i = 0; i < gbx_filter_count; i++) {
                gbx_auto(gbx_profile_freep) struct gbx_profile *profile = NULL;
                gbx_auto(gbx_buffer_free) struct gbx_buffer program = {};

                assert_int_equal(gbx_profile_load(&profile, directory, gbx_filters[i].name, NULL), 0);
                assert_int_equal(gbx_profile_compile(profile, &program, NULL), 0);
                assert_string_equal(gbx_profile_text(profile), gbx_filters[i].text);
                assert_int_equal(program.size, gbx_filters[i].length * sizeof(struct sock_filter));
                assert_memory_equal(program.data, gbx_filters[i].program, program.size);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(filters_answer_as_the_table_says),
                cmocka_unit_test(foreign_architectures_are_killed),
                cmocka_unit_test(answers_follow_the_profile),
                cmocka_unit_test(bad_profiles_are_refused),
                cmocka_unit_test(embedded_filters_are_those_of_the_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
