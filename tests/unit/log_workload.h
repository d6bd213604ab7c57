/* A cycle of appends and checkpoints that the crash tests interrupt, and what must hold afterwards. */
#pragma once

#include "gateway/log/verify/verify.h"
#include "tests/unit/log_fixture.h"

/* Appends and checkpoints, over the border of a tile; the numbers are entries appended before each checkpoint. */
static const uint64_t workload[] = { 2, 251, 2, 3, 1 };

struct acknowledged {
        uint64_t entries;  /* appends that returned */
        char published[1024]; /* the newest checkpoint that anybody could have seen */
};

/* What can be read in `path` at this moment. */
static inline void note_published(const char *path, struct acknowledged *ack) {
        char name[160];
        FILE *file;

        (void)snprintf(name, sizeof name, "%.100s/checkpoint", path);
        file = fopen(name, "re");
        if (!file)
                return;
        ack->published[fread(ack->published, 1, sizeof ack->published - 1, file)] = '\0';
        (void)fclose(file);
}

/* Opens what a crash left and requires: every acknowledged entry is there, nothing foreign is, the log goes on,
 * and what it signs next is consistent with everything it ever published. NULL: all is well. */
static inline const char *check_recovery(struct fixture *f, const char *path, const struct acknowledged *ack) {
        static struct gbx_error err; /* of the last failure: the text that is returned points into it */
        struct gbx_verify_options options = { .verifier = f->signer.verifier };
        gbx_auto(gbx_log_freep) struct gbx_log *log = NULL;
        uint64_t size;
        char entry[512];

        err = (struct gbx_error){};
        if (gbx_log_open(&log, AT_FDCWD, path, NULL, &f->signer, NULL, &err) < 0) {
                /* before the first checkpoint there is no log yet, and it can be made again */
                if (ack->published[0] || ack->entries > 0)
                        return err.message;
                if (gbx_log_create(AT_FDCWD, path, NULL, &f->signer, &err) < 0 ||
                    gbx_log_open(&log, AT_FDCWD, path, NULL, &f->signer, NULL, &err) < 0)
                        return err.message;
        }
        size = gbx_log_size(log);
        if (size < ack->entries)
                return "an acknowledged entry is lost";
        for (uint64_t i = 0; i < size; i++)
                if (!fixture_holds(log, i))
                        return "an entry is not the one that was appended";
        if (gbx_log_append(log, entry, fixture_entry(size, entry), NULL, &err) < 0 ||
            gbx_log_checkpoint(log, NULL, &err) < 0)
                return err.message;
        if (ack->published[0]) {
                options.against = ack->published;
                options.against_size = strlen(ack->published);
        }
        return gbx_log_verify(AT_FDCWD, path, &options, NULL, &err) < 0 ? err.message : NULL;
}
