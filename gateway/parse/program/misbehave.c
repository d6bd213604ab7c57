/* Verbs that do what a parser does that was taken over. For tests: build/tests/gbx-parse has them, gbx-parse has not. */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/parse/program/verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef GBX_TEST_SWITCHES

static int crash(const struct gbx_verb_input *input, struct gbx_error *err) {
        (void)input;
        (void)err;
        *(volatile int *)(uintptr_t)input->bytes.data = 1; /* which is mapped for reading */
        return 0;
}

static int loop(const struct gbx_verb_input *input, struct gbx_error *err) {
        volatile int counter = 0;

        (void)input;
        (void)err;
        while (counter >= 0)
                counter = (counter + 1) & 0xffff;
        return 0;
}

static int eat(const struct gbx_verb_input *input, struct gbx_error *err) {
        (void)input;
        for (size_t size = 0; size < 1000; size++) {
                void *block = malloc(1 << 20);

                if (!block)
                        return gbx_fail_memory(err);
                memset(block, 1, 1 << 20);
        }
        return 0;
}

static int flood(const struct gbx_verb_input *input, struct gbx_error *err) {
        static const char block[4096];

        for (;;) {
                int r = gbx_write_all(input->out, block, sizeof block, err);

                if (r < 0)
                        return r;
        }
}

/* Says its input, byte for byte, and no word of its own. */
static int say(const struct gbx_verb_input *input, struct gbx_error *err) {
        (void)gbx_write_all(input->out, input->bytes.data, input->bytes.size, err);
        (void)syscall(SYS_exit_group, 0);
        return 0;
}

/* The system call whose number is the input, with arguments that would do harm; answers what it returned. */
static int call(const struct gbx_verb_input *input, struct gbx_error *err) {
        char text[16] = {};
        long number, result;

        memcpy(text, input->bytes.data, input->bytes.size < sizeof text ? input->bytes.size : sizeof text - 1);
        number = strtol(text, NULL, 10);
        switch (number) {
        case SYS_openat:
                result = syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
                break;
        case SYS_write:
                result = syscall(SYS_write, STDERR_FILENO, "x", 1);
                break;
        case SYS_mmap:
                result = syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                break;
        case SYS_socket:
                result = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
                break;
        default:
                result = syscall(number, 1, 0, 0, 0, 0, 0);
        }
        return gbx_fail(err, -EINVAL, "call %ld returned %s", number, result >= 0 ? "done" : strerrorname_np(errno) ?: "?");
}

static const struct gbx_parse_verb limits[] = {
        { "test-crash", 1, 32 << 20, 4096 },  { "test-loop", 1, 32 << 20, 4096 }, { "test-eat", 20, 32 << 20, 4096 },
        { "test-flood", 20, 32 << 20, 4096 }, { "test-say", 1, 32 << 20, 4096 },  { "test-call", 1, 32 << 20, 4096 },
        { "test-spin", 60, 32 << 20, 4096 }, /* a loop that no limit ends soon */
};

const struct gbx_verb *gbx_verb_misbehaving(size_t index) {
        static const struct gbx_verb table[] = {
                { &limits[0], crash }, { &limits[1], loop }, { &limits[2], eat },
                { &limits[3], flood }, { &limits[4], say },  { &limits[5], call },
                { &limits[6], loop },
        };

        return index < gbx_array_size(table) ? &table[index] : NULL;
}
#endif
