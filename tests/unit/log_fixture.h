/* What the tests of the log share: a directory of their own and a key. */
#pragma once

#include "base/cleanup.h"
#include "gateway/log/writer/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
        char directory[64]; /* temporary */
        char path[80];      /* of the log within it */
        struct gbx_note_signer signer;
};

static inline int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
        (void)status, (void)kind, (void)walk;
        return remove(path);
}

static inline void remove_tree(const char *path) { (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* TEST_DIRECTORY, where set, says where the log goes (a small tmpfs, say). */
static inline int fixture_setup(void **state) {
        static const uint8_t seed[32] = "a seed that is only for tests..";
        const char *parent = getenv("TEST_DIRECTORY");
        struct fixture *f = calloc(1, sizeof *f);

        if (!f)
                return -1;
        (void)snprintf(f->directory, sizeof f->directory, "%.40s/gbx-log-XXXXXX", parent ? parent : "/tmp");
        if (!mkdtemp(f->directory) ||
            gbx_note_signer_from_seed("test.example/log", GBX_NOTE_ED25519, seed, &f->signer, NULL) < 0)
                return -1;
        (void)snprintf(f->path, sizeof f->path, "%s/log", f->directory);
        *state = f;
        return 0;
}

static inline int fixture_teardown(void **state) {
        struct fixture *f = *state;

        remove_tree(f->directory);
        free(f);
        return 0;
}

static inline struct gbx_log *fixture_open(struct fixture *f) {
        struct gbx_log *log = NULL;
        struct gbx_error err = {};

        if (gbx_log_open(&log, AT_FDCWD, f->path, NULL, &f->signer, NULL, &err) < 0)
                (void)fprintf(stderr, "%s\n", err.message);
        return log;
}

static inline struct gbx_log *fixture_create(struct fixture *f) {
        struct gbx_error err = {};

        if (gbx_log_create(AT_FDCWD, f->path, NULL, &f->signer, &err) < 0)
                (void)fprintf(stderr, "%s\n", err.message);
        return fixture_open(f);
}

/* The entry that stands at `index` in logs made by fixture_fill: sizes vary, some are empty. */
static inline size_t fixture_entry(uint64_t index, char ret[static 512]) {
        size_t size = (size_t)snprintf(ret, 512, "entry %llu ", (unsigned long long)index);

        if (index % 97 == 5)
                return 0;
        memset(ret + size, 'a' + (int)(index % 26), index * 7 % 300);
        return size + index * 7 % 300;
}

static inline int fixture_fill(struct gbx_log *log, uint64_t first, uint64_t end) {
        struct gbx_error err = {};

        for (uint64_t i = first; i < end; i++) {
                char entry[512];
                size_t size = fixture_entry(i, entry);
                uint64_t index = 0;
                int r = gbx_log_append(log, entry, size, &index, &err);

                if (r < 0 || index != i) {
                        (void)fprintf(stderr, "entry %llu: %s\n", (unsigned long long)i, err.message);
                        return r < 0 ? r : -EILSEQ;
                }
        }
        return 0;
}

/* Whether entry `index` of the log is the one that fixture_fill appends there. */
static inline bool fixture_holds(struct gbx_log *log, uint64_t index) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};
        char entry[512];
        size_t size = fixture_entry(index, entry);

        return gbx_log_read(log, index, &found, NULL) == 0 && found.size == size &&
               (size == 0 || memcmp(found.data, entry, size) == 0);
}
