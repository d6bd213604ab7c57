#include "runtime/sandbox/order_send.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/sandbox/channel.h"
#include "runtime/sandbox/order.h"
#include "runtime/sandbox/run.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        RESULT_LIMIT = 1024 * 1024,
        SIGNAL_BASE = 128,
        KILLED_STATUS = 137,
};

static void free_json(json_t **json) {
        json_decref(*json);
}

static int connect_to(const char *path, struct gbx_error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        gbx_auto(gbx_close_fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return gbx_fail_errno(err, "cannot make a socket");
        if (strlen(path) >= sizeof address.sun_path)
                return gbx_fail(err, -EINVAL, "--socket: '%s' is longer than %zu bytes", path, sizeof address.sun_path - 1);
        memcpy(address.sun_path, path, strlen(path));
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return gbx_fail_errno(err, "--socket: cannot connect to '%s' (is a `gbx-sandbox pool` running there?)", path);
        return gbx_take_fd(&fd);
}

static int make_order(char *const *argv, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(free_json) json_t *arguments = json_array();
        gbx_auto(free_json) json_t *order = NULL;
        gbx_auto(gbx_free_pointer) char *text = NULL;

        for (size_t i = 0; argv[i]; i++)
                if (json_array_append_new(arguments, json_string(argv[i])) < 0)
                        return gbx_fail(err, -EINVAL, "argv[%zu]: not UTF-8", i);
        order = json_pack("{s:i,s:O,s:i,s:i,s:i}", "version", 1, "argv", arguments, "stdin", STDIN_FILENO, "stdout",
                          STDOUT_FILENO, "stderr", STDERR_FILENO);
        text = order ? json_dumps(order, JSON_COMPACT) : NULL;
        return text ? gbx_buffer_append_text(ret, text, err) : gbx_fail_memory(err);
}

static int read_order(const char *file, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = strcmp(file, "-") == 0 ? gbx_read_fd(STDIN_FILENO, GBX_ORDER_LIMIT, ret, err)
                                       : gbx_read_file(AT_FDCWD, file, GBX_ORDER_LIMIT, ret, err);

        if (r == 0 && ret->size == 0)
                r = gbx_fail(err, -EINVAL, "the file is empty");
        return r < 0 ? gbx_context(err, -EINVAL, "order '%s'", file) : 0;
}

static int exchange(const struct gbx_order_send *send, char *ret_result, size_t *ret_size, struct gbx_error *err) {
        static const int standard[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
        gbx_auto(gbx_buffer_free) struct gbx_buffer order = {};
        int r = send->file ? read_order(send->file, &order, err) : make_order(send->argv, &order, err);
        gbx_auto(gbx_close_fd) int connection = r < 0 ? -1 : connect_to(send->socket_path, err);
        int returned[GBX_SPEC_MAX_MOUNTS] = {};

        if (connection < 0)
                return r < 0 ? r : connection;
        r = gbx_channel_send_all(connection, order.data, order.size, send->file ? send->descriptors : standard,
                                 send->file ? send->descriptor_count : gbx_array_size(standard), err);
        if (r == 0)
                r = gbx_channel_receive_message(connection, ret_result, RESULT_LIMIT, ret_size, returned,
                                                gbx_array_size(returned), err);
        if (r < 0)
                return gbx_context(err, r, "the pool gave no result");
        for (int i = 0; i < r; i++)
                (void)close(returned[i]);
        return 0;
}

/* As gbx_result_status() does for a run of one's own. */
static int status_of(const json_t *result, struct gbx_error *err) {
        const char *outcome = json_string_value(json_object_get(result, "outcome"));
        const char *failure = json_string_value(json_object_get(result, "error"));

        if (failure)
                return gbx_fail(err, -ECANCELED, "%s", failure);
        if (!outcome)
                return gbx_fail(err, -EBADMSG, "the pool's answer is no result");
        if (strcmp(outcome, "exited") == 0)
                return (int)json_integer_value(json_object_get(result, "exit_code"));
        if (strcmp(outcome, "signaled") == 0)
                return SIGNAL_BASE + (int)json_integer_value(json_object_get(result, "signal"));
        return KILLED_STATUS;
}

int gbx_order_send(const struct gbx_order_send *send) {
        static char text[RESULT_LIMIT];
        gbx_auto(free_json) json_t *result = NULL;
        struct gbx_error err = {};
        json_error_t problem;
        size_t size = 0;
        int status = 0, r = exchange(send, text, &size, &err);

        if (r == 0) {
                result = json_loadb(text, size, 0, &problem);
                status = status_of(result, &err);
                r = status < 0 ? status : 0;
        }
        if (r == 0 && send->result_fd >= 0)
                r = gbx_write_all(send->result_fd, text, size, &err);
        if (r < 0) {
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
                return r == -EINVAL ? GBX_EXIT_USAGE : GBX_EXIT_FAILED;
        }
        return send->result_fd >= 0 ? 0 : status;
}
