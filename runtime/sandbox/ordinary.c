#include "runtime/sandbox/ordinary.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
        FILE_LIMIT = 4 * 1024 * 1024,
        NAME_SIZE = 64,
        LEAST_IDS = 1024, /* a run takes two, so that 512 can be told apart */
        MOST_IDS = 1U << 20,
};

struct range {
        uint32_t first, count;
};

/* Copies field `wanted` (from 0) of a line of fields between colons. */
static bool get_field(const char *line, size_t length, unsigned wanted, char *ret, size_t size) {
        const char *end = line + length;

        for (unsigned i = 0; i < wanted; i++) {
                line = memchr(line, ':', (size_t)(end - line));
                if (!line)
                        return false;
                line++;
        }
        length = (size_t)(end - line);
        for (size_t i = 0; i < length; i++)
                if (line[i] == ':')
                        length = i;
        if (length >= size)
                return false;
        memcpy(ret, line, length);
        ret[length] = '\0';
        return true;
}

int gbx_ordinary_find_range(const char *text, const char *name, uint32_t id, uint32_t *ret_first,
                            uint32_t *ret_count) {
        char number[16];

        (void)snprintf(number, sizeof number, "%u", id);
        for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
                char owner[NAME_SIZE], first_text[16], count_text[16];
                uint64_t first, count;

                end = strchrnul(line, '\n');
                if (!get_field(line, (size_t)(end - line), 0, owner, sizeof owner) ||
                    !get_field(line, (size_t)(end - line), 1, first_text, sizeof first_text) ||
                    !get_field(line, (size_t)(end - line), 2, count_text, sizeof count_text))
                        continue;
                if ((!*owner || strcmp(owner, name) != 0) && strcmp(owner, number) != 0)
                        continue;
                if (gbx_parse_u64(first_text, &first, NULL) < 0 || gbx_parse_u64(count_text, &count, NULL) < 0 ||
                    first == 0 || count < LEAST_IDS || first + count > UINT32_MAX)
                        continue;
                *ret_first = (uint32_t)first;
                *ret_count = count > MOST_IDS ? MOST_IDS : (uint32_t)count;
                return 0;
        }
        return -ENOENT;
}

void gbx_ordinary_find_name(const char *text, uint32_t id, char *ret, size_t size) {
        char number[16], found[16];

        (void)snprintf(number, sizeof number, "%u", id);
        for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
                end = strchrnul(line, '\n');
                if (get_field(line, (size_t)(end - line), 2, found, sizeof found) && strcmp(found, number) == 0 &&
                    get_field(line, (size_t)(end - line), 0, ret, size))
                        return;
        }
        ret[0] = '\0';
}

static int read_range(const char *path, const char *name, struct range *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_read_file(AT_FDCWD, path, FILE_LIMIT, &text, NULL);

        if (r == 0)
                r = gbx_ordinary_find_range(gbx_buffer_text(&text), name, getuid(), &ret->first, &ret->count);
        if (r < 0)
                return gbx_fail(err, -EPERM, "user namespace: no range of at least %d ids for uid %u in %s, so a run "
                                             "cannot have ids of its own (usermod --add-subuids; or run as root)",
                                LEAST_IDS, getuid(), path);
        return 0;
}

static int find_ranges(struct range *ret_users, struct range *ret_groups, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char name[NAME_SIZE] = "";
        int r;

        if (gbx_read_file(AT_FDCWD, "/etc/passwd", FILE_LIMIT, &text, NULL) == 0)
                gbx_ordinary_find_name(gbx_buffer_text(&text), getuid(), name, sizeof name);
        if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0)
                return gbx_fail(err, -EPERM, "user namespace: newuidmap and newgidmap are not installed, which give an "
                                             "ordinary user's run its ids (package uidmap; or run as root)");
        r = read_range("/etc/subuid", name, ret_users, err);
        return r < 0 ? r : read_range("/etc/subgid", name, ret_groups, err);
}

int gbx_ordinary_possible(struct gbx_error *err) {
        struct range users = {}, groups = {};

        return find_ranges(&users, &groups, err);
}

/* newuidmap PID 0 OWN 1 1 FIRST COUNT */
static int map_by_program(const char *program, pid_t pid, uint32_t own, const struct range *range) {
        char texts[5][16], zero[] = "0", one[] = "1", *environment[] = { NULL };
        char *arguments[] = { (char *)(uintptr_t)program, texts[0], zero, texts[1], one, one, texts[2], texts[3], NULL };
        pid_t child;
        int status;

        (void)snprintf(texts[0], sizeof texts[0], "%d", pid);
        (void)snprintf(texts[1], sizeof texts[1], "%u", own);
        (void)snprintf(texts[2], sizeof texts[2], "%u", range->first);
        (void)snprintf(texts[3], sizeof texts[3], "%u", range->count);
        if (posix_spawn(&child, program, NULL, NULL, arguments, environment) != 0)
                return 1;
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return 1;
        return status == 0 ? 0 : 1;
}

/* Stays in the old namespace: sets the maps of its parent, which has gone into the new one. */
static _Noreturn void map_parent(int entered, const struct range *users, const struct range *groups) {
        uint32_t uid = getuid(), gid = getgid();
        pid_t parent = getppid();
        char byte;

        if (read(entered, &byte, 1) != 1)
                _exit(1);
        _exit(map_by_program("/usr/bin/newuidmap", parent, uid, users) ||
              map_by_program("/usr/bin/newgidmap", parent, gid, groups));
}

int gbx_ordinary_enter(uint32_t *ret_count, struct gbx_error *err) {
        struct range users = {}, groups = {};
        int entered[2], status, r = find_ranges(&users, &groups, err);
        pid_t helper;

        if (r < 0)
                return r;
        if (pipe2(entered, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        helper = fork();
        if (helper < 0)
                return gbx_fail_errno(err, "cannot fork");
        if (helper == 0) {
                (void)close(entered[1]);
                map_parent(entered[0], &users, &groups);
        }
        (void)close(entered[0]);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                r = gbx_fail_errno(err, "user namespace: the kernel refuses an ordinary user's (`gbx-sandbox check` "
                                        "names the knobs)");
        else if (write(entered[1], "", 1) != 1)
                r = gbx_fail_errno(err, "cannot wake the helper that sets the id maps");
        (void)close(entered[1]);
        while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return r;
        if (status != 0)
                return gbx_fail(err, -EPERM, "user namespace: newuidmap or newgidmap refuses the ids");
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return gbx_fail_errno(err, "user namespace: cannot become its user 0");
        *ret_count = users.count < groups.count ? users.count : groups.count;
        return 0;
}
