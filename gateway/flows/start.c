#include "gateway/flows/start.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/memfile.h"
#include "base/spawn.h"
#include "gateway/flows/redirect.h"
#include "runtime/sandbox/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_LIMIT = 64 * 1024, MESSAGE_LIMIT = 4096, READY_MS = 20000, STOP_MS = 10000 };

struct gbx_egress {
        struct gbx_network network;
        char address[32];
        struct gbx_redirect *redirect;
        char *control_path;
        struct gbx_child child;
        int events, messages; /* read ends */
        pthread_t reader;
        bool reading;
        int take_result; /* of the reader; read after it was joined */
        int (*take)(void *userdata, const json_t *record);
        void *userdata;
};

/* The ends that the proxy gets. */
struct child_ends {
        int config, listen, events, control, ready, messages;
};

static void close_ends(struct child_ends *ends) {
        gbx_close_fd(&ends->config);
        gbx_close_fd(&ends->listen);
        gbx_close_fd(&ends->events);
        gbx_close_fd(&ends->control);
        gbx_close_fd(&ends->ready);
        gbx_close_fd(&ends->messages);
}

/* Bound by way of the folder's descriptor, for the address of a socket has room for 107 bytes of path and no more. The
 * socket file gets the mode that its socket has (and that the umask leaves). */
static int open_control(struct gbx_egress *egress, const char *path, struct gbx_error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *slash = strrchr(path, '/');
        gbx_auto(gbx_free_pointer) char *parent = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup("./");
        gbx_auto(gbx_close_fd) int folder = parent ? gbx_open_directory(AT_FDCWD, parent, err) : gbx_fail_memory(err);
        gbx_auto(gbx_close_fd) int fd = -1;

        if (folder < 0)
                return folder;
        if (snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, slash ? slash + 1 : path) >=
            (int)sizeof address.sun_path)
                return gbx_fail(err, -EINVAL, "the name of the control socket '%s' is too long", path);
        (void)unlink(path); /* what a killed process left */
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0)
                return gbx_fail_errno(err, "cannot make the control socket '%s'", path);
        egress->control_path = strdup(path);
        return egress->control_path ? gbx_take_fd(&fd) : gbx_fail_memory(err);
}

/* The configuration has keys: it goes into memory that has no name, and is read once. */
static int write_config(const struct gbx_egress_options *options, const struct child_ends *ends, struct gbx_error *err) {
        json_t *config = json_copy((json_t *)(uintptr_t)options->config);
        char *text = NULL;
        int r = 0, fd = -1;

        if (!config || json_object_set_new(config, "version", json_integer(1)) < 0 ||
            json_object_set_new(config, "listen", json_pack("[i]", ends->listen)) < 0 ||
            json_object_set_new(config, "events", json_integer(ends->events)) < 0 ||
            (options->tokens > 0 && json_object_set_new(config, "scan-tokens", json_integer(options->tokens)) < 0) ||
            (ends->control >= 0 && json_object_set_new(config, "control", json_integer(ends->control)) < 0) ||
            !(text = json_dumps(config, JSON_COMPACT)))
                r = gbx_fail_memory(err);
        if (r == 0)
                r = fd = gbx_memfile("egress-config", text, strlen(text), err);
        if (text)
                OPENSSL_cleanse(text, strlen(text));
        free(text);
        json_decref(config);
        return r < 0 ? r : fd;
}

static int open_pipe(int *ret_read, int *ret_write, struct gbx_error *err) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        *ret_read = ends[0];
        *ret_write = ends[1];
        return 0;
}

/* Descriptors keep their numbers, by which the configuration names them. In a process group of its own: a terminal's ^C is
 * for the gateway, which ends the job, and then its proxy. */
static int spawn(struct gbx_egress *egress, const struct gbx_egress_options *options, const struct child_ends *ends,
                 struct gbx_error *err) {
        const int inherited[] = { ends->config, ends->listen, ends->events, ends->ready, ends->control,
                                  options->tokens > 0 ? options->tokens : -1 };
        struct gbx_spawn_descriptor descriptors[gbx_array_size(inherited) + 1] = { { ends->messages, STDERR_FILENO } };
        char config[16], ready[16];
        const char *const arguments[] = { "gbx-egress", config, ready, NULL };
        struct gbx_spawn start = { .program = options->program, .arguments = arguments,
                                   .descriptors = descriptors, .descriptor_count = 1, .own_group = true };

        (void)snprintf(config, sizeof config, "%d", ends->config);
        (void)snprintf(ready, sizeof ready, "%d", ends->ready);
        for (size_t i = 0; i < gbx_array_size(inherited); i++)
                if (inherited[i] >= 0)
                        descriptors[start.descriptor_count++] = (struct gbx_spawn_descriptor){ inherited[i], inherited[i] };
        return gbx_spawn(&egress->child, &start, err);
}

/* What the proxy said last, as an error. */
static int fail_with_message(struct gbx_egress *egress, const char *what, struct gbx_error *err) {
        char text[MESSAGE_LIMIT];
        ssize_t size = read(egress->messages, text, sizeof text - 1);

        while (size > 0 && text[size - 1] == '\n')
                size--;
        return gbx_fail(err, -ECANCELED, "%s: %.*s", what, size > 0 ? (int)size : 23, size > 0 ? text : "it does not say why not");
}

static int wait_until_ready(struct gbx_egress *egress, int ready, struct gbx_error *err) {
        struct pollfd poller = { .fd = ready, .events = POLLIN };
        char text[8];
        int r;

        do
                r = poll(&poller, 1, READY_MS);
        while (r < 0 && errno == EINTR);
        if (r == 0)
                return gbx_fail(err, -ETIMEDOUT, "the egress proxy did not start within %d s", READY_MS / 1000);
        if (r < 0 || read(ready, text, sizeof text) != 6)
                return fail_with_message(egress, "the egress proxy did not start", err);
        return 0;
}

static int take_line(struct gbx_egress *egress, const char *line, size_t size) {
        json_t *record = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
        int r = record ? 0 : -EPROTO;

        if (record && egress->take)
                r = egress->take(egress->userdata, record);
        json_decref(record);
        return r;
}

/* Takes whole lines off the front of the buffer. */
static int take_lines(struct gbx_egress *egress, struct gbx_buffer *buffer) {
        size_t start = 0;
        const uint8_t *end;

        while (start < buffer->size && (end = memchr(buffer->data + start, '\n', buffer->size - start))) {
                size_t size = (size_t)(end - buffer->data) - start;
                int r = take_line(egress, (const char *)buffer->data + start, size);

                if (r < 0)
                        return r;
                start += size + 1;
        }
        if (buffer->size - start > LINE_LIMIT)
                return -EMSGSIZE;
        if (start > 0) {
                memmove(buffer->data, buffer->data + start, buffer->size - start);
                buffer->size -= start;
        }
        return 0;
}

static void *read_records(void *argument) {
        struct gbx_egress *egress = argument;
        gbx_auto(gbx_buffer_free) struct gbx_buffer buffer = {};
        int r = 0;

        while (r >= 0) {
                ssize_t n;

                r = gbx_buffer_reserve(&buffer, LINE_LIMIT, NULL);
                if (r < 0)
                        break;
                n = read(egress->events, buffer.data + buffer.size, LINE_LIMIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                buffer.size += (size_t)n;
                r = take_lines(egress, &buffer);
        }
        /* With nobody to read on, the proxy's next record fails, and the proxy stops. */
        gbx_close_fd(&egress->events);
        egress->take_result = r;
        return NULL;
}

static int start_proxy(struct gbx_egress *egress, const struct gbx_egress_options *options, struct gbx_error *err) {
        gbx_auto(close_ends) struct child_ends ends = { -1, -1, -1, -1, -1, -1 };
        gbx_auto(gbx_close_fd) int ready = -1;
        int r;

        r = ends.listen = gbx_network_listen(&egress->network, GBX_EGRESS_PORT, err);
        if (r < 0)
                return r;
        r = open_pipe(&egress->events, &ends.events, err);
        if (r < 0)
                return r;
        r = open_pipe(&egress->messages, &ends.messages, err);
        if (r < 0)
                return r;
        r = open_pipe(&ready, &ends.ready, err);
        if (r < 0)
                return r;
        if (options->control_path) {
                r = ends.control = open_control(egress, options->control_path, err);
                if (r < 0)
                        return r;
        }
        r = ends.config = write_config(options, &ends, err);
        if (r < 0)
                return r;
        r = spawn(egress, options, &ends, err);
        if (r < 0)
                return r;
        close_ends(&ends);
        return wait_until_ready(egress, ready, err);
}

/* Networks of different runs never meet, so a number chosen twice would do no harm but to a reader of the log. */
static int make_network(struct gbx_egress *egress, uint64_t rate, struct gbx_error *err) {
        struct gbx_network_options options = { .rate = rate };
        int r = gbx_random(&options.index, sizeof options.index, err);

        if (r < 0)
                return r;
        options.index &= GBX_NETWORK_MAX_INDEX;
        r = gbx_network_new(&egress->network, &options, err);
        if (r < 0)
                return r;
        (void)snprintf(egress->address, sizeof egress->address, "%s:%d", egress->network.gateway_address, GBX_EGRESS_PORT);
        return 0;
}

static int start_redirect(struct gbx_egress *egress, struct gbx_error *err) {
        struct sockaddr_in proxy = { .sin_family = AF_INET, .sin_port = htons(GBX_EGRESS_PORT) };

        (void)inet_pton(AF_INET, egress->network.gateway_address, &proxy.sin_addr);
        return gbx_redirect_new(&egress->redirect, egress->network.job, &proxy, GBX_REDIRECT_ATTEMPT_MS, err);
}

int gbx_egress_start(struct gbx_egress **ret, const struct gbx_egress_options *options, struct gbx_error *err) {
        gbx_auto(gbx_egress_stopp) struct gbx_egress *egress = calloc(1, sizeof *egress);
        int r;

        if (!egress)
                return gbx_fail_memory(err);
        *egress = (struct gbx_egress){ .network = { .job = -1, .gateway = -1 }, .events = -1, .messages = -1, .child = GBX_NO_CHILD,
                                       .take = options->take, .userdata = options->userdata };
        r = make_network(egress, options->rate, err);
        if (r < 0)
                return r;
        r = start_proxy(egress, options, err);
        if (r < 0)
                return r;
        r = start_redirect(egress, err);
        if (r < 0)
                return r;
        r = pthread_create(&egress->reader, NULL, read_records, egress);
        if (r != 0) {
                errno = r;
                return gbx_fail_errno(err, "cannot start a thread");
        }
        egress->reading = true;
        *ret = gbx_take_ptr(egress);
        return 0;
}

int gbx_egress_namespace(const struct gbx_egress *egress) { return egress->network.job; }
int gbx_egress_connects(const struct gbx_egress *egress) { return gbx_redirect_socket(egress->redirect); }
const char *gbx_egress_address(const struct gbx_egress *egress) { return egress->address; }

json_t *gbx_egress_environment(const struct gbx_egress *egress) {
        static const char *const names[] = { "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY" };
        json_t *environment = json_object();

        for (size_t i = 0; environment && i < gbx_array_size(names); i++)
                if (json_object_set_new(environment, names[i], json_sprintf("http://%s", egress->address)) < 0) {
                        json_decref(environment);
                        return NULL;
                }
        return environment;
}

void gbx_egress_close_flows(struct gbx_egress *egress, int signal) {
        (void)syscall(SYS_pidfd_send_signal, egress->child.fd, signal, NULL, 0); /* one that has ended has no flows */
}

int gbx_egress_stop(struct gbx_egress *egress, struct gbx_error *err) {
        bool started = egress->child.pid > 0;
        struct gbx_ended ended = {};
        int r = 0;

        egress->redirect = gbx_redirect_free(egress->redirect);
        if (started)
                r = gbx_child_stop(&egress->child, STOP_MS, &ended, err);
        if (egress->reading)
                (void)pthread_join(egress->reader, NULL);
        if (started && egress->take_result < 0)
                r = gbx_fail(err, egress->take_result, "records of the egress proxy could not be kept");
        else if (started && (r < 0 || !gbx_ended_well(&ended)))
                r = fail_with_message(egress, "the egress proxy had ended before it was told to", err);
        if (egress->control_path)
                (void)unlink(egress->control_path);
        free(egress->control_path);
        gbx_close_fd(&egress->events);
        gbx_close_fd(&egress->messages);
        gbx_child_end(&egress->child);
        gbx_network_free(&egress->network);
        free(egress);
        return r;
}
