/*
 * A job that does what its arguments say, and prints what came of it
 *
 *   sandbox-probe [write PATH | list PATH | socket | connect ADDRESS | tsc | status | sleep S | exit N]...
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void print_file(const char *path) {
        char line[256];
        FILE *file = fopen(path, "re");

        while (file && fgets(line, sizeof line, file))
                fputs(line, stdout);
        if (file)
                (void)fclose(file);
}

static void write_file(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        printf("write %s: %s\n", path, fd >= 0 && write(fd, "x", 1) == 1 ? "ok" : strerror(errno));
}

static void list(const char *path) {
        DIR *directory = opendir(path);
        struct dirent *entry;

        printf("list %s:", path);
        while (directory && (entry = readdir(directory)))
                if (entry->d_name[0] != '.')
                        printf(" %s", entry->d_name);
        putchar('\n');
        if (directory)
                (void)closedir(directory);
}

/* Where the standard descriptors lead. */
static void print_descriptors(void) {
        for (int fd = 0; fd <= 2; fd++) {
                char path[32], target[256];
                ssize_t n;

                (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
                n = readlink(path, target, sizeof target);
                printf("descriptor %d: %.*s\n", fd, n < 0 ? 6 : (int)n, n < 0 ? "closed" : target);
        }
}

/* TCP to port 80 of an IPv4 address: says "ping" and prints the answer. */
static void connect_to(const char *text) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(80) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char answer[64];
        ssize_t n;

        (void)inet_pton(AF_INET, text, &address.sin_addr);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
                printf("connect %s: %s\n", text, strerror(errno));
                return;
        }
        n = write(fd, "ping", 4) == 4 ? read(fd, answer, sizeof answer) : -1;
        printf("connect %s: %.*s\n", text, n < 0 ? 0 : (int)n, answer);
        (void)close(fd);
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                const char *next = i + 1 < argc ? argv[i + 1] : "";

                if (strcmp(argv[i], "write") == 0)
                        write_file(next), i++;
                else if (strcmp(argv[i], "list") == 0)
                        list(next), i++;
                else if (strcmp(argv[i], "socket") == 0)
                        printf("socket: %s\n", socket(AF_INET, SOCK_STREAM, 0) < 0 ? strerror(errno) : "ok");
                else if (strcmp(argv[i], "tsc") == 0)
                        (void)__builtin_ia32_rdtsc();
                else if (strcmp(argv[i], "connect") == 0)
                        connect_to(next), i++;
                else if (strcmp(argv[i], "status") == 0)
                        print_file("/proc/self/status");
                else if (strcmp(argv[i], "mounts") == 0)
                        print_file("/proc/self/mountinfo");
                else if (strcmp(argv[i], "descriptors") == 0)
                        print_descriptors();
                else if (strcmp(argv[i], "sleep") == 0)
                        (void)sleep((unsigned)strtoul(next, NULL, 10)), i++;
                else if (strcmp(argv[i], "exit") == 0)
                        return (int)strtol(next, NULL, 10);
        }
        return 0;
}
