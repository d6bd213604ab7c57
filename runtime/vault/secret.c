#include "runtime/vault/secret.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The child of a fork has no use for our keys; a shared mapping cannot be wiped there, so it is left out. */
static int map_memfd_secret(size_t mapped, uint8_t **ret_data) {
        gbx_auto(gbx_close_fd) int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
        void *data;

        if (fd < 0 || ftruncate(fd, (off_t)mapped) < 0)
                return -errno;
        data = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        if (madvise(data, mapped, MADV_DONTFORK) < 0) {
                int saved = errno;

                (void)munmap(data, mapped);
                return -saved;
        }
        *ret_data = data;
        return 0;
}

static int map_locked(size_t mapped, uint8_t **ret_data, struct gbx_error *err) {
        void *data = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int r;

        if (data == MAP_FAILED)
                return gbx_fail_errno(err, "cannot map %zu bytes for a secret", mapped);
        /* mlock2 without flags is mlock, which the address sanitizer turns into nothing. */
        if (mlock2(data, mapped, 0) == 0 && madvise(data, mapped, MADV_DONTDUMP) == 0 &&
            madvise(data, mapped, MADV_WIPEONFORK) == 0) {
                *ret_data = data;
                return 0;
        }
        r = gbx_fail_errno(err, "cannot lock %zu bytes of memory for a secret (is RLIMIT_MEMLOCK, `ulimit -l`, too low?)",
                           mapped);
        (void)munmap(data, mapped);
        return r;
}

static int allocate(struct gbx_secret *ret, size_t size, bool memfd, struct gbx_error *err) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t mapped = (size + page - 1) / page * page;
        enum gbx_secret_kind kind = GBX_SECRET_MEMFD;
        uint8_t *data = NULL;

        if (size == 0 || mapped < size)
                return gbx_fail(err, -EINVAL, "a secret of %zu bytes cannot be had", size);
        if (!memfd || map_memfd_secret(mapped, &data) < 0) {
                int r = map_locked(mapped, &data, err);

                if (r < 0)
                        return r;
                kind = GBX_SECRET_LOCKED;
        }
        *ret = (struct gbx_secret){ .data = data, .size = size, .mapped = mapped, .kind = kind };
        return 0;
}

int gbx_secret_new(struct gbx_secret *ret, size_t size, struct gbx_error *err) {
        return allocate(ret, size, true, err);
}

int gbx_secret_new_locked(struct gbx_secret *ret, size_t size, struct gbx_error *err) {
        return allocate(ret, size, false, err);
}

void gbx_secret_free(struct gbx_secret *secret) {
        if (secret->data) {
                OPENSSL_cleanse(secret->data, secret->mapped);
                (void)munmap(secret->data, secret->mapped);
        }
        *secret = (struct gbx_secret){};
}

const char *gbx_secret_kind_name(enum gbx_secret_kind kind) {
        static const char *const names[] = {
                [GBX_SECRET_NONE] = "none",
                [GBX_SECRET_MEMFD] = "memfd_secret",
                [GBX_SECRET_LOCKED] = "locked",
        };

        return names[kind];
}
