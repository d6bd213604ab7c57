/* Reading back what a job left: by descriptor, after its death, every entry checked. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/vault/delivery_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

void gbx_outputs_free(struct gbx_outputs *outputs) {
        for (size_t i = 0; i < outputs->count; i++)
                gbx_close_fd(&outputs->list[i].fd);
        free(outputs->list);
        *outputs = (struct gbx_outputs){};
}

static const char *type_name(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFREG:
                return "a regular file";
        case S_IFDIR:
                return "a directory";
        case S_IFLNK:
                return "a symbolic link";
        case S_IFIFO:
                return "a fifo";
        case S_IFSOCK:
                return "a socket";
        case S_IFCHR:
        case S_IFBLK:
                return "a device";
        default:
                return "of an unknown type";
        }
}

/* What an entry has to be, before it is opened. */
static int check_entry(int directory, const char *name, const char *shown, const struct gbx_output_limits *limits,
                       struct stat *ret_status, struct gbx_error *err) {
        if (!gbx_name_valid(name))
                return gbx_fail(err, -EINVAL, "output '%s': the name is not allowed (a-z, 0-9, '.', '_', '-'; at most "
                                              "64 characters, a letter or digit first)", shown);
        if (fstatat(directory, name, ret_status, AT_SYMLINK_NOFOLLOW) < 0)
                return gbx_fail_errno(err, "output '%s': cannot be inspected", shown);
        if (!S_ISREG(ret_status->st_mode))
                return gbx_fail(err, -EINVAL, "output '%s' is %s; only regular files leave", shown,
                                type_name(ret_status->st_mode));
        if (ret_status->st_nlink != 1)
                return gbx_fail(err, -EINVAL, "output '%s' has %lu names (hard links); one is allowed", shown,
                                (unsigned long)ret_status->st_nlink);
        if (ret_status->st_size < 0 || (uint64_t)ret_status->st_size > limits->file_bytes)
                return gbx_fail(err, -EDQUOT, "output '%s' has %lld bytes, more than the %llu allowed", shown,
                                (long long)ret_status->st_size, (unsigned long long)limits->file_bytes);
        return 0;
}

static int add_entry(int directory, const char *name, const struct gbx_output_limits *limits,
                     struct gbx_outputs *outputs, uint64_t *total, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        struct gbx_output *output;
        struct stat status, opened;
        char shown[256];
        int r;

        gbx_text_printable(name, strlen(name), shown, sizeof shown);
        if (outputs->count == limits->files)
                return gbx_fail(err, -EDQUOT, "more than the %zu output files allowed ('%s' is one too many)",
                                limits->files, shown);
        r = check_entry(directory, name, shown, limits, &status, err);
        if (r < 0)
                return r;
        if ((uint64_t)status.st_size > limits->total_bytes - *total)
                return gbx_fail(err, -EDQUOT, "the outputs have more than the %llu bytes allowed (with '%s')",
                                (unsigned long long)limits->total_bytes, shown);
        fd = gbx_open_beneath(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, err);
        if (fd < 0)
                return fd;
        if (fstat(fd, &opened) < 0 || opened.st_ino != status.st_ino || opened.st_dev != status.st_dev ||
            opened.st_mode != status.st_mode || opened.st_size != status.st_size)
                return gbx_fail(err, -EINVAL, "output '%s' changed while it was collected", shown);
        output = reallocarray(outputs->list, outputs->count + 1, sizeof *output);
        if (!output)
                return gbx_fail_memory(err);
        outputs->list = output;
        output += outputs->count++;
        *output = (struct gbx_output){ .size = (uint64_t)status.st_size, .fd = gbx_take_fd(&fd) };
        (void)snprintf(output->name, sizeof output->name, "%s", name);
        *total += output->size;
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(((const struct gbx_output *)a)->name, ((const struct gbx_output *)b)->name);
}

int gbx_delivery_collect(struct gbx_delivery *delivery, struct gbx_output_limits limits, struct gbx_outputs *ret,
                         struct gbx_error *err) {
        gbx_auto(gbx_outputs_free) struct gbx_outputs outputs = {};
        gbx_auto(gbx_close_directory) DIR *stream = NULL;
        gbx_auto(gbx_close_fd) int directory = -1;
        struct dirent *entry;
        uint64_t total = 0;
        int r = gbx_delivery_seal(delivery, err);

        if (r < 0)
                return r;
        directory = gbx_open_directory(delivery->mount, ".", err);
        if (directory < 0)
                return directory;
        stream = fdopendir(directory);
        if (!stream)
                return gbx_fail_errno(err, "cannot list the outputs");
        directory = -1; /* the stream has it */
        while (errno = 0, (entry = readdir(stream))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                r = add_entry(dirfd(stream), entry->d_name, &limits, &outputs, &total, err);
                if (r < 0)
                        return r;
        }
        if (errno != 0)
                return gbx_fail_errno(err, "cannot list the outputs");
        if (outputs.count > 0)
                qsort(outputs.list, outputs.count, sizeof outputs.list[0], compare_names);
        *ret = outputs;
        outputs = (struct gbx_outputs){};
        return 0;
}

static int copy_output(const struct gbx_output *output, struct gbx_delivery *delivery, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = gbx_delivery_create(delivery, output->name, err);
        off_t offset = 0;

        if (fd < 0)
                return fd;
        while ((uint64_t)offset < output->size) {
                ssize_t n = sendfile(fd, output->fd, &offset, (size_t)(output->size - (uint64_t)offset));

                if (n < 0 && errno != EINTR)
                        return gbx_fail_errno(err, "output '%s': cannot be copied", output->name);
                if (n == 0)
                        return gbx_fail(err, -EIO, "output '%s' became shorter while it was copied", output->name);
        }
        return 0;
}

int gbx_outputs_deliver(const struct gbx_outputs *outputs, struct gbx_delivery **ret, struct gbx_error *err) {
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *delivery = NULL;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        struct gbx_delivery_limits limits = { .bytes = page, .files = outputs->count + 1 };
        int r;

        for (size_t i = 0; i < outputs->count; i++)
                limits.bytes += (outputs->list[i].size + page - 1) / page * page;
        r = gbx_delivery_new(&delivery, GBX_DELIVERY_DATA, limits, err);
        for (size_t i = 0; i < outputs->count && r == 0; i++)
                r = copy_output(&outputs->list[i], delivery, err);
        if (r == 0)
                r = gbx_delivery_seal(delivery, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(delivery);
        return 0;
}
