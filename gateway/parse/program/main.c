/*
 * gbx-parse VERB
 *
 * Reads what descriptor 0 is (a regular file) and writes frames
 * (gateway/parse/frames.h) to descriptor 1; descriptor 3, if there is one, is
 * a file with what the verb is told besides. Started by gateway/parse/parse.h,
 * which sets signals, descriptors and environment. Exit status: 0, the answer
 * is whole, whatever it says; 1, it is not.
 */
#include "base/cleanup.h"
#include "base/lockdown.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/program/verbs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INPUT = 0, OUT = 1, EXTRA = 3, PARSE_UID = 65531 /* when started as root */ };

static const struct gbx_verb verbs[] = {
        { &gbx_parse_archive, gbx_verb_archive },
        { &gbx_parse_values, gbx_verb_values },
        { &gbx_parse_lua, gbx_verb_lua },
        { &gbx_parse_elf, gbx_verb_elf },
};

/* policy/profiles/parser, compiled by the build. */
extern const struct sock_filter gbx_profile_parser[];
extern const size_t gbx_profile_parser_length;

/* Address space that libraries and stack have; the sanitizer needs its terabytes, so there this limit is off. */
#ifdef __SANITIZE_ADDRESS__
enum { LIMIT_ADDRESS_SPACE = 0 };
#else
enum { LIMIT_ADDRESS_SPACE = 1 };
#endif
enum { OWN_BYTES = 32 * 1024 * 1024 };

static const struct gbx_verb *find_verb(const char *name) {
        for (size_t i = 0; i < gbx_array_size(verbs); i++)
                if (strcmp(verbs[i].limits->name, name) == 0)
                        return &verbs[i];
#ifdef GBX_TEST_SWITCHES
        for (size_t i = 0; gbx_verb_misbehaving(i); i++)
                if (strcmp(gbx_verb_misbehaving(i)->limits->name, name) == 0)
                        return gbx_verb_misbehaving(i);
#endif
        return NULL;
}

/* The file in memory, for reading; its descriptor is closed. */
static int map(int fd, struct gbx_bytes *ret, struct gbx_error *err) {
        struct stat status;
        void *data = NULL;

        if (fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot look at the input");
        if (!S_ISREG(status.st_mode))
                return gbx_fail(err, -EIO, "the input is not a regular file");
        if (status.st_size > 0) {
                data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
                if (data == MAP_FAILED)
                        return gbx_fail_errno(err, "cannot map the input");
        }
        (void)close(fd);
        *ret = (struct gbx_bytes){ data, (size_t)status.st_size };
        return 0;
}

static int limit(int resource, rlim_t soft, rlim_t hard, struct gbx_error *err) {
        const struct rlimit both = { soft, hard };

        return setrlimit((__rlimit_resource_t)resource, &both) < 0 ? gbx_fail_errno(err, "cannot set a limit") : 0;
}

static int set_limits(const struct gbx_parse_verb *limits, size_t input_bytes, struct gbx_error *err) {
        rlim_t memory = limits->memory_bytes + input_bytes + OWN_BYTES;
        int r = LIMIT_ADDRESS_SPACE ? limit(RLIMIT_AS, memory, memory, err) : 0;

        if (r == 0)
                r = limit(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + 1, err); /* SIGXCPU, then SIGKILL */
        if (r == 0)
                r = limit(RLIMIT_FSIZE, 0, 0, err);
        if (r == 0)
                r = limit(RLIMIT_NPROC, 0, 0, err);
        if (r == 0)
                r = limit(RLIMIT_NOFILE, OUT + 1, OUT + 1, err);
        (void)alarm(GBX_PARSE_PATIENCE * limits->cpu_seconds); /* should its caller not look after it */
        return r;
}

static int prepare(const struct gbx_verb *verb, struct gbx_verb_input *input, struct gbx_error *err) {
        int r = map(INPUT, &input->bytes, err);

        if (r == 0 && fcntl(EXTRA, F_GETFD) >= 0)
                r = map(EXTRA, &input->extra, err);
        if (r == 0 && close_range(OUT + 1, ~0U, 0) < 0)
                r = gbx_fail_errno(err, "cannot close descriptors");
        if (r == 0)
                r = set_limits(verb->limits, input->bytes.size + input->extra.size, err);
        if (r == 0)
                r = gbx_lockdown(&(struct gbx_lockdown){ PARSE_UID, gbx_profile_parser, gbx_profile_parser_length }, err);
        return r;
}

int main(int argc, char **argv) {
        const struct gbx_verb *verb = argc == 2 ? find_verb(argv[1]) : NULL;
        struct gbx_verb_input input = { .out = OUT };
        struct gbx_error err = {};
        int r;

        if (!verb)
                r = gbx_fail(&err, -EIO, "gbx-parse has no such verb; it is of another version than its caller");
        else if (prepare(verb, &input, &err) < 0)
                r = gbx_context(&err, -EIO, "gbx-parse does not start");
        else
                r = verb->run(&input, &err);
        if (r == -ENOMEM)
                r = gbx_fail(&err, -EDQUOT, "it takes more memory than is allowed to read");
        r = gbx_frame_write_end(OUT, r < 0 ? r : 0, err.message, NULL);
        for (;;) /* not exit(): nothing of the C library is to run any more */
                (void)syscall(SYS_exit_group, r < 0 ? 1 : 0);
}
