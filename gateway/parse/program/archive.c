/* Archives of algorithms, read with libarchive: plain files and directories, or nothing. */
#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/parse/bundle_paths.h"
#include "gateway/parse/program/archive.h"
#include "gateway/parse/program/verbs.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

/* All bytes behind the decompressor, headers included: what a bomb of headers alone may cost. */
enum { MAX_STREAM = GBX_BUNDLE_MAX_UNPACKED + 16 * 1024 * 1024, READ_STEP = 64 * 1024 };

struct unpacking {
        struct archive *archive;
        struct gbx_bundle_paths paths;
        struct gbx_bundle_file *files;
        size_t count;
        size_t entries;
        size_t bytes; /* of all files */
};

static void end_unpacking(struct unpacking *unpacking) {
        if (unpacking->archive)
                (void)archive_read_free(unpacking->archive);
        gbx_bundle_paths_free(&unpacking->paths);
        gbx_bundle_files_free(unpacking->files, unpacking->count);
}

static int open_archive(struct unpacking *unpacking, const void *data, size_t size, struct gbx_error *err) {
        struct archive *archive = archive_read_new();

        if (!archive)
                return gbx_fail_memory(err);
        unpacking->archive = archive;
        if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
            archive_read_support_format_tar(archive) != ARCHIVE_OK ||
            archive_read_support_format_zip(archive) != ARCHIVE_OK)
                return gbx_fail(err, -EIO, "libarchive cannot read tar, gzip and zip here");
        if (archive_read_open_memory(archive, data, size) != ARCHIVE_OK)
                return gbx_fail(err, -EINVAL, "not a tar, gzip-compressed tar or zip archive (%s)",
                                archive_error_string(archive));
        return 0;
}

static const char *type_name(mode_t type) {
        switch (type) {
        case AE_IFLNK:
                return "a symbolic link";
        case AE_IFIFO:
                return "a fifo";
        case AE_IFSOCK:
                return "a socket";
        case AE_IFCHR:
        case AE_IFBLK:
                return "a device node";
        default:
                return "of a type that is not allowed";
        }
}

/* What an entry is, apart from its name. */
static int check_kind(struct archive_entry *entry, struct gbx_error *err) {
        mode_t type = archive_entry_filetype(entry);

        if (archive_entry_hardlink(entry))
                return gbx_fail(err, -EINVAL, "it is a hard link");
        if (archive_entry_symlink(entry))
                return gbx_fail(err, -EINVAL, "it is a symbolic link");
        if (type != AE_IFREG && type != AE_IFDIR)
                return gbx_fail(err, -EINVAL, "it is %s", type_name(type));
        if (archive_entry_sparse_count(entry) > 0)
                return gbx_fail(err, -EINVAL, "it is a sparse file");
        if (archive_entry_is_encrypted(entry))
                return gbx_fail(err, -EINVAL, "it is encrypted");
        if (archive_entry_perm(entry) & (S_ISUID | S_ISGID))
                return gbx_fail(err, -EINVAL, "it is setuid or setgid");
        if (archive_entry_size_is_set(entry) &&
            (archive_entry_size(entry) < 0 || archive_entry_size(entry) > GBX_BUNDLE_MAX_UNPACKED))
                return gbx_fail(err, -EDQUOT, "it has %lld bytes, more than the %d allowed",
                                (long long)archive_entry_size(entry), GBX_BUNDLE_MAX_UNPACKED);
        return 0;
}

static int read_data(struct unpacking *unpacking, struct gbx_buffer *data, struct gbx_error *err) {
        for (;;) {
                la_ssize_t n;
                int r = gbx_buffer_reserve(data, READ_STEP, err);

                if (r < 0)
                        return r;
                n = archive_read_data(unpacking->archive, data->data + data->size, READ_STEP);
                if (n < 0)
                        return gbx_fail(err, -EINVAL, "it is damaged (%s)", archive_error_string(unpacking->archive));
                if (n == 0)
                        return 0;
                data->size += (size_t)n;
                unpacking->bytes += (size_t)n;
                if (unpacking->bytes > GBX_BUNDLE_MAX_UNPACKED)
                        return gbx_fail(err, -EDQUOT, "with it the archive unpacks to more than the %d bytes allowed",
                                        GBX_BUNDLE_MAX_UNPACKED);
        }
}

static int add_file(struct unpacking *unpacking, struct archive_entry *entry, const char *path, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer data = {};
        struct gbx_bundle_file *files, *file;
        int r = read_data(unpacking, &data, err);

        if (r < 0)
                return r;
        files = reallocarray(unpacking->files, unpacking->count + 1, sizeof *files);
        if (!files)
                return gbx_fail_memory(err);
        unpacking->files = files;
        file = &files[unpacking->count];
        *file = (struct gbx_bundle_file){ .path = strdup(path), .size = data.size };
        if (!file->path)
                return gbx_fail_memory(err);
        file->executable = archive_entry_perm(entry) & S_IXUSR;
        file->data = gbx_take_ptr(data.data);
        file->data[file->size] = 0; /* the buffer has room for it */
        unpacking->count++;
        return 0;
}

static int take_entry(struct unpacking *unpacking, struct archive_entry *entry, char *name, struct gbx_error *err) {
        bool directory = archive_entry_filetype(entry) == AE_IFDIR;
        const char *path = NULL;
        int r = check_kind(entry, err);

        if (r == 0)
                r = gbx_bundle_paths_add(&unpacking->paths, name, directory, &path, err);
        if (r == 0 && !directory)
                r = add_file(unpacking, entry, path, err);
        return r;
}

/* The entry's name as it stands in the archive. NULL: it has none, or not in ASCII. */
static char *entry_name(struct archive_entry *entry) {
        const char *name = archive_entry_pathname(entry);

        if (!name)
                name = archive_entry_pathname_utf8(entry);
        return name ? strdup(name) : NULL;
}

static int next_entry(struct unpacking *unpacking, struct archive_entry *entry, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *name = entry_name(entry);
        char shown[512];
        int r;

        unpacking->entries++;
        if (!name)
                return gbx_fail(err, -EINVAL, "entry %zu has no readable name", unpacking->entries);
        gbx_text_printable(name, strlen(name), shown, sizeof shown);
        if (unpacking->entries > GBX_BUNDLE_MAX_ENTRIES)
                return gbx_fail(err, -EDQUOT, "it has more than the %d entries allowed ('%s' is one too many)",
                                GBX_BUNDLE_MAX_ENTRIES, shown);
        r = take_entry(unpacking, entry, name, err);
        return r < 0 ? gbx_context(err, r, "entry '%s'", shown) : 0;
}

static int compare_paths(const void *a, const void *b) {
        return strcmp(((const struct gbx_bundle_file *)a)->path, ((const struct gbx_bundle_file *)b)->path);
}

int gbx_archive_read(const void *data, size_t size, struct gbx_bundle_file **ret_files, size_t *ret_count,
                     struct gbx_error *err) {
        gbx_auto(end_unpacking) struct unpacking unpacking = {};
        struct archive_entry *entry;
        int r = open_archive(&unpacking, data, size, err), status;

        if (r < 0)
                return r;
        while ((status = archive_read_next_header(unpacking.archive, &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
                r = next_entry(&unpacking, entry, err);
                if (r < 0)
                        return r;
                if (archive_filter_bytes(unpacking.archive, 0) > MAX_STREAM)
                        return gbx_fail(err, -EDQUOT, "it unpacks to more than is allowed");
        }
        if (status != ARCHIVE_EOF)
                return gbx_fail(err, -EINVAL, "it is damaged behind entry %zu (%s)", unpacking.entries,
                                archive_error_string(unpacking.archive));
        if (unpacking.count == 0)
                return gbx_fail(err, -EINVAL, "it has no file in it");
        qsort(unpacking.files, unpacking.count, sizeof unpacking.files[0], compare_paths);
        *ret_files = gbx_take_ptr(unpacking.files);
        *ret_count = unpacking.count;
        unpacking.count = 0;
        return 0;
}

int gbx_verb_archive(const struct gbx_verb_input *input, struct gbx_error *err) {
        struct gbx_bundle_file *files = NULL;
        size_t count = 0;
        int r = gbx_archive_read(input->bytes.data, input->bytes.size, &files, &count, err);

        if (r == 0)
                r = gbx_bundle_files_write(files, count, input->out, err);
        gbx_bundle_files_free(files, count);
        return r;
}
