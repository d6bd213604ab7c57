/*
 * log-build DIR PRIVATE-KEY-FILE ORIGIN < entries
 *
 * Makes a log in DIR, appends each line of the input as an entry (without its
 * newline) and publishes a checkpoint after each. The key is in the text form
 * of signed notes. All partial tiles are kept, so that the result can be
 * compared byte for byte with other implementations' logs.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/writer/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int read_key(const char *path, struct gbx_note_signer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true };
        int r = gbx_read_file(AT_FDCWD, path, 1024, &text, err);

        return r < 0 ? r : gbx_note_signer_parse(gbx_buffer_text(&text), text.size, ret, err);
}

static int build(struct gbx_log *log, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *line = NULL;
        size_t capacity = 0;
        ssize_t length;

        while ((length = getline(&line, &capacity, stdin)) >= 0) {
                int r;

                if (length > 0 && line[length - 1] == '\n')
                        length--;
                r = gbx_log_append(log, line, (size_t)length, NULL, err);
                if (r == 0)
                        r = gbx_log_checkpoint(log, NULL, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int main(int argc, char **argv) {
        gbx_auto(gbx_log_freep) struct gbx_log *log = NULL;
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        struct gbx_log_options options = { .keep_partials = true };
        struct gbx_error err = {};
        int r;

        if (argc != 4) {
                (void)fprintf(stderr, "usage: log-build DIR PRIVATE-KEY-FILE ORIGIN < entries\n");
                return 2;
        }
        r = read_key(argv[2], &signer, &err);
        if (r == 0)
                r = gbx_log_create(AT_FDCWD, argv[1], argv[3], &signer, &err);
        if (r == 0)
                r = gbx_log_open(&log, AT_FDCWD, argv[1], argv[3], &signer, &options, &err);
        if (r == 0)
                r = build(log, &err);
        if (r < 0)
                (void)fprintf(stderr, "log-build: %s\n", err.message);
        return (int)gbx_error_exit_code(r);
}
