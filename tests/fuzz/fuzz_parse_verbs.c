/*
 * The verbs of gbx-parse that read a program, scripts and a table: the first byte chooses. Archives have fuzz_bundle.c.
 * Whatever they read, what they answer is well-formed.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfile.h"
#include "gateway/egress/tokens.h"
#include "gateway/parse/bundle_files.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/program/verbs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(int fd, struct gbx_buffer *ret) {
        if (gbx_memfile_rewind(fd, NULL) < 0 || gbx_read_fd(fd, 1 << 26, ret, NULL) < 0)
                abort();
}

static void as_script(const uint8_t *data, size_t size, struct gbx_buffer *ret) {
        const struct gbx_bundle_file file = { .path = (char[]){ "main.lua" }, .data = (uint8_t *)(uintptr_t)data, .size = size };
        gbx_auto(gbx_close_fd) int fd = gbx_memfile("script", NULL, 0, NULL);

        if (gbx_bundle_files_write(&file, 1, fd, NULL) < 0 || gbx_frame_write_end(fd, 0, "", NULL) < 0)
                abort();
        read_all(fd, ret);
}

static void make_question(struct gbx_buffer *ret) {
        static const uint8_t key[GBX_TOKENS_KEY];
        static const char *const columns[] = { "\1id", "\1number", "\2note" };
        gbx_auto(gbx_close_fd) int fd = gbx_memfile("question", NULL, 0, NULL);

        (void)gbx_frame_write(fd, GBX_FRAME_KEY, &(struct gbx_bytes){ key, sizeof key }, 1, NULL);
        for (size_t i = 0; i < gbx_array_size(columns); i++)
                (void)gbx_frame_write(fd, GBX_FRAME_COLUMN, &(struct gbx_bytes){ columns[i], strlen(columns[i]) }, 1, NULL);
        (void)gbx_frame_write_end(fd, 0, "", NULL);
        read_all(fd, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int (*const verbs[])(const struct gbx_verb_input *, struct gbx_error *) = { gbx_verb_elf, gbx_verb_lua, gbx_verb_values };
        gbx_auto(gbx_buffer_free) struct gbx_buffer script = {}, question = {}, answer = {};
        gbx_auto(gbx_close_fd) int out = gbx_memfile("answer", NULL, 0, NULL);
        struct gbx_verb_input input = { .out = out };
        struct gbx_error err = {};
        size_t verb;
        int r;

        if (size < 1)
                return 0;
        verb = data[0] % gbx_array_size(verbs);
        input.bytes = (struct gbx_bytes){ data + 1, size - 1 };
        if (verb == 1) {
                as_script(data + 1, size - 1, &script);
                input.bytes = (struct gbx_bytes){ script.data, script.size };
        }
        make_question(&question);
        input.extra = (struct gbx_bytes){ question.data, question.size };
        r = verbs[verb](&input, &err);
        if (r > 0 || gbx_frame_write_end(out, r, err.message, NULL) < 0)
                abort();
        read_all(out, &answer);
        if (gbx_frames_check(answer.data, answer.size, NULL) == -EPROTO)
                abort();
        return 0;
}
