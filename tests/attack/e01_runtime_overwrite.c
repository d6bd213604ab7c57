/*
 * E01. A job cannot write to the program that started it, nor to any program it
 * can name through /proc, by the moment's /proc/PID/exe or by a descriptor held
 * until the program is no longer running (the real trick: ETXTBSY is over then).
 * Layers: no process of the host in the pid namespace, and a read-only, sealed or
 * detached executable; the filter plays no part.
 * Reference: CVE-2019-5736.
 */
#include "tests/attack/lib/attempt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY_PROCESSES = 64 };

/* Opening is what matters: a descriptor for writing is the overwrite. */
static int open_for_writing(const char *path) {
        static const int ways[] = { O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND };
        int first = 0;

        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                /* Truncating is for inside: outside it would destroy the control's own program. */
                if (attempts_outside() && (ways[i] & O_TRUNC))
                        continue;
                int fd = open(path, ways[i] | O_CLOEXEC);

                if (fd >= 0)
                        return ATTEMPT_BREACH;
                first = first ? first : errno;
        }
        return first;
}

/* Holds an O_PATH descriptor of a running program, waits for its end, reopens. */
static int reopen_after_exit(const struct attempt *self) {
        char path[64];
        int held, result = ETXTBSY;
        pid_t child = fork();

        if (child < 0)
                return errno;
        if (child == 0) {
                char *const arguments[] = { (char[]){ "copy" }, NULL };

                (void)execv(self->text, arguments);
                _exit(127);
        }
        (void)snprintf(path, sizeof(path), "/proc/%d/exe", child);
        (void)usleep(20000);
        held = open(path, O_PATH | O_CLOEXEC);
        if (held < 0)
                result = errno;
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        if (held < 0)
                return result;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
        for (int i = 0; i < 20 && result == ETXTBSY; i++, (void)usleep(5000))
                result = open_for_writing(path);
        return result;
}

/* Outside, the program that is held is a copy of this one that sleeps. */
static int try_reopen_held(const struct attempt *self) {
        struct attempt copy = *self;
        const char *victim = attempts_argument("victim");

        copy.text = victim ? victim : "/proc/self/exe";
        return reopen_after_exit(&copy);
}

/* Reopening the init of the sandbox: is it the host's binary, and writable? */
static int try_open_exe(const struct attempt *self) {
        return open_for_writing(self->text);
}

static int try_every_process(const struct attempt *self) {
        int last = ENOENT;

        (void)self;
        for (int pid = 1; pid <= MANY_PROCESSES; pid++) {
                char path[32];
                int result;

                (void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
                result = open_for_writing(path);
                if (result == ATTEMPT_BREACH)
                        return result;
                last = result == ENOENT ? last : result;
        }
        return last;
}

/* The original: a script whose interpreter is /proc/self/exe makes the runtime execute itself. */
static int try_interpreter_trick(const struct attempt *self) {
        static const char script[] = "#!/proc/self/exe\n";
        char *const arguments[] = { (char[]){ "script" }, NULL };
        int fd = open(self->text, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0700);

        if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0 || fchmod(fd, 0700) < 0)
                return errno;
        (void)close(fd);
        (void)execv(self->text, arguments);
        return errno;
}

static int try_replace(const struct attempt *self) {
        char target[256];
        ssize_t length = readlink(self->text, target, sizeof(target) - 1);

        if (length < 0)
                return errno;
        target[length] = '\0';
        if (attempts_outside()) /* that its directory is writable says as much */
                return attempts_result(access(target, W_OK));
        if (unlink(target) == 0 || rename("/tmp/other", target) == 0 || chmod(target, 04777) == 0)
                return ATTEMPT_BREACH;
        return errno;
}

static const struct attempt attempts[] = {
        { "own-exe-held-until-exit", try_reopen_held, .flags = 0 },
        { "init-exe", try_open_exe, ATTEMPT_NO_CONTROL, .text = "/proc/1/exe" },
        { "own-exe-now", try_open_exe, ATTEMPT_NO_CONTROL, .text = "/proc/self/exe" },
        { "parent-thread-exe", try_open_exe, ATTEMPT_NO_CONTROL, .text = "/proc/thread-self/exe" },
        { "exe-of-every-process", try_every_process, .flags = ATTEMPT_NO_CONTROL },
        { "interpreter-proc-self-exe-tmp", try_interpreter_trick, 0, .text = "/tmp/script" },
        { "interpreter-proc-self-exe-out", try_interpreter_trick, ATTEMPT_NO_CONTROL, .text = "/out/script" },
        { "replace-own-file", try_replace, 0, .text = "/proc/self/exe" },
        { "replace-init-file", try_replace, ATTEMPT_NO_CONTROL, .text = "/proc/1/exe" },
};

int main(int argc, char **argv) {
        if (argc == 1 && strcmp(argv[0], "copy") == 0) /* the program that is held */
                return (int)sleep(2);
        if (argc >= 1 && strcmp(argv[0], "/proc/self/exe") == 0) /* started as an interpreter: it worked */
                return ATTEMPT_BREACH;
        return attempts_run(attempts, sizeof(attempts) / sizeof(attempts[0]), argc, argv);
}
