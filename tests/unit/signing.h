/* Signatures by the real ssh-keygen, for tests: keys live in a temporary directory that is removed at the end. */
#pragma once

#include "base/cleanup.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char signing_directory[] = "/tmp/gbx-signing-XXXXXX";

__attribute__((format(printf, 1, 2)))
static void shell(const char *format, ...) {
        char command[1024];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(command, sizeof command, format, args);
        va_end(args);
        if (system(command) != 0)
                fail_msg("failed: %s", command);
}

static int signing_start(void **state) {
        (void)state;
        return mkdtemp(signing_directory) ? 0 : -1;
}

static int signing_end(void **state) {
        (void)state;
        shell("rm -rf %s", signing_directory);
        return 0;
}

/* Makes a key pair `name` and gives its public line. */
static void make_key(const char *name, const char *type, struct gbx_buffer *ret_line) {
        char path[128];

        shell("ssh-keygen -q -t %s -N '' -C %s@test -f %s/%s", type, name, signing_directory, name);
        (void)snprintf(path, sizeof path, "%s/%s.pub", signing_directory, name);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 65536, ret_line, NULL), 0);
}

/* Signs bytes with key `name`; `options` go to ssh-keygen. */
static void sign(const char *name, const char *namespace, const char *options, const void *data, size_t size,
                 struct gbx_buffer *ret_signature) {
        gbx_auto(gbx_close_fd) int fd = -1;
        char path[128];

        (void)snprintf(path, sizeof path, "%s/message", signing_directory);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(gbx_write_all(fd, data, size, NULL), 0);
        shell("cd %s && rm -f message.sig && ssh-keygen -q -Y sign -f %s -n %s %s message 2>/dev/null", signing_directory,
              name, namespace, options);
        (void)snprintf(path, sizeof path, "%s/message.sig", signing_directory);
        gbx_buffer_clear(ret_signature);
        assert_int_equal(gbx_read_file(AT_FDCWD, path, 65536, ret_signature, NULL), 0);
}
