#include "tests/attack/lib/stage.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/mount.h>
#include <pty.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { SET_STRING = 1, CREATE = 6, SHARED_BLOCKS = 26 }; /* enum fsconfig_command; glibc's header and the kernel's do not mix */

static pid_t start_host_process(void) {
        pid_t pid = fork();

        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void)pause();
        }
        return pid;
}

int stage_open(struct stage *ret_stage, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int marker = -1;
        struct stage stage = { .listeners = { -1, -1, -1, -1 }, .terminal = -1, .terminal_master = -1 };

        (void)snprintf(stage.directory, sizeof(stage.directory), "/var/tmp/gbx-attack-XXXXXX");
        if (!mkdtemp(stage.directory) || chmod(stage.directory, 0755) < 0)
                return gbx_fail_errno(err, "cannot make a directory below /var/tmp");
        (void)snprintf(stage.marker, sizeof(stage.marker), "%s/marker", stage.directory);
        marker = open(stage.marker, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        if (marker < 0 || fchmod(marker, 0666) < 0 || write(marker, "marker\n", 7) != 7)
                return gbx_fail_errno(err, "cannot write '%s'", stage.marker);
        stage.host_process = start_host_process();
        if (stage.host_process < 0)
                return gbx_fail_errno(err, "cannot start a process to aim at");
        *ret_stage = stage;
        return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
        (void)info, (void)type, (void)walk;
        return remove(path);
}

void stage_close(struct stage *stage) {
        if (stage->host_process > 0) {
                (void)kill(stage->host_process, SIGKILL);
                (void)waitpid(stage->host_process, NULL, 0);
        }
        for (size_t i = 0; i < stage->descriptor_count; i++)
                (void)close(stage->descriptors[i]);
        for (size_t i = 0; i < sizeof(stage->listeners) / sizeof(stage->listeners[0]); i++)
                gbx_close_fd(&stage->listeners[i]);
        gbx_close_fd(&stage->terminal_master);
        if (stage->directory[0])
                (void)nftw(stage->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int stage_keep(struct stage *stage, int fd) {
        if (fd >= 0 && stage->descriptor_count == STAGE_MAX_DESCRIPTORS) {
                (void)close(fd);
                errno = EMFILE;
                return -1;
        }
        if (fd >= 0)
                stage->descriptors[stage->descriptor_count++] = fd;
        return fd;
}

void stage_drop(struct stage *stage, size_t count) {
        while (stage->descriptor_count > count)
                (void)close(stage->descriptors[--stage->descriptor_count]);
}

int stage_copy_file(const char *from, int to_directory, const char *to, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
        gbx_auto(gbx_close_fd) int out = openat(to_directory, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        ssize_t moved;

        if (in < 0 || out < 0)
                return gbx_fail_errno(err, "cannot copy '%s' to '%s'", from, to);
        while ((moved = sendfile(out, in, NULL, 1 << 20)) > 0)
                ;
        if (moved < 0 || fchmod(out, 0755) < 0)
                return gbx_fail_errno(err, "cannot copy '%s'", from);
        return 0;
}

int stage_mount(struct stage *stage, const char *program, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        gbx_auto(gbx_close_fd) int mounted = -1;
        int r;

        if (context < 0 || syscall(SYS_fsconfig, context, SET_STRING, "mode", "1777", 0) < 0 ||
            syscall(SYS_fsconfig, context, SET_STRING, "size", "64m", 0) < 0 ||
            syscall(SYS_fsconfig, context, CREATE, NULL, NULL, 0) < 0)
                return gbx_fail_errno(err, "cannot make a tmpfs");
        mounted = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (mounted < 0)
                return gbx_fail_errno(err, "cannot mount a tmpfs");
        if (program && (r = stage_copy_file(program, mounted, name, err)) < 0)
                return r;
        return stage_keep(stage, gbx_take_fd(&mounted));
}

/* The marker that ping(8) carries: VFS_CAP_REVISION_2 with the effective bit, CAP_SYS_ADMIN permitted. */
static const uint32_t file_capability[5] = { 0x02000001, 1U << 21, 0, 0, 0 };

/* A file that is on the disk and not in the page cache, so that whoever reads it first can be found out. */
static int write_pages(int fd) {
        static char block[256 * 1024];

        memset(block, 'p', sizeof(block));
        for (int i = 0; i < SHARED_BLOCKS; i++)
                if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
                        return -1;
        return fsync(fd) < 0 ? -1 : posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* /bin/setuid and /bin/capable: the program again, with what would raise its privilege. */
static int mark_programs(int image, const char *program, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int capable = -1, pages = -1;
        int r = stage_copy_file(program, image, "bin/setuid", err);

        if (r == 0)
                r = stage_copy_file(program, image, "bin/capable", err);
        if (r < 0)
                return r;
        capable = openat(image, "bin/capable", O_RDONLY | O_CLOEXEC);
        pages = openat(image, "bin/pages", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        if (pages < 0 || ftruncate(pages, 0) < 0 || write_pages(pages) < 0)
                return gbx_fail_errno(err, "cannot write 'bin/pages' in the image");
        if (fchmodat(image, "bin/setuid", 04755, 0) < 0 || capable < 0 ||
            fsetxattr(capable, "security.capability", file_capability, sizeof(file_capability), 0) < 0)
                return gbx_fail_errno(err, "cannot mark programs in the image");
        return 0;
}

int stage_image(struct stage *stage, const char *program, struct gbx_error *err) {
        static const char *const names[] = { "bin", "data", "dev", "etc", "job", "out", "proc", "sys", "tmp" };
        gbx_auto(gbx_close_fd) int directory = -1;

        (void)snprintf(stage->image, sizeof(stage->image), "%s/image", stage->directory);
        if (mkdir(stage->image, 0755) < 0)
                return gbx_fail_errno(err, "cannot make '%s'", stage->image);
        directory = gbx_open_directory(AT_FDCWD, stage->image, err);
        if (directory < 0)
                return directory;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (mkdirat(directory, names[i], 0755) < 0)
                        return gbx_fail_errno(err, "cannot make '%s'", names[i]);
        return mark_programs(directory, program, err);
}

static int listen_on(int family, int type, const void *address, socklen_t size) {
        int fd = socket(family, type | SOCK_CLOEXEC, 0);

        if (fd >= 0 && (bind(fd, address, size) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)))
                gbx_close_fd(&fd);
        return fd;
}

int stage_listen(struct stage *stage, struct gbx_error *err) {
        struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        struct sockaddr_un abstract = { .sun_family = AF_UNIX }, path = { .sun_family = AF_UNIX };
        socklen_t size = sizeof(four);

        stage->listeners[0] = listen_on(AF_INET, SOCK_STREAM, &four, size);
        if (stage->listeners[0] < 0 || getsockname(stage->listeners[0], (struct sockaddr *)&four, &size) < 0)
                return gbx_fail_errno(err, "cannot listen on 127.0.0.1");
        stage->port = ntohs(four.sin_port);
        six.sin6_port = four.sin_port;
        stage->listeners[1] = listen_on(AF_INET6, SOCK_STREAM, &six, sizeof(six)); /* may be absent */
        (void)snprintf(stage->abstract_name, sizeof(stage->abstract_name), "gbx-attack-%d", getpid());
        memcpy(abstract.sun_path + 1, stage->abstract_name, strlen(stage->abstract_name));
        stage->listeners[2] =
                listen_on(AF_UNIX, SOCK_STREAM, &abstract,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(stage->abstract_name)));
        (void)snprintf(stage->socket_path, sizeof(stage->socket_path), "%s/socket", stage->directory);
        memcpy(path.sun_path, stage->socket_path, strlen(stage->socket_path) + 1);
        stage->listeners[3] = listen_on(AF_UNIX, SOCK_STREAM, &path, sizeof(path));
        if (stage->listeners[2] < 0 || stage->listeners[3] < 0 || chmod(stage->socket_path, 0777) < 0)
                return gbx_fail_errno(err, "cannot listen on unix sockets");
        return 0;
}

int stage_terminal(struct stage *stage, struct gbx_error *err) {
        if (openpty(&stage->terminal_master, &stage->terminal, NULL, NULL, NULL) < 0)
                return gbx_fail_errno(err, "cannot open a terminal");
        (void)stage_keep(stage, stage->terminal);
        if (ioctl(stage->terminal, TIOCSCTTY, 0) < 0)
                return gbx_fail_errno(err, "cannot take the terminal");
        return 0;
}

int stage_leak(struct stage *stage, struct gbx_error *err) {
        static const int numbers[] = { 30, 31, 50, 63, 64, 65, 100, 255, 256, 500, 1000, 1023 };
        gbx_auto(gbx_close_fd) int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (root < 0 || stage_keep(stage, dup2(root, numbers[i])) < 0)
                        return gbx_fail_errno(err, "cannot leak a descriptor");
        return 0;
}
