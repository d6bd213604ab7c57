/*
 * Algorithms as they are submitted
 *
 * Three forms, told apart by their bytes alone:
 *
 *   a Lua script      UTF-8 text without NUL (bytecode is refused)
 *   an ELF binary     for x86-64
 *   a bundle          tar, gzip-compressed tar, or zip, with algorithm.yaml at
 *                     its root, which names the engine and the entry file
 *
 * An algorithm is named by the SHA-256 of its bytes as submitted, whatever the
 * form, so that no two readings of one archive can matter.
 *
 * Archives come from attackers: they are read by gbx-parse (parse/parse.h),
 * and refused as a whole, naming the entry in printable form, for
 * anything but plain files and directories with plain names: absolute paths,
 * "..", symbolic and hard links, devices, fifos, sockets, sparse files,
 * encrypted entries, names beyond [A-Za-z0-9_][A-Za-z0-9._-]* in each part,
 * two entries of one name or of names that differ in case only, a file where
 * another has a directory, and for anything beyond the limits of parse/bundle_files.h.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "gateway/parse/bundle_files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gbx_bundle_form { GBX_BUNDLE_LUA, GBX_BUNDLE_ELF, GBX_BUNDLE_ARCHIVE };

struct gbx_bundle {
        enum gbx_bundle_form form;
        char digest[GBX_SHA256_TEXT_SIZE];
        struct gbx_bundle_file *files; /* sorted by path; of the single forms: "script.lua" or "program" */
        size_t count;
};

/*
 * Reads an algorithm. `expected` is the digest it has to have ("sha256:…"),
 * or NULL. Errors: -EINVAL for something that is no algorithm or a hostile
 * one, -EDQUOT beyond a limit, -EBADMSG for another digest.
 */
int gbx_bundle_read(struct gbx_bundle **ret, const void *data, size_t size, const char *expected,
                    struct gbx_error *err);
struct gbx_bundle *gbx_bundle_free(struct gbx_bundle *bundle);
static inline void gbx_bundle_freep(struct gbx_bundle **bundle) { *bundle = gbx_bundle_free(*bundle); }

/* A file by its path, or NULL. */
const struct gbx_bundle_file *gbx_bundle_find(const struct gbx_bundle *bundle, const char *path);

/* Writes the files below a directory (of a detached mount, say) that has none of them yet: directories 0755, files
 * 0444, executable ones 0555. */
int gbx_bundle_unpack(const struct gbx_bundle *bundle, int directory, struct gbx_error *err);
