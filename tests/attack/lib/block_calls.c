/*
 * block-calls NAME[,NAME]... PROGRAM [ARGUMENT]...
 *
 * Runs a program on a kernel that seems to lack system calls: each named one
 * answers ENOSYS, here and in every process that follows. (The trick is crun's,
 * which runs its whole suite once more without openat2.)
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_CALLS = 16 };

static const struct {
        const char *name;
        unsigned number;
} calls[] = {
        { "openat2", 437 },
        { "landlock_create_ruleset", 444 },
        { "landlock_add_rule", 445 },
        { "landlock_restrict_self", 446 },
        { "memfd_secret", 447 },
        { "mount_setattr", 442 },
        { "close_range", 436 },
        { "clone3", 435 },
        { "pidfd_open", 434 },
        { "pidfd_send_signal", 424 },
        { "fsopen", 430 },
        { "fsconfig", 431 },
        { "fsmount", 432 },
        { "open_tree", 428 },
        { "move_mount", 429 },
        { "execveat", 322 },
        { "memfd_create", 319 },
        { "seccomp", 317 },
        { "unshare", 272 },
        { "setns", 308 },
        { "pivot_root", 155 },
        { "statx", 332 },
};

static struct sock_filter program[4 + 2 * MAX_CALLS];
static unsigned short length;

static void add(struct sock_filter instruction) {
        program[length++] = instruction;
}

static int add_call(const char *name) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (strcmp(name, calls[i].name) == 0 && length + 3 < (int)(sizeof(program) / sizeof(program[0]))) {
                        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1));
                        add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
                        return 0;
                }
        (void)fprintf(stderr, "block-calls: do not know the system call '%s'\n", name);
        return -1;
}

int main(int argc, char **argv) {
        struct sock_fprog filter = { .filter = program };
        char *names, *name;

        if (argc < 3) {
                (void)fputs("usage: block-calls NAME[,NAME]... PROGRAM [ARGUMENT]...\n", stderr);
                return 2;
        }
        add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
        names = argv[1];
        while ((name = strsep(&names, ",")))
                if (add_call(name) < 0)
                        return 2;
        add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
        filter.len = length;
        /* Without no_new_privs, which would be one layer more than the sandbox makes itself. */
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0) {
                perror("block-calls: cannot install the filter (it needs root)");
                return 1;
        }
        (void)execv(argv[2], argv + 2);
        perror(argv[2]);
        return 1;
}
