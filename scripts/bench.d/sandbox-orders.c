/*
 * Gives orders to a pool of prepared sandboxes
 *
 *   sandbox-orders SOCKET COUNT IN-FLIGHT PAUSE-MS
 *
 * The job is sandbox-first. Prints one line: median and p99 in ms from sending
 * the order to the job's first instruction, median in ms to the result, and
 * jobs a second.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_IN_FLIGHT = 1024 };

struct job {
        int connection, output;
        struct timespec sent;
};

static double between_ms(const struct timespec *a, const struct timespec *b) {
        return (double)(b->tv_sec - a->tv_sec) * 1e3 + (double)(b->tv_nsec - a->tv_nsec) / 1e6;
}

static void send_order(struct job *job, const struct sockaddr_un *address) {
        static const char text[] = "{\"version\":1,\"argv\":[\"/bin/first\"],\"stdout\":0}";
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec part = { (void *)text, sizeof text - 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        int ends[2];

        job->connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (pipe(ends) < 0 || connect(job->connection, (const struct sockaddr *)address, sizeof *address) < 0) {
                perror("sandbox-orders");
                exit(1);
        }
        memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
        clock_gettime(CLOCK_MONOTONIC, &job->sent);
        if (sendmsg(job->connection, &message, 0) < 0) {
                perror("sandbox-orders");
                exit(1);
        }
        close(ends[1]);
        job->output = ends[0];
}

static void finish(struct job *job, double *ret_first, double *ret_total) {
        static char answer[65536];
        struct timespec first, now;
        ssize_t n = read(job->connection, answer, sizeof answer - 1); /* its descriptors are let go */

        clock_gettime(CLOCK_MONOTONIC, &now);
        answer[n < 0 ? 0 : n] = '\0';
        if (!strstr(answer, "\"outcome\":\"exited\",\"exit_code\":0") || read(job->output, &first, sizeof first) != sizeof first) {
                fprintf(stderr, "sandbox-orders: %s\n", answer);
                exit(1);
        }
        *ret_first = between_ms(&job->sent, &first);
        *ret_total = between_ms(&job->sent, &now);
        close(job->connection);
        close(job->output);
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int main(int argc, char **argv) {
        static struct job jobs[MAX_IN_FLIGHT];
        static struct pollfd watched[MAX_IN_FLIGHT];
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int count, in_flight, sent = 0, done = 0;
        double *first, *total;
        struct timespec begin, end;

        if (argc != 5 || (count = atoi(argv[2])) < 1 || (in_flight = atoi(argv[3])) < 1 || in_flight > MAX_IN_FLIGHT)
                return 2;
        snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
        first = calloc((size_t)count, sizeof *first);
        total = calloc((size_t)count, sizeof *total);
        for (int i = 0; i < in_flight; i++)
                watched[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
        clock_gettime(CLOCK_MONOTONIC, &begin);
        while (done < count) {
                for (int i = 0; i < in_flight && sent < count; i++)
                        if (watched[i].fd < 0) {
                                send_order(&jobs[i], &address);
                                watched[i].fd = jobs[i].connection;
                                sent++;
                        }
                poll(watched, (nfds_t)in_flight, -1);
                for (int i = 0; i < in_flight; i++)
                        if (watched[i].fd >= 0 && watched[i].revents) {
                                finish(&jobs[i], &first[done], &total[done]);
                                watched[i].fd = -1;
                                done++;
                                usleep((useconds_t)atoi(argv[4]) * 1000);
                        }
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        qsort(first, (size_t)count, sizeof *first, compare);
        qsort(total, (size_t)count, sizeof *total, compare);
        printf("%.3f %.3f %.3f %.0f\n", first[count / 2], first[count * 99 / 100], total[count / 2],
               count * 1e3 / between_ms(&begin, &end));
        return 0;
}
