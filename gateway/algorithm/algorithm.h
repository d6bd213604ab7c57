/*
 * What an algorithm says about itself
 *
 * A bundle (bundle.h) has algorithm.yaml at its root:
 *
 *   name: default-rate
 *   description: default rates by job and home ownership
 *   engine: lua                  # lua, lua-sql or native
 *   entry: main.lua              # the file that is started
 *   datasets: [credit]           # what it expects under /data; may be left out
 *   parameters:                  # what it reads from /job/params.json; may be left out
 *     - { name: minimum, type: integer, required: no, description: smallest group shown }
 *
 * It binds nobody: what a run may do is the policy's to say. For reviewers it
 * says what the author means, and for the launcher what to start. A single
 * script or binary has no such file; its engine and entry follow from its form,
 * but a script may be said to be for lua-sql (gbx_algorithm_choose).
 */
#pragma once

#include "base/error.h"
#include "gateway/algorithm/bundle.h"
#include "policy/policy.h"
#include "policy/problems.h"
#include "policy/yaml.h"

#include <stdbool.h>

#define GBX_ALGORITHM_MANIFEST "algorithm.yaml"

struct gbx_algorithm_parameter {
        char *name;
        char *description; /* NULL: none */
        unsigned type;     /* enum gbx_type */
        bool required;
};

struct gbx_algorithm {
        char *name;        /* NULL for a single script or binary */
        char *description; /* NULL: none */
        char *entry;       /* path of a file of the bundle */
        unsigned engine;   /* enum gbx_engine */
        bool plain;        /* a single script or binary */
        struct gbx_texts datasets;
        struct gbx_records parameters; /* struct gbx_algorithm_parameter */
};

/*
 * Reads the manifest and checks it against the files: the entry is there and
 * is what its engine runs, and no file of a Lua bundle is bytecode or a binary.
 * `problems` (may be NULL) gets every problem of the file. Errors: -EINVAL.
 */
int gbx_algorithm_read(struct gbx_algorithm **ret, const struct gbx_bundle *bundle, struct gbx_problems *problems,
                       struct gbx_error *err);

/* The engine it is to run on, by its name: the one it has, or another that runs the same kind of single script.
 * Errors: -EINVAL. */
int gbx_algorithm_choose(struct gbx_algorithm *algorithm, const char *engine, struct gbx_error *err);
struct gbx_algorithm *gbx_algorithm_free(struct gbx_algorithm *algorithm);
static inline void gbx_algorithm_freep(struct gbx_algorithm **algorithm) {
        *algorithm = gbx_algorithm_free(*algorithm);
}
