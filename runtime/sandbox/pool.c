#include "runtime/sandbox/pool.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/sandbox/channel.h"
#include "runtime/sandbox/prepare.h"
#include "runtime/sandbox/result.h"
#include "runtime/sandbox/run.h"
#include "runtime/sandbox/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum {
        BACKLOG = 1024,
        QUIET_US = 20 * 1000,
        PAUSE_US = 100 * 1000,
        LEAST_OPEN_FILES = 64, /* the filter's listener takes a number before init's own descriptors are closed */
        ORDER_WAIT_MS = 10 * 1000, /* from connecting to the order */
        CLEANING_NICENESS = 5,
        EXIT_USED = 0,
        EXIT_NOT_PREPARED = 1,
};

struct pool {
        struct gbx_spec spec;
        int listener;
        int ready; /* pipe: '+' for each sandbox that became ready, '-' for one that could not; -1 later */
        bool late_confinement;
};

static int make_listener(const char *path, struct gbx_error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        gbx_auto(gbx_close_fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct stat status;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot make a socket");
        if (!*path || strlen(path) >= sizeof address.sun_path) /* an empty one would be open to everybody (unix(7)) */
                return gbx_fail(err, -EINVAL, "--socket: '%s' is not a path of 1 to %zu bytes", path,
                                sizeof address.sun_path - 1);
        memcpy(address.sun_path, path, strlen(path));
        /* Only what a killed pool left is taken away: a socket that nobody listens on. */
        if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
            connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED)
                (void)unlink(path);
        /* The socket file gets the mode that its socket has (and that the umask leaves). */
        if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
                return gbx_fail_errno(err, "--socket: cannot listen on '%s'", path);
        return gbx_take_fd(&fd);
}

/* A listener that was handed over: one that is none, or that does not wait, would have the pool spin. */
static int check_listener(int fd, struct gbx_error *err) {
        int listening = 0, type = 0, flags = fcntl(fd, F_GETFL);
        socklen_t size = sizeof listening;

        if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || !listening || type != SOCK_SEQPACKET)
                return gbx_fail(err, -EINVAL, "--listen-fd: descriptor %d is not a listening SOCK_SEQPACKET socket", fd);
        return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? gbx_fail_errno(err, "--listen-fd: cannot set it to wait") : 0;
}

static int check_spec(struct pool *pool, struct gbx_error *err) {
        const struct gbx_spec *spec = &pool->spec;

        if (spec->network_fd >= 0 || spec->notify_connect_fd >= 0)
                return gbx_fail(err, -EINVAL, "network: the sandboxes of a pool have no network");
        if (strcmp(spec->cwd, "/") != 0)
                return gbx_fail(err, -EINVAL, "cwd: only '/' in a pool");
        if (spec->limits.open_files < LEAST_OPEN_FILES)
                return gbx_fail(err, -EINVAL, "limits.open_files: at least %d in a pool", LEAST_OPEN_FILES);
        for (size_t i = 0; i < spec->mount_count; i++) {
                const struct gbx_spec_mount *mount = &spec->mounts[i];

                if (mount->kind == GBX_MOUNT_DIRECTORY && mount->writable)
                        return gbx_fail(err, -EINVAL, "mounts[%zu].writable: the jobs of a pool would share the directory; "
                                                      "make it a tmpfs, or 'later'", i);
                if (mount->kind == GBX_MOUNT_DETACHED)
                        return gbx_fail(err, -EINVAL, "mounts[%zu].fd: a mount has one place; a pool's jobs bring "
                                                      "theirs ('later')", i);
                pool->late_confinement |= mount->kind == GBX_MOUNT_LATER && (mount->writable || mount->executable);
        }
        return 0;
}

/* Waits for init to say that it is ready, or to end, which closes the channel. */
static int wait_until_ready(struct gbx_run *run, struct gbx_error *err) {
        int fd = -1, r;

        r = gbx_channel_receive_all(run->channel[0], &fd, 1, err);
        if (r == -EPIPE) { /* init ended; why, it has told before */
                if (run->shared->error.code == 0)
                        return gbx_fail(err, -ECHILD, "init ended before it was ready");
                *err = run->shared->error;
        }
        if (r == 1)
                run->listener = fd;
        return r < 0 ? r : 0;
}

static int answer_error(int connection, const struct gbx_error *failure) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        json_t *json = json_pack("{s:s}", "error", failure->message);
        char *line = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
        int r = line ? gbx_channel_send_all(connection, line, strlen(line), NULL, 0, NULL) : -ENOMEM;

        free(line);
        json_decref(json);
        return r;
}

static int answer_result(int connection, const struct gbx_run *run, const struct gbx_outcome *outcome,
                         struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int fds[GBX_SPEC_MAX_MOUNTS], r;
        size_t count = 0;

        for (size_t i = 0; i < run->spec.mount_count; i++)
                for (size_t j = 0; j < run->mount_count; j++)
                        if (run->mounts[j].target == run->spec.mounts[i].target &&
                            run->spec.mounts[i].kind == GBX_MOUNT_TMPFS && run->spec.mounts[i].writable)
                                fds[count++] = run->mounts[j].mount;
        r = gbx_result_format(run, outcome, &text, err);
        return r < 0 ? r : gbx_channel_send_all(connection, text.data, text.size, fds, count, err);
}

/* No process of the job is left: what remains can stand back a little, so that a burst of jobs is answered first. No
 * more than a little, for the kernel removes a cgroup under a lock that the whole host shares: at SCHED_IDLE beside a
 * busy job it was held for seconds. */
static void clean_after_answer(struct gbx_run *run, struct gbx_guard *guard) {
        struct gbx_error err = {};

        (void)setpriority(PRIO_PROCESS, 0, CLEANING_NICENESS);
        if (gbx_run_clean(run, guard, 0, &err) < 0)
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
}

/* One order, from connection to answer. `ret_started` tells whether init was given it. */
static int serve(struct gbx_run *run, struct gbx_guard *guard, int connection, struct gbx_error *err) {
        static struct gbx_outcome outcome;
        static char text[GBX_ORDER_LIMIT];
        struct pollfd waiting = { .fd = connection, .events = POLLIN };
        int fds[GBX_ORDER_DESCRIPTORS], count, r;
        uint64_t started_us = 0;
        size_t size = 0;

        if (poll(&waiting, 1, ORDER_WAIT_MS) == 0)
                return gbx_fail(err, -ETIMEDOUT, "no order came within %d s", ORDER_WAIT_MS / 1000);
        count = gbx_channel_receive_message(connection, text, sizeof text, &size, fds, GBX_ORDER_DESCRIPTORS, err);
        r = count < 0 ? count : gbx_order_parse(run->order, &run->spec, text, size, (size_t)count, err);
        if (r == 0) {
                if (run->order->name[0])
                        run->spec.name = run->order->name;
                started_us = gbx_monotonic_us();
                r = gbx_channel_send_all(run->channel[0], "", 1, fds, (size_t)count, err);
        }
        for (int i = 0; i < count; i++)
                (void)close(fds[i]);
        if (r < 0)
                return r;
        run->client = connection;
        r = gbx_supervise(run, guard, started_us, &outcome, err);
        run->init = -1;
        if (r == 0)
                r = answer_result(connection, run, &outcome, err);
        if (r < 0)
                return gbx_run_clean(run, guard, r, err);
        (void)shutdown(connection, SHUT_RDWR); /* the client need not wait for our end to see that of the answer */
        clean_after_answer(run, guard);
        return 0;
}

static void end_unused(struct gbx_run *run, struct gbx_guard *guard) {
        if (run->init > 0) {
                (void)kill(run->init, SIGKILL);
                while (waitpid(run->init, NULL, __WALL) < 0 && errno == EINTR)
                        ;
                run->init = -1;
                (void)gbx_run_clean(run, guard, 0, NULL);
        } else if (guard->pid > 0) {
                (void)gbx_run_clean(run, guard, 0, NULL);
        }
}

static void interrupt_accept(int signal_number) {
        (void)signal_number;
}

/* Init and the guard are our children: should one be killed while the sandbox waits, it is no longer one. Whoever dies
 * between the look and accept(2) is found by the order's failure. */
static int wait_for_client(const struct pool *pool, const struct gbx_run *run, const struct gbx_guard *guard,
                           struct gbx_error *err) {
        struct sigaction interrupt = { .sa_handler = interrupt_accept, .sa_flags = SA_NOCLDSTOP };
        struct pollfd children[] = { { .fd = run->init_pidfd, .events = POLLIN }, { .fd = guard->pidfd, .events = POLLIN } };
        int connection = -1;

        if (sigaction(SIGCHLD, &interrupt, NULL) < 0)
                return gbx_fail_errno(err, "cannot watch the sandbox's processes");
        do {
                if (poll(children, 2, 0) != 0)
                        return gbx_fail(err, -ECHILD, "a process of a waiting sandbox was killed");
                connection = accept4(pool->listener, NULL, NULL, SOCK_CLOEXEC);
        } while (connection < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (connection < 0)
                return gbx_fail_errno(err, "cannot accept a connection");
        (void)signal(SIGCHLD, SIG_DFL);
        return connection;
}

/* A sandbox's launcher: prepares, waits for its one order, serves it. Returns an exit status. */
static int keep_sandbox(struct pool *pool) {
        static struct gbx_run run = GBX_RUN_NOTHING;
        static struct gbx_guard guard = { .pid = -1 };
        gbx_auto(gbx_close_fd) int connection = -1;
        struct gbx_error err = {};
        uint64_t started_us;
        int r;

        run.spec = pool->spec;
        run.late_confinement = pool->late_confinement;
        run.order = mmap(NULL, sizeof *run.order, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        r = run.order == MAP_FAILED ? gbx_fail_errno(&err, "cannot map the order") : gbx_prepare_begin(&run, &err);
        if (r == 0)
                r = gbx_prepare_launch(&run, &guard, &started_us, &err);
        if (r == 0)
                r = wait_until_ready(&run, &err);
        if (r < 0) {
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
                end_unused(&run, &guard);
                (void)!write(pool->ready, "-", 1);
                return EXIT_NOT_PREPARED;
        }
        (void)!write(pool->ready, "+", 1);
        connection = wait_for_client(pool, &run, &guard, &err);
        if (connection < 0) {
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
                end_unused(&run, &guard);
                return EXIT_NOT_PREPARED;
        }
        r = serve(&run, &guard, connection, &err);
        if (r < 0) {
                end_unused(&run, &guard);
                (void)answer_error(connection, &err);
        }
        return EXIT_USED;
}

static int start_sandbox(struct pool *pool, struct gbx_error *err) {
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                return gbx_fail_errno(err, "cannot fork");
        if (pid > 0)
                return 0;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
                _exit(EXIT_NOT_PREPARED);
        _exit(keep_sandbox(pool));
}

static int fill(struct pool *pool, unsigned size, struct gbx_error *err) {
        for (unsigned i = 0; i < size; i++) {
                int r = start_sandbox(pool, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int wait_for_all(int ready, unsigned size, struct gbx_error *err) {
        for (unsigned i = 0; i < size;) {
                struct pollfd waiting = { .fd = ready, .events = POLLIN };
                bool lost = waitpid(-1, NULL, WNOHANG) > 0; /* killed before it could say anything */
                char word = '-';

                if (!lost && poll(&waiting, 1, PAUSE_US / 1000) <= 0)
                        continue;
                if (lost || read(ready, &word, 1) != 1 || word != '+')
                        return gbx_fail(err, -ECHILD, "the pool's sandboxes cannot be prepared");
                i++;
        }
        return 0;
}

/* Makes a new sandbox for each that was used: when no job has ended for a moment, so that preparing does not slow a
 * burst of jobs down, or when most of the pool is used up. */
static int keep_full(struct pool *pool, unsigned size, struct gbx_error *err) {
        uint64_t last_us = 0;
        unsigned missing = 0;

        for (;;) {
                int status, r;
                pid_t pid = waitpid(-1, &status, missing ? WNOHANG : 0);

                if (pid < 0 && errno != EINTR && !(errno == ECHILD && missing))
                        return gbx_fail_errno(err, "cannot wait for the pool's sandboxes");
                if (pid > 0) {
                        if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_USED)
                                (void)usleep(PAUSE_US); /* it said why; not so often that it floods */
                        missing++;
                        last_us = gbx_monotonic_us();
                        continue;
                }
                if (missing * 4 < size * 3 && gbx_monotonic_us() - last_us < QUIET_US) {
                        (void)usleep(QUIET_US / 10);
                        continue;
                }
                r = start_sandbox(pool, err);
                if (r == -EAGAIN || r == -ENOMEM) { /* the host has no room now; the jobs that run go on */
                        (void)usleep(PAUSE_US);
                        continue;
                }
                if (r < 0)
                        return r;
                missing--;
        }
}

static int keep_pool(struct pool *pool, unsigned size, struct gbx_error *err) {
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        pool->ready = ends[1];
        r = fill(pool, size, err);
        if (r == 0)
                r = wait_for_all(ends[0], size, err);
        (void)close(ends[0]);
        (void)close(ends[1]);
        pool->ready = -1;
        if (r < 0)
                return r;
        (void)puts("ready");
        (void)fflush(stdout);
        return keep_full(pool, size, err);
}

int gbx_pool(const char *spec_path, const char *path, int listener, unsigned size) {
        struct pool pool = { .listener = listener, .ready = -1 };
        struct gbx_error err = {};
        int r = gbx_spec_read(&pool.spec, spec_path, &err);

        if (r == 0)
                r = check_spec(&pool, &err);
        if (r == 0 && listener >= 0)
                r = check_listener(listener, &err);
        if (r == 0 && listener < 0) {
                r = make_listener(path, &err);
                pool.listener = r;
        }
        if (r >= 0) {
                r = keep_pool(&pool, size, &err);
        }
        (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
        return r == -EINVAL ? GBX_EXIT_USAGE : GBX_EXIT_FAILED;
}
