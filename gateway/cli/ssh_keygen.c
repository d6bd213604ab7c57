#include "gateway/cli/ssh_keygen.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfile.h"
#include "base/spawn.h"
#include "gateway/api/session.h"

extern char **environ;

enum { OUTPUT_LIMIT = 64 * 1024 };

/* Runs ssh-keygen with the bytes as its standard input and appends what it prints. What it asks and says goes to the terminal. */
static int run(const char *const *arguments, const void *input, size_t size, struct gbx_buffer *output, struct gbx_error *err) {
        gbx_auto(gbx_child_end) struct gbx_child child = GBX_NO_CHILD;
        gbx_auto(gbx_close_fd) int in = gbx_memfile("ssh-keygen", input, size, err), out = -1;
        struct gbx_ended ended;
        int r;

        if (in < 0)
                return in;
        out = gbx_memfile("ssh-keygen", NULL, 0, err);
        if (out < 0)
                return out;
        r = gbx_spawn(&child,
                      &(struct gbx_spawn){ .program = "ssh-keygen", .package = "openssh-client", .arguments = arguments,
                                           .environment = (const char *const *)environ,
                                           .descriptors = (const struct gbx_spawn_descriptor[]){ { in, 0 }, { out, 1 }, { 2, 2 } },
                                           .descriptor_count = 3 },
                      err);
        if (r == 0)
                r = gbx_child_wait(&child, -1, &ended, err);
        if (r < 0)
                return r;
        if (!gbx_ended_well(&ended))
                return gbx_fail(err, -EINVAL, "ssh-keygen refused; what it said stands above");
        r = gbx_memfile_rewind(out, err);
        return r < 0 ? r : gbx_read_fd(out, OUTPUT_LIMIT, output, err);
}

int gbx_ssh_sign(const char *key_file, const void *message, size_t size, struct gbx_buffer *ret_signature,
                 struct gbx_error *err) {
        const char *const arguments[] = { "ssh-keygen", "-q", "-Y", "sign", "-n", GBX_SESSION_NAMESPACE, "-f", key_file, NULL };
        int r = run(arguments, message, size, ret_signature, err);

        return r < 0 ? gbx_context(err, r, "cannot sign with '%s'", key_file) : 0;
}

int gbx_ssh_public_key(const char *key_file, struct gbx_buffer *ret_line, struct gbx_error *err) {
        const char *const arguments[] = { "ssh-keygen", "-y", "-f", key_file, NULL };
        int r = run(arguments, "", 0, ret_line, err);

        while (r >= 0 && ret_line->size && ret_line->data[ret_line->size - 1] == '\n')
                ret_line->data[--ret_line->size] = '\0';
        return r < 0 ? gbx_context(err, r, "cannot read the key '%s'", key_file) : 0;
}
