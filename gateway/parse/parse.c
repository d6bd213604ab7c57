#include "gateway/parse/parse.h"

#include "base/cleanup.h"
#include "base/install.h"
#include "base/memfile.h"
#include "base/spawn.h"
#include "gateway/parse/frames.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { PROGRAM_EXTRA = 3, STEP = 64 * 1024, END_SLACK = 2048 /* for the end of a stream, an error with its message */ };

static int64_t now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int left_ms(int64_t deadline) {
        int64_t left = deadline - now_ms();

        return left < 0 ? 0 : (int)left;
}

static int took_too_long(const struct gbx_parse_verb *verb, struct gbx_error *err) {
        return gbx_fail(err, -EDQUOT, "its reader did not end within %u s", verb->cpu_seconds * GBX_PARSE_PATIENCE);
}

static int read_answer(const struct gbx_parse_verb *verb, int fd, int64_t deadline, struct gbx_buffer *answer, struct gbx_error *err) {
        for (;;) {
                struct pollfd poller = { .fd = fd, .events = POLLIN };
                ssize_t n;
                int r = poll(&poller, 1, left_ms(deadline));

                if (r == 0)
                        return took_too_long(verb, err);
                if (r < 0 && errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait for a reader");
                if (r < 0)
                        continue;
                r = gbx_buffer_reserve(answer, STEP, err);
                if (r < 0)
                        return r;
                n = read(fd, answer->data + answer->size, STEP);
                if (n < 0 && errno != EINTR)
                        return gbx_fail_errno(err, "cannot read from a reader");
                if (n == 0)
                        return 0;
                answer->size += n > 0 ? (size_t)n : 0;
                if (answer->size > verb->output_bytes + END_SLACK)
                        return gbx_fail(err, -EDQUOT, "it has more than the %llu bytes allowed", (unsigned long long)verb->output_bytes);
        }
}

static int check_end(const struct gbx_ended *ended, struct gbx_error *err) {
        if (ended->signal == SIGXCPU)
                return gbx_fail(err, -EDQUOT, "it takes more computing than is allowed");
        if (ended->signal == SIGKILL || ended->signal == SIGALRM)
                return gbx_fail(err, -EDQUOT, "its reader was killed at a limit");
        if (ended->signal == SIGSYS)
                return gbx_fail(err, -EINVAL, "its reader was killed for a system call that no reading needs");
        if (ended->signal)
                return gbx_fail(err, -EINVAL, "its reader died (%s)", strsignal(ended->signal));
        return ended->status == 0 ? 0 : gbx_fail(err, -EIO, "its reader ended with status %d", ended->status);
}

static int start(const struct gbx_parse_verb *verb, int input, int extra, struct gbx_child *ret_child, int *ret_answer,
                 struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *program = NULL;
        gbx_auto(gbx_close_fd) int answer = -1, out = -1;
        const char *const arguments[] = { "gbx-parse", verb->name, NULL };
        struct gbx_spawn_descriptor descriptors[] = { { input, 0 }, { -1, 1 }, { extra, PROGRAM_EXTRA } };
        int ends[2], r = gbx_install_program("gbx-parse", &program, err);

        if (r < 0)
                return r;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        answer = ends[0];
        descriptors[1].here = out = ends[1];
        r = gbx_spawn(ret_child,
                      &(struct gbx_spawn){ .program = program, .arguments = arguments, .own_group = true, .dies_with_caller = true,
                                           .descriptors = descriptors, .descriptor_count = extra >= 0 ? 3 : 2 },
                      err);
        if (r == 0)
                *ret_answer = gbx_take_fd(&answer);
        return r;
}

int gbx_parse(const struct gbx_parse_verb *verb, int input, int extra, struct gbx_buffer *ret_frames, struct gbx_error *err) {
        int64_t deadline = now_ms() + (int64_t)verb->cpu_seconds * GBX_PARSE_PATIENCE * 1000;
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = { .secret = ret_frames->secret };
        gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
        gbx_auto(gbx_close_fd) int fd = -1;
        struct gbx_ended ended;
        int r = start(verb, input, extra, &child, &fd, err);

        if (r == 0)
                r = read_answer(verb, fd, deadline, &answer, err);
        if (r == 0)
                r = gbx_child_wait(&child, left_ms(deadline), &ended, err);
        if (r > 0)
                return took_too_long(verb, err);
        if (r == 0)
                r = check_end(&ended, err);
        if (r == 0)
                r = gbx_frames_check(answer.data, answer.size, err);
        return r < 0 ? r : gbx_buffer_append(ret_frames, answer.data, answer.size, err);
}

int gbx_parse_bytes(const struct gbx_parse_verb *verb, const void *data, size_t size, struct gbx_buffer *ret_frames,
                    struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int input = gbx_memfile("parse-input", data, size, err);
        int r = input < 0 ? input : gbx_memfile_seal(input, err);

        return r < 0 ? r : gbx_parse(verb, input, -1, ret_frames, err);
}
