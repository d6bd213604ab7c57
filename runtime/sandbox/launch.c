#include "runtime/sandbox/launch.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memfile.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

enum {
        RESULT_LIMIT = 4 * 1024 * 1024,
        MESSAGE_LIMIT = 8 * 1024,
        MAX_PIPES = 8,
};

int gbx_launch_pipe_open(struct gbx_launch_pipe *ret_pipe, size_t limit, void (*take)(void *, const char *, size_t),
                         void *userdata, struct gbx_error *err) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        *ret_pipe = (struct gbx_launch_pipe){ ends[0], ends[1], limit, take, userdata, 0, false };
        return 0;
}

void gbx_launch_pipe_close(struct gbx_launch_pipe *pipe) {
        gbx_close_fd(&pipe->read_end);
        gbx_close_fd(&pipe->write_end);
}

static void take_into_buffer(void *userdata, const char *data, size_t size) {
        (void)gbx_buffer_append(userdata, data, size, NULL);
}

static int make_spec_file(const json_t *spec, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *text = json_dumps(spec, JSON_COMPACT);

        return text ? gbx_memfile("sandbox-spec", text, strlen(text), err) : gbx_fail_memory(err);
}

/* Our ends of what the launcher is started with. */
struct ends {
        int spec, result, message, control;
};

/* Descriptors keep their numbers, by which the spec names them. The launcher gets a process group of its own: what a
 * terminal sends (^C, ^Z) is for us to answer, and ends the run in order. */
static int spawn(const struct gbx_launch *launch, const struct ends *ends, struct gbx_child *ret_child, struct gbx_error *err) {
        struct gbx_spawn_descriptor descriptors[GBX_SPAWN_MAX_DESCRIPTORS] = {
                { ends->spec, ends->spec }, { ends->result, ends->result }, { ends->control, ends->control },
                { ends->message, STDERR_FILENO },
        };
        char spec_path[32], result_text[16], control_text[16];
        const char *const arguments[] = { "gbx-sandbox", "run", spec_path, "--result-fd", result_text,
                                          "--control-fd", control_text, NULL };
        struct gbx_spawn start = { .program = launch->program, .arguments = arguments, .own_group = true,
                                   .environment = (const char *const *)environ, .descriptors = descriptors, .descriptor_count = 4 };

        if (launch->descriptor_count > gbx_array_size(descriptors) - MAX_PIPES - start.descriptor_count)
                return gbx_fail(err, -EINVAL, "%zu descriptors are too many for a sandbox", launch->descriptor_count);
        (void)snprintf(spec_path, sizeof spec_path, "/proc/self/fd/%d", ends->spec);
        (void)snprintf(result_text, sizeof result_text, "%d", ends->result);
        (void)snprintf(control_text, sizeof control_text, "%d", ends->control);
        for (size_t i = 0; i < launch->descriptor_count; i++)
                descriptors[start.descriptor_count++] = (struct gbx_spawn_descriptor){ launch->descriptors[i], launch->descriptors[i] };
        for (size_t i = 0; i < launch->pipe_count; i++)
                descriptors[start.descriptor_count++] =
                        (struct gbx_spawn_descriptor){ launch->pipes[i].write_end, launch->pipes[i].write_end };
        return gbx_spawn(ret_child, &start, err);
}

/* Takes what one pipe has to give. */
static void drain(struct gbx_launch_pipe *pipe) {
        char block[16 * 1024];
        ssize_t n = read(pipe->read_end, block, sizeof block);
        size_t use;

        if (n < 0 && errno == EINTR)
                return;
        if (n <= 0) {
                gbx_close_fd(&pipe->read_end);
                return;
        }
        use = (size_t)n > pipe->limit - pipe->taken ? pipe->limit - pipe->taken : (size_t)n;
        pipe->truncated |= use < (size_t)n;
        if (pipe->take && use > 0)
                pipe->take(pipe->userdata, block, use);
        pipe->taken += use;
}

/* Reads all pipes to their ends. When `cancel` (-1: none) can be read, `control` is closed, by which the launcher is told. */
static int read_pipes(struct gbx_launch_pipe *const *pipes, size_t count, int cancel, int *control, struct gbx_error *err) {
        for (;;) {
                struct pollfd polls[MAX_PIPES + 3];
                nfds_t open = 0;

                for (size_t i = 0; i < count; i++) {
                        polls[i] = (struct pollfd){ .fd = pipes[i]->read_end, .events = POLLIN };
                        open += pipes[i]->read_end >= 0;
                }
                if (open == 0)
                        return 0;
                polls[count] = (struct pollfd){ .fd = *control >= 0 ? cancel : -1, .events = POLLIN };
                if (poll(polls, count + 1, -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return gbx_fail_errno(err, "cannot wait for the sandbox");
                }
                if (polls[count].revents)
                        gbx_close_fd(control);
                for (size_t i = 0; i < count; i++)
                        if (pipes[i]->read_end >= 0 && polls[i].revents)
                                drain(pipes[i]);
        }
}

static int parse_result(const struct gbx_ended *ended, const struct gbx_buffer *result, const struct gbx_buffer *message,
                        json_t **ret_result, struct gbx_error *err) {
        json_error_t problem;
        json_t *json;
        size_t length = message->size;

        while (length > 0 && message->data[length - 1] == '\n')
                length--;
        if (ended->signal)
                return gbx_fail(err, -ECANCELED, "the sandbox launcher was killed by signal %d", ended->signal);
        if (ended->status != 0)
                return gbx_fail(err, ended->status == 2 ? -EINVAL : -ECANCELED, "%.*s",
                                length ? (int)length : 37, length ? gbx_buffer_text(message) : "the sandbox launcher did not say why");
        json = json_loadb(gbx_buffer_text(result), result->size, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(json)) {
                json_decref(json);
                return gbx_fail(err, -ECANCELED, "the sandbox gave no readable result: %s", problem.text);
        }
        *ret_result = json;
        return 0;
}

int gbx_launch_run(struct gbx_launch *launch, json_t **ret_result, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer result = {}, message = {};
        gbx_auto(gbx_launch_pipe_close) struct gbx_launch_pipe result_pipe = { .read_end = -1, .write_end = -1 };
        gbx_auto(gbx_launch_pipe_close) struct gbx_launch_pipe message_pipe = { .read_end = -1, .write_end = -1 };
        gbx_auto(gbx_launch_pipe_close) struct gbx_launch_pipe control = { .read_end = -1, .write_end = -1 };
        gbx_auto(gbx_close_fd) int spec = make_spec_file(launch->spec, err);
        gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
        struct gbx_launch_pipe *pipes[MAX_PIPES + 2];
        struct gbx_ended ended;
        int r;

        if (spec < 0)
                return spec;
        if (launch->pipe_count > MAX_PIPES)
                return gbx_fail(err, -EINVAL, "more than %d pipes to a sandbox", MAX_PIPES);
        r = gbx_launch_pipe_open(&result_pipe, RESULT_LIMIT, take_into_buffer, &result, err);
        if (r < 0)
                return r;
        r = gbx_launch_pipe_open(&message_pipe, MESSAGE_LIMIT, take_into_buffer, &message, err);
        if (r < 0)
                return r;
        r = gbx_launch_pipe_open(&control, 0, NULL, NULL, err);
        if (r < 0)
                return r;
        r = spawn(launch, &(struct ends){ spec, result_pipe.write_end, message_pipe.write_end, control.read_end }, &child, err);
        if (r < 0)
                return r;
        gbx_close_fd(&control.read_end);
        gbx_close_fd(&result_pipe.write_end);
        gbx_close_fd(&message_pipe.write_end);
        pipes[0] = &result_pipe;
        pipes[1] = &message_pipe;
        for (size_t i = 0; i < launch->pipe_count; i++) {
                gbx_close_fd(&launch->pipes[i].write_end);
                pipes[i + 2] = &launch->pipes[i];
        }
        r = read_pipes(pipes, launch->pipe_count + 2, launch->cancel > 0 ? launch->cancel : -1, &control.write_end, err);
        if (r < 0)
                return r;
        r = gbx_child_wait(&child, -1, &ended, err);
        return r < 0 ? r : parse_result(&ended, &result, &message, ret_result, err);
}
