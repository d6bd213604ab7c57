/* What the tests of a whole site share: one with entries, objects and files in every folder. */
#pragma once

#include "base/file.h"
#include "base/json.h"
#include "gateway/store/objects.h"
#include "gateway/store/site.h"
#include "gateway/store/transaction.h"
#include "tests/unit/log_fixture.h"

#include <fts.h>
#include <sys/stat.h>

static inline void site_record(struct gbx_site *site, int count) {
        for (int i = 0; i < count; i++) {
                struct gbx_error err = {};

                if (gbx_record_system(site, &(struct gbx_action){ "service.stop", "site", "done", NULL, NULL }, &err) < 0)
                        fail_msg("%s", err.message);
        }
}

static inline void site_put(struct gbx_site *site, const char *path, const char *text) {
        struct gbx_error err = {};
        char parent[160];

        (void)snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
        if (gbx_make_directories(site->directory, parent, 0700, &err) < 0 ||
            gbx_write_file_durably(site->directory, path, text, strlen(text), 0600, &err) < 0)
                fail_msg("%s", err.message);
}

/* A site in f->directory/NAME. */
static inline struct gbx_site *site_make(struct fixture *f, const char *name) {
        char path[120], digest[GBX_SHA256_TEXT_SIZE];
        struct gbx_site *site = NULL;
        struct gbx_error err = {};

        (void)snprintf(path, sizeof path, "%s/%s", f->directory, name);
        if (gbx_site_create(path, "test.example/site", NULL, &err) < 0 || gbx_site_open(&site, path, &err) < 0)
                fail_msg("%s", err.message);
        assert_int_equal(gbx_object_put(site->directory, "an object", 9, digest, NULL), 0);
        assert_int_equal(gbx_object_put(site->directory, "another object", 14, digest, NULL), 0);
        return site;
}

/* How many regular files stand below `path`; `visit` (may be NULL) sees each. */
static inline size_t each_file(const char *path, void (*visit)(const char *path, void *context), void *context) {
        FTS *walk = fts_open((char *[]){ (char *)(uintptr_t)path, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        size_t count = 0;
        FTSENT *file;

        while (walk && (file = fts_read(walk)))
                if (file->fts_info == FTS_F) {
                        count++;
                        if (visit)
                                visit(file->fts_path, context);
                }
        (void)fts_close(walk);
        return count;
}
