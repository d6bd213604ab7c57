#include "gateway/algorithm/bundle.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/parse/parse.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct gbx_bundle *gbx_bundle_free(struct gbx_bundle *bundle) {
        if (!bundle)
                return NULL;
        gbx_bundle_files_free(bundle->files, bundle->count);
        free(bundle);
        return NULL;
}

const struct gbx_bundle_file *gbx_bundle_find(const struct gbx_bundle *bundle, const char *path) {
        for (size_t i = 0; i < bundle->count; i++)
                if (strcmp(bundle->files[i].path, path) == 0)
                        return &bundle->files[i];
        return NULL;
}

/* --- forms --------------------------------------------------------------------------- */

static bool has_at(const uint8_t *data, size_t size, size_t offset, const char *mark, size_t length) {
        return size >= offset + length && memcmp(data + offset, mark, length) == 0;
}

static int check_elf(const uint8_t *data, size_t size, struct gbx_error *err) {
        Elf64_Ehdr header;

        if (size < sizeof header)
                return gbx_fail(err, -EINVAL, "the ELF binary is cut short");
        memcpy(&header, data, sizeof header);
        if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
            header.e_machine != EM_X86_64)
                return gbx_fail(err, -EINVAL, "the ELF binary is not for x86-64");
        if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
                return gbx_fail(err, -EINVAL, "the ELF file is not a program");
        return 0;
}

static int find_form(const uint8_t *data, size_t size, enum gbx_bundle_form *ret, struct gbx_error *err) {
        if (size == 0 || size > GBX_BUNDLE_MAX_BYTES)
                return gbx_fail(err, size ? -EDQUOT : -EINVAL, "an algorithm of %zu bytes; expected 1 to %d", size,
                                GBX_BUNDLE_MAX_BYTES);
        if (has_at(data, size, 0, ELFMAG, SELFMAG)) {
                *ret = GBX_BUNDLE_ELF;
                return check_elf(data, size, err);
        }
        if (has_at(data, size, 0, "\x1bLua", 4))
                return gbx_fail(err, -EINVAL, "compiled Lua bytecode is refused: reviewers read source text");
        if (has_at(data, size, 0, "\x1f\x8b", 2) || has_at(data, size, 0, "PK\3\4", 4) ||
            has_at(data, size, 257, "ustar", 5)) {
                *ret = GBX_BUNDLE_ARCHIVE;
                return 0;
        }
        if (memchr(data, '\0', size) || !gbx_utf8_valid((const char *)data, size))
                return gbx_fail(err, -EINVAL, "neither a Lua script (UTF-8 text), an ELF binary, nor a tar, tar.gz or zip");
        *ret = GBX_BUNDLE_LUA;
        return 0;
}

static int read_archive(struct gbx_bundle *bundle, const void *data, size_t size, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = {};
        int r = gbx_parse_bytes(&gbx_parse_archive, data, size, &answer, err);

        if (r == 0)
                r = gbx_bundle_files_read(answer.data, answer.size, &bundle->files, &bundle->count, err);
        return r < 0 ? gbx_context(err, r, "the archive") : 0;
}

static int take_single(struct gbx_bundle *bundle, const void *data, size_t size, struct gbx_error *err) {
        bool elf = bundle->form == GBX_BUNDLE_ELF;

        bundle->files = calloc(1, sizeof bundle->files[0]);
        if (!bundle->files)
                return gbx_fail_memory(err);
        bundle->count = 1;
        bundle->files[0] = (struct gbx_bundle_file){ .path = strdup(elf ? "program" : "script.lua"),
                                                     .data = malloc(size + 1),
                                                     .size = size,
                                                     .executable = elf };
        if (!bundle->files[0].path || !bundle->files[0].data)
                return gbx_fail_memory(err);
        memcpy(bundle->files[0].data, data, size);
        bundle->files[0].data[size] = 0;
        return 0;
}

int gbx_bundle_read(struct gbx_bundle **ret, const void *data, size_t size, const char *expected,
                    struct gbx_error *err) {
        gbx_auto(gbx_bundle_freep) struct gbx_bundle *bundle = calloc(1, sizeof *bundle);
        int r;

        if (!bundle)
                return gbx_fail_memory(err);
        gbx_sha256_text_of(data, size, bundle->digest);
        if (expected && strcmp(expected, bundle->digest) != 0)
                return gbx_fail(err, -EBADMSG, "the algorithm's digest is %s, not %.80s", bundle->digest, expected);
        r = find_form(data, size, &bundle->form, err);
        if (r == 0)
                r = bundle->form == GBX_BUNDLE_ARCHIVE ? read_archive(bundle, data, size, err) :
                                                         take_single(bundle, data, size, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(bundle);
        return 0;
}

/* --- unpacking ------------------------------------------------------------------------- */

/* Creates what is missing of a file's parents. */
static int make_parents(int directory, const char *path, struct gbx_error *err) {
        char parent[GBX_BUNDLE_MAX_PATH + 1];

        for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
                (void)snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
                if (mkdirat(directory, parent, 0755) == 0 ? fchmodat(directory, parent, 0755, 0) < 0 : errno != EEXIST)
                        return gbx_fail_errno(err, "cannot create directory '%s'", parent);
        }
        return 0;
}

static int unpack_file(const struct gbx_bundle_file *file, int directory, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        int r = make_parents(directory, file->path, err);

        if (r < 0)
                return r;
        fd = gbx_open_beneath(directory, file->path, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
        if (fd < 0)
                return fd;
        r = gbx_write_all(fd, file->data, file->size, err);
        if (r == 0 && fchmod(fd, file->executable ? 0555 : 0444) < 0)
                r = gbx_fail_errno(err, "cannot set its mode");
        return r < 0 ? gbx_context(err, r, "'%s'", file->path) : 0;
}

int gbx_bundle_unpack(const struct gbx_bundle *bundle, int directory, struct gbx_error *err) {
        for (size_t i = 0; i < bundle->count; i++) {
                int r = unpack_file(&bundle->files[i], directory, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
