#include "gateway/store/living.h"

#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { NAME_SIZE = 64 };

#define FOLDER "runs"
#define PROCESS "process-"

struct gbx_living {
        int folder, fd;
        char name[NAME_SIZE];
};

static void close_parts(struct gbx_living *living) {
        gbx_close_fd(&living->fd);
        gbx_close_fd(&living->folder);
        free(living);
}

struct gbx_living *gbx_living_leave(struct gbx_living *living) {
        if (living)
                close_parts(living);
        return NULL;
}

struct gbx_living *gbx_living_end(struct gbx_living *living) {
        if (!living)
                return NULL;
        (void)unlinkat(living->folder, living->name, 0); /* still held: whoever opened it before finds it gone */
        close_parts(living);
        return NULL;
}

int gbx_living_asked(const struct gbx_living *living) { return living->fd; }

static void leavep(struct gbx_living **living) { *living = gbx_living_leave(*living); }

static int open_mark(int folder, const char *name) {
        return openat(folder, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

/* 0: locked; 1: somebody else has it. */
static int lock(int fd, bool wait) {
        while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0) {
                if (errno == EWOULDBLOCK)
                        return 1;
                if (errno != EINTR)
                        return -errno;
        }
        return 0;
}

/* Whether the name was taken from the file since it was opened: then it is no mark any more. */
static bool is_gone(int fd) {
        struct stat status;

        return fstat(fd, &status) < 0 || status.st_nlink == 0;
}

/* Whoever looks at marks holds each for a moment, and whoever ends takes it away: so the lock is waited for, and made anew
 * where the name is gone by then. 0, or GBX_LIVING_TAKEN. */
static int take(struct gbx_living *living, bool wait, struct gbx_error *err) {
        for (;;) {
                int r;

                if (mkfifoat(living->folder, living->name, 0600) < 0 && errno != EEXIST)
                        return gbx_fail_errno(err, "cannot make the mark 'runs/%s'", living->name);
                living->fd = open_mark(living->folder, living->name);
                if (living->fd < 0 && errno == ENOENT)
                        continue;
                if (living->fd < 0)
                        return gbx_fail_errno(err, "cannot open the mark 'runs/%s'", living->name);
                r = lock(living->fd, wait);
                if (r < 0)
                        return gbx_fail(err, r, "cannot lock the mark 'runs/%s'", living->name);
                if (r == 0 && !is_gone(living->fd))
                        return 0;
                gbx_close_fd(&living->fd);
                if (r > 0)
                        return GBX_LIVING_TAKEN;
        }
}

static int make(struct gbx_living **ret, int site, const char *name, bool wait, struct gbx_error *err) {
        gbx_auto(leavep) struct gbx_living *living = calloc(1, sizeof *living);
        int r;

        if (!living)
                return gbx_fail_memory(err);
        living->fd = living->folder = -1;
        (void)snprintf(living->name, sizeof living->name, "%s", name);
        if (strlen(name) >= sizeof living->name || strchr(name, '/') || name[0] == '.')
                return gbx_fail(err, -EINVAL, "'%.80s' cannot be a mark's name", name);
        r = gbx_make_directories(site, FOLDER, 0700, err);
        if (r < 0)
                return r;
        living->folder = gbx_open_directory(site, FOLDER, err);
        r = living->folder < 0 ? living->folder : take(living, wait, err);
        if (r == 0)
                *ret = gbx_take_ptr(living);
        return r;
}

int gbx_living_begin(struct gbx_living **ret, int site, const char *name, struct gbx_error *err) { return make(ret, site, name, true, err); }

int gbx_living_claim(struct gbx_living **ret, int site, const char *name, struct gbx_error *err) { return make(ret, site, name, false, err); }

int gbx_living_process(struct gbx_living **ret, int site, struct gbx_error *err) {
        uint8_t random[8];
        char digits[2 * sizeof random + 1], name[NAME_SIZE];
        int r = gbx_random(random, sizeof random, err);

        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, digits);
        (void)snprintf(name, sizeof name, PROCESS "%s", digits);
        return gbx_living_begin(ret, site, name, err);
}

/* --- others' marks ------------------------------------------------------------------- */

int gbx_living_ask(int site, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int folder = openat(site, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

        fd = folder < 0 ? -1 : open_mark(folder, name);
        if (fd < 0)
                return errno == ENOENT ? GBX_LIVING_GONE : gbx_fail_errno(err, "cannot open the mark 'runs/%s'", name);
        if (lock(fd, false) == 0)
                return GBX_LIVING_GONE;
        if (write(fd, "c", 1) < 0 && errno != EAGAIN) /* full: it was asked often enough */
                return gbx_fail_errno(err, "cannot write to the mark 'runs/%s'", name);
        return 0;
}

static bool is_held(int folder, const char *name) {
        gbx_auto(gbx_close_fd) int fd = open_mark(folder, name);

        if (fd < 0)
                return errno != ENOENT;
        return lock(fd, false) != 0;
}

bool gbx_living_is(int site, const char *name) {
        gbx_auto(gbx_close_fd) int folder = openat(site, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return folder < 0 ? errno != ENOENT : is_held(folder, name);
}

static bool is_before(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* A mark that went away meanwhile is neither. */
static int look_at(int folder, const char *name, json_t *dead, struct timespec *since, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = open_mark(folder, name);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0)
                return 0;
        if (lock(fd, false) == 0)
                return is_gone(fd) || json_array_append_new(dead, json_string(name)) == 0 ? 0 : gbx_fail_memory(err);
        if (strncmp(name, PROCESS, strlen(PROCESS)) == 0 && is_before(&status.st_mtim, since))
                *since = status.st_mtim;
        return 0;
}

int gbx_living_look(int site, json_t **ret_dead, struct timespec *ret_since, struct gbx_error *err) {
        int fd = openat(site, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        gbx_auto(gbx_close_directory) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        json_t *dead = json_array();
        struct timespec since;
        const struct dirent *entry;

        if (!folder && fd >= 0)
                (void)close(fd);
        (void)clock_gettime(CLOCK_REALTIME_COARSE, &since);
        while (folder && r >= 0 && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        r = look_at(fd, entry->d_name, dead, &since, err);
        if (r < 0) {
                json_decref(dead);
                return r;
        }
        *ret_dead = dead;
        *ret_since = since;
        return 0;
}
