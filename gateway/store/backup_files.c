#include "gateway/store/backup_files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, PATH_SIZE = 512, KEY_LIMIT = 64 * 1024, STEP = 256 * 1024 };

static int compare_names(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int not_dots(const struct dirent *entry) { return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0; }

static bool is_temporary(const char *name) {
        size_t length = strlen(name);

        return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

struct walk {
        int directory;
        gbx_tree_visit *visit;
        void *context;
};

static int walk_folder(const struct walk *walk, const char *path, unsigned depth, struct gbx_error *err);

static int walk_one(const struct walk *walk, const char *path, unsigned depth, struct gbx_error *err) {
        struct stat status;

        if (fstatat(walk->directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return gbx_fail_errno(err, "cannot inspect '%s'", path);
        if (S_ISREG(status.st_mode))
                return walk->visit(walk->context, walk->directory, path, err);
        return S_ISDIR(status.st_mode) ? walk_folder(walk, path, depth + 1, err)
                                       : gbx_fail(err, -EBADMSG, "'%s' is neither a file nor a folder", path);
}

static int walk_folder(const struct walk *walk, const char *path, unsigned depth, struct gbx_error *err) {
        struct dirent **names;
        int count, r = 0;

        if (depth > DEPTH_MAX)
                return gbx_fail(err, -EBADMSG, "'%s' is deeper than a site has folders", path);
        count = scandirat(walk->directory, path, &names, not_dots, compare_names);
        if (count < 0)
                return gbx_fail_errno(err, "cannot read the folder '%s'", path);
        for (int i = 0; i < count; i++) {
                char inner[PATH_SIZE];

                if (r == 0 && (size_t)snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name) >= sizeof inner)
                        r = gbx_fail(err, -ENAMETOOLONG, "'%s' has a name that is too long", path);
                else if (r == 0 && !is_temporary(names[i]->d_name))
                        r = walk_one(walk, inner, depth, err);
                free(names[i]);
        }
        free(names);
        return r;
}

int gbx_tree_walk(int directory, const char *path, gbx_tree_visit *visit, void *context, struct gbx_error *err) {
        return walk_folder(&(struct walk){ directory, visit, context }, path, 0, err);
}

void gbx_tree_remove(int directory, const char *path) {
        gbx_auto(gbx_close_directory) DIR *folder = NULL;
        struct dirent *entry;
        int fd;

        if (unlinkat(directory, path, 0) == 0)
                return;
        fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        folder = fd < 0 ? NULL : fdopendir(fd);
        if (!folder && fd >= 0)
                (void)close(fd);
        while (folder && (entry = readdir(folder)))
                if (not_dots(entry))
                        gbx_tree_remove(dirfd(folder), entry->d_name);
        (void)unlinkat(directory, path, AT_REMOVEDIR);
}

int gbx_tree_sync(int directory, struct gbx_error *err) {
        return syncfs(directory) < 0 ? gbx_fail_errno(err, "cannot flush the disk") : 0;
}

int gbx_make_parents(int directory, const char *path, struct gbx_error *err) {
        const char *slash = strrchr(path, '/');
        char parent[PATH_SIZE];

        if (!slash)
                return 0;
        if ((size_t)(slash - path) >= sizeof parent)
                return gbx_fail(err, -ENAMETOOLONG, "'%s' is too long", path);
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
        return gbx_make_directories(directory, parent, 0700, err);
}

void gbx_backup_remove_leftovers(int site) {
        int fd = openat(site, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        gbx_auto(gbx_close_directory) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!folder && fd >= 0)
                (void)close(fd);
        while (folder && (entry = readdir(folder))) {
                gbx_auto(gbx_close_fd) int links = -1;

                if (strncmp(entry->d_name, GBX_BACKUP_LINKS, strlen(GBX_BACKUP_LINKS)) != 0)
                        continue;
                links = openat(site, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (links >= 0 && flock(links, LOCK_EX | LOCK_NB) == 0) /* a backup that still copies holds it */
                        gbx_tree_remove(site, entry->d_name);
        }
}

static void free_digest(EVP_MD_CTX **context) { EVP_MD_CTX_free(*context); }

int gbx_copy_with_digest(int from, int to, uint8_t ret_digest[static GBX_SHA256_SIZE], uint64_t *ret_size, struct gbx_error *err) {
        gbx_auto(free_digest) EVP_MD_CTX *context = EVP_MD_CTX_new();
        gbx_auto(gbx_free_pointer) uint8_t *block = malloc(STEP);
        uint64_t size = 0;
        ssize_t n;

        if (!context || !block || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
                return gbx_fail_memory(err);
        while ((n = read(from, block, STEP)) != 0) {
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return gbx_fail_errno(err, "cannot read");
                r = gbx_write_all(to, block, (size_t)n, err);
                if (r < 0)
                        return r;
                (void)EVP_DigestUpdate(context, block, (size_t)n);
                size += (uint64_t)n;
        }
        (void)EVP_DigestFinal_ex(context, ret_digest, NULL);
        *ret_size = size;
        return fsync(to) < 0 ? gbx_fail_errno(err, "cannot flush") : 0;
}

/* --- keys ------------------------------------------------------------------------- */

static int pack_one(void *context, int directory, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer content = { .secret = true };
        struct gbx_buffer *bundle = context;
        int r = gbx_read_file(directory, path, KEY_LIMIT, &content, err);

        if (r == 0)
                r = gbx_buffer_printf(bundle, err, "%s %zu\n", strrchr(path, '/') + 1, content.size);
        return r < 0 ? r : gbx_buffer_append(bundle, content.data, content.size, err);
}

int gbx_backup_keys_pack(int directory, const char *path, struct gbx_buffer *ret, struct gbx_error *err) {
        int r = gbx_tree_walk(directory, path, pack_one, ret, err);

        return r < 0 ? gbx_context(err, r, "the site's keys") : 0;
}

int gbx_backup_keys_unpack(int site, const struct gbx_buffer *bundle, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = -1;
        size_t place = 0;
        int r = mkdirat(site, "keys", 0700) < 0 ? gbx_fail_errno(err, "cannot make the folder of the keys") : 0;

        keys = r < 0 ? r : gbx_open_directory(site, "keys", err);
        if (keys < 0)
                return keys;
        while (r == 0 && place < bundle->size) {
                char name[72], digits[24];
                uint64_t size;
                int length = 0;

                if (sscanf((const char *)bundle->data + place, "%71[a-z0-9._-] %20[0-9]%*1[\n]%n", name, digits, &length) != 2 ||
                    length == 0 || !gbx_name_valid(name) || gbx_parse_u64(digits, &size, NULL) < 0 ||
                    size > bundle->size - place - (size_t)length)
                        return gbx_fail(err, -EBADMSG, "keys.age does not hold the keys of a site");
                place += (size_t)length;
                r = gbx_write_file_durably(keys, name, bundle->data + place, size, 0600, err);
                place += size;
        }
        return r;
}
