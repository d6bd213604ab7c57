/*
 * The hostile program of the demonstration: it tries what a sandbox must refuse,
 * in the open, and reports what it got. Build it static: gcc -static hostile.c -o hostile
 *
 * Where the sandbox ends the run for an attempt (ptrace does), the report ends
 * there: give one attempt as argument, or as parameter "attack", to see it alone.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 100000 };

/* Every attempt returns a negative number with errno set if it was refused. */
static int read_passwords(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); }
static int read_host_root(void) { return open("/proc/1/root/etc/shadow", O_RDONLY | O_CLOEXEC); }
static int read_init_memory(void) { return open("/proc/1/mem", O_RDONLY | O_CLOEXEC); }
static int open_inet(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int open_inet6(void) { return socket(AF_INET6, SOCK_STREAM, 0); }
static int open_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static int open_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static int open_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static int open_vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static int open_crypto(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static int mount_tmpfs(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static int new_namespace(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS); }
static int write_data(void) { return open("/data/stolen", O_CREAT | O_WRONLY | O_CLOEXEC, 0600); }
static int write_root(void) { return open("/stolen", O_CREAT | O_WRONLY | O_CLOEXEC, 0600); }
static int write_job(void) { return open("/job/stolen", O_CREAT | O_WRONLY | O_CLOEXEC, 0600); }
static int become_root(void) { return setuid(0) < 0 ? -1 : geteuid() == 0 ? 0 : -1; }
static int trace_init(void) { return (int)ptrace(PTRACE_ATTACH, 1, NULL, NULL); }

/* Forks until it is refused, keeping all children alive. */
static int fork_without_end(void) {
        for (int i = 0; i < FORKS; i++) {
                pid_t child = fork();

                if (child < 0) {
                        int saved = errno;

                        (void)printf("         %d processes were made, then: ", i);
                        (void)fflush(stdout);
                        errno = saved;
                        return -1;
                }
                if (child == 0) {
                        (void)pause();
                        _exit(0);
                }
        }
        return 0;
}

static const struct {
        const char *name, *what;
        int (*run)(void);
} attempts[] = {
        { "passwords", "read /etc/passwd of the host", read_passwords },
        { "root", "read the host's root through /proc/1/root", read_host_root },
        { "init-memory", "read the memory of process 1", read_init_memory },
        { "inet", "open an IPv4 socket", open_inet },
        { "inet6", "open an IPv6 socket", open_inet6 },
        { "unix", "open a unix socket", open_unix },
        { "netlink", "open a netlink socket", open_netlink },
        { "packet", "open a packet socket", open_packet },
        { "vsock", "open a socket to the hypervisor", open_vsock },
        { "crypto", "open a socket of the kernel's crypto API", open_crypto },
        { "mount", "mount a file system", mount_tmpfs },
        { "namespace", "make namespaces of its own", new_namespace },
        { "data", "write into /data", write_data },
        { "write-root", "write into /", write_root },
        { "write-job", "write into /job", write_job },
        { "setuid", "become root", become_root },
        { "fork", "fork without end", fork_without_end },
        { "ptrace", "trace process 1", trace_init },
};

/* The attempt that the parameter "attack" names; "" for all of them. */
static void read_choice(char choice[static 32]) {
        static const char key[] = "\"attack\":\"";
        char text[1024] = "", *place;
        int fd = open("/job/params.json", O_RDONLY | O_CLOEXEC);

        choice[0] = '\0';
        if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || !(place = strstr(text, key)))
                return;
        place += sizeof key - 1;
        (void)snprintf(choice, 32, "%.*s", (int)strcspn(place, "\""), place);
}

/* Exits 0 only if something worked. */
int main(int argc, char **argv) {
        size_t refused = 0, tried = 0;
        char choice[32];

        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        read_choice(choice);
        if (argc > 1)
                (void)snprintf(choice, sizeof choice, "%s", argv[1]);
        for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
                int r;

                if (choice[0] && strcmp(choice, attempts[i].name) != 0)
                        continue;
                tried++;
                r = attempts[i].run();
                refused += r < 0;
                (void)printf("%-8s %s: %s\n", r < 0 ? "refused" : "ALLOWED", attempts[i].what,
                             r < 0 ? strerrorname_np(errno) : "it worked");
        }
        (void)printf("%zu of %zu attempts were refused\n", refused, tried);
        return refused == tried;
}
