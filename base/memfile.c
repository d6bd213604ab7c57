#include "base/memfile.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <sys/mman.h>

int gbx_memfile_rewind(int fd, struct gbx_error *err) {
        return lseek(fd, 0, SEEK_SET) < 0 ? gbx_fail_errno(err, "cannot rewind a memory file") : 0;
}

int gbx_memfile_parts(const char *name, const struct gbx_bytes *parts, size_t count, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r = fd < 0 ? gbx_fail_errno(err, "cannot make the memory file '%s'", name) : 0;

        for (size_t i = 0; i < count && r == 0; i++)
                r = gbx_write_all(fd, parts[i].data, parts[i].size, err);
        if (r == 0)
                r = gbx_memfile_rewind(fd, err);
        return r < 0 ? r : gbx_take_fd(&fd);
}

int gbx_memfile(const char *name, const void *data, size_t size, struct gbx_error *err) {
        return gbx_memfile_parts(name, &(struct gbx_bytes){ data, size }, 1, err);
}

int gbx_memfile_seal(int fd, struct gbx_error *err) {
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return gbx_fail_errno(err, "cannot seal a memory file");
        return 0;
}
