#include "gateway/cli/ssh_keygen.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/sshsig.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

enum { OUTPUT_LIMIT = 64 * 1024 };

static void destroy_actions(posix_spawn_file_actions_t *actions) {
        (void)posix_spawn_file_actions_destroy(actions);
}

/* A memory file with `size` bytes, rewound. */
static int memory_file(const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = memfd_create("ssh-keygen", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot make a memory file");
        r = gbx_write_all(fd, data, size, err);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return gbx_fail_errno(err, "cannot rewind a memory file");
        return gbx_take_fd(&fd);
}

/* Runs ssh-keygen with the bytes as its standard input and appends what it prints. */
static int run(const char *const *arguments, const void *input, size_t size, struct gbx_buffer *output, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int in = -1, out = -1;
        gbx_auto(destroy_actions) posix_spawn_file_actions_t actions;
        pid_t pid;
        int status, r = posix_spawn_file_actions_init(&actions); /* never fails in glibc; destroyed in any case */

        if (r != 0)
                return gbx_fail_memory(err);
        in = memory_file(input, size, err);
        if (in < 0)
                return in;
        out = memory_file("", 0, err);
        if (out < 0)
                return out;
        r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnp(&pid, "ssh-keygen", &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
        if (r != 0) {
                errno = r;
                return gbx_fail_errno(err, "cannot start ssh-keygen (package openssh-client)");
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait for ssh-keygen");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return gbx_fail(err, -EINVAL, "ssh-keygen refused; what it said stands above");
        if (lseek(out, 0, SEEK_SET) < 0)
                return gbx_fail_errno(err, "cannot rewind a memory file");
        return gbx_read_fd(out, OUTPUT_LIMIT, output, err);
}

int gbx_ssh_sign(const char *key_file, const void *message, size_t size, struct gbx_buffer *ret_signature,
                 struct gbx_error *err) {
        const char *const arguments[] = { "ssh-keygen", "-q", "-Y", "sign", "-n", GBX_SSHSIG_NAMESPACE, "-f", key_file, NULL };
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
