/*
 * The floor: the least that a confined start can cost on this kernel
 *
 *   sandbox-floor ROOT PROGRAM
 *
 * One clone3(2) with every namespace, the user maps, the root and /proc, /dev,
 * /tmp and /out mounted, capabilities dropped, a two-instruction filter, exec,
 * wait. No limits, no supervisor, no checks, no errors told apart: this is a
 * yardstick and not a sandbox.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long result) {
        if (result < 0) {
                perror("sandbox-floor");
                _exit(125);
        }
}

static int file_system(const char *kind, unsigned attributes) {
        int context = fsopen(kind, FSOPEN_CLOEXEC), mount;

        must(context);
        must(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
        mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
        must(mount);
        close(context);
        return mount;
}

static void confine(void) {
        struct sock_filter steps[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
        struct sock_fprog program = { 2, steps };
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = {};

        must(syscall(SYS_setresgid, 1000, 1000, 1000));
        must(syscall(SYS_setresuid, 1000, 1000, 1000));
        must(syscall(SYS_capset, &header, none));
        must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static void inside(int root, int go, char **argv) {
        static const char *const places[] = { "/proc", "/dev", "/tmp", "/out" };
        char byte;

        for (int i = 0; i < 4; i++) {
                int mount = file_system(i == 0 ? "proc" : "tmpfs", MOUNT_ATTR_NOSUID);

                if (i == 0) {
                        must(move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
                        must(fchdir(root));
                        must(syscall(SYS_pivot_root, ".", "."));
                        must(umount2(".", MNT_DETACH));
                        must(chdir("/"));
                }
                must(move_mount(mount, "", AT_FDCWD, places[i], MOVE_MOUNT_F_EMPTY_PATH));
        }
        must(read(go, &byte, 1) - 1);
        confine();
        execve(argv[2], argv + 2, (char *[]){ NULL });
        must(-1);
}

static void map(pid_t pid, const char *file) {
        char path[64];
        int fd;

        snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        must(fd);
        must(write(fd, "0 2147483648 1\n1000 2147483649 1\n", 33));
        close(fd);
}

int main(int argc, char **argv) {
        struct clone_args arguments = {
                .flags = (uint64_t)CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
                         CLONE_NEWCGROUP | CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */,
                .exit_signal = SIGCHLD,
        };
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        int go[2], root, status;
        pid_t pid;

        if (argc < 3)
                return 125;
        must(pipe2(go, O_CLOEXEC));
        root = open_tree(AT_FDCWD, argv[1], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        must(root);
        must(mount_setattr(root, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
        pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
        must(pid);
        if (pid == 0)
                inside(root, go[0], argv);
        map(pid, "uid_map");
        map(pid, "gid_map");
        must(write(go[1], "", 1));
        must(waitpid(pid, &status, 0));
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
