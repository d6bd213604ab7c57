#include "base/install.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The directory of the running program, without a slash at its end. */
static int own_directory(char directory[static PATH_MAX], struct gbx_error *err) {
        ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1);
        char *slash;

        if (length < 0)
                return gbx_fail_errno(err, "cannot find where this program is installed (/proc/self/exe)");
        directory[length] = '\0';
        slash = strrchr(directory, '/');
        if (slash)
                *slash = '\0';
        return 0;
}

/* The first of two places, relative to the program, where `name` exists. */
static int find(const char *beside, const char *installed, const char *name, char **ret_path, struct gbx_error *err) {
        char directory[PATH_MAX];
        const char *const places[] = { beside, installed };
        int r = own_directory(directory, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < gbx_array_size(places); i++) {
                gbx_auto(gbx_free_pointer) char *path = NULL;

                if (asprintf(&path, "%s/%s%s", directory, places[i], name) < 0) {
                        path = NULL;
                        return gbx_fail_memory(err);
                }
                if (access(path, R_OK) == 0) {
                        *ret_path = gbx_take_ptr(path);
                        return 0;
                }
        }
        return gbx_fail(err, -ENOENT, "'%s' is not installed beside %s (nor under %s/%s); run make", name, directory, directory,
                        installed);
}

int gbx_install_program(const char *name, char **ret_path, struct gbx_error *err) {
        return find("", "../libexec/glovebox/", name, ret_path, err);
}

int gbx_install_data(const char *name, char **ret_path, struct gbx_error *err) {
        return find("share/", "../share/glovebox/", name, ret_path, err);
}

int gbx_install_manual(char **ret_path, struct gbx_error *err) {
        return find("../share/doc/glovebox/", "../share/doc/glovebox/", "", ret_path, err);
}

int gbx_install_image(const char *name, char **ret_path, char **ret_digest, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer digest = {};
        gbx_auto(gbx_free_pointer) char *digest_file = NULL, *digest_path = NULL, *file = NULL, *path = NULL;
        uint8_t parsed[GBX_SHA256_SIZE];
        int r;

        if (asprintf(&digest_file, "%s.digest", name) < 0) {
                digest_file = NULL;
                return gbx_fail_memory(err);
        }
        r = find("images/", "../share/glovebox/images/", digest_file, &digest_path, err);
        if (r < 0)
                return gbx_context(err, r, "image %s (make images builds it)", name);
        r = gbx_read_file(AT_FDCWD, digest_path, 128, &digest, err);
        if (r < 0)
                return r;
        if (digest.size && digest.data[digest.size - 1] == '\n')
                digest.data[--digest.size] = '\0';
        r = gbx_sha256_parse(gbx_buffer_text(&digest), parsed, err);
        if (r < 0)
                return gbx_context(err, r, "%s", digest_path);
        if (asprintf(&file, "%s-%s.squashfs", name, gbx_buffer_text(&digest) + strlen("sha256:")) < 0) {
                file = NULL;
                return gbx_fail_memory(err);
        }
        r = find("images/", "../share/glovebox/images/", file, &path, err);
        if (r < 0)
                return gbx_context(err, r, "image %s", name);
        *ret_digest = strdup(gbx_buffer_text(&digest));
        if (!*ret_digest)
                return gbx_fail_memory(err);
        *ret_path = gbx_take_ptr(path);
        return 0;
}
