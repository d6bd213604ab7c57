#include "runtime/sandbox/landlock.h"

#include "base/cleanup.h"
#include "runtime/sandbox/skeleton.h"
#include "runtime/sandbox/syscalls.h"

#include <string.h>
#include <sys/stat.h>

/* Rights by the ABI that brought them (include/uapi/linux/landlock.h). */
enum {
        EXECUTE = 1U << 0,
        WRITE_FILE = 1U << 1,
        READ_FILE = 1U << 2,
        READ_DIRECTORY = 1U << 3,
        REMOVE_DIRECTORY = 1U << 4,
        REMOVE_FILE = 1U << 5,
        MAKE_DIRECTORY = 1U << 7,
        MAKE_REGULAR = 1U << 8,
        ABI_1 = (1U << 13) - 1,
        REFER = 1U << 13,    /* ABI 2 */
        TRUNCATE = 1U << 14, /* ABI 3 */
        IOCTL_DEVICE = 1U << 15, /* ABI 5 */
        NETWORK_BIND = 1U << 0,
        NETWORK_CONNECT = 1U << 1, /* ABI 4 */
        SCOPED = 3,                /* ABI 6: abstract sockets and signals */
        WRITING = WRITE_FILE | REMOVE_DIRECTORY | REMOVE_FILE | MAKE_DIRECTORY | MAKE_REGULAR | REFER | TRUNCATE,
        FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE,
};

int gbx_landlock_abi(void) {
        int abi = sys_landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        return abi < 0 ? 0 : abi;
}

struct ruleset {
        struct gbx_run *run;
        int fd;
        uint64_t handled;
};

static int allow(const struct ruleset *ruleset, int place, uint64_t rights, struct gbx_error *err) {
        struct landlock_path_beneath_attr rule = { .allowed_access = rights & ruleset->handled, .parent_fd = place };
        struct stat status;

        if (fstat(place, &status) == 0 && !S_ISDIR(status.st_mode))
                rule.allowed_access &= FILE_RIGHTS;
        if (rule.allowed_access && sys_landlock_add_path(ruleset->fd, &rule) < 0)
                return gbx_fail_errno(err, "Landlock refuses a rule");
        return 0;
}

/* Execution for an entry of the root directory that nothing is mounted on. */
static int allow_entry(void *userdata, int directory, const char *name, struct gbx_error *err) {
        const struct ruleset *ruleset = userdata;
        const struct gbx_run *run = ruleset->run;
        gbx_auto(gbx_close_fd) int entry = -1;
        struct stat status;

        if (strcmp(name, "proc") == 0)
                return 0;
        for (size_t i = 0; i < run->mount_count; i++)
                if (strcmp(run->mounts[i].target + 1, name) == 0)
                        return 0;
        entry = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (entry < 0 || fstat(entry, &status) < 0)
                return gbx_fail_errno(err, "image: cannot open '/%.255s'", name);
        if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
                return 0;
        return allow(ruleset, entry, EXECUTE, err);
}

static const struct gbx_spec_mount *spec_mount(const struct gbx_run *run, const char *target) {
        for (size_t i = 0; i < run->spec.mount_count; i++)
                if (run->spec.mounts[i].target == target)
                        return &run->spec.mounts[i];
        return NULL;
}

static uint64_t rights_of(const struct gbx_spec_mount *item) {
        return item->writable ? WRITING : item->executable ? EXECUTE : 0;
}

static int add_rules(struct ruleset *ruleset, struct gbx_error *err) {
        struct gbx_run *run = ruleset->run;
        int r = allow(ruleset, run->root, READ_FILE | READ_DIRECTORY, err);

        if (r == 0)
                r = gbx_directory_each(run->root, allow_entry, ruleset, err);
        for (size_t i = 0; i < run->mount_count && r == 0; i++) {
                const struct gbx_run_mount *mount = &run->mounts[i];
                const struct gbx_spec_mount *item = spec_mount(run, mount->target);

                if (mount->mount < 0)
                        continue;
                if (item)
                        r = allow(ruleset, mount->mount, rights_of(item), err);
                else if (strncmp(mount->target, "/dev/", 5) == 0)
                        continue; /* as /dev itself */
                else if (strcmp(mount->target, "/dev") == 0)
                        r = allow(ruleset, mount->mount, WRITE_FILE | TRUNCATE, err);
                else
                        r = allow(ruleset, mount->mount, EXECUTE, err); /* an entry of the image, bound */
        }
        return r;
}

static uint64_t handled_rights(int abi) {
        static const uint64_t by_abi[] = { 0, ABI_1, ABI_1 | REFER, ABI_1 | REFER | TRUNCATE };

        return by_abi[abi < 3 ? abi : 3] | (abi >= 5 ? (uint64_t)IOCTL_DEVICE : 0);
}

int gbx_landlock_allow_mount(const struct gbx_run *run, const struct gbx_spec_mount *item, int mount,
                             struct gbx_error *err) {
        const struct ruleset ruleset = { .fd = run->landlock, .handled = handled_rights(run->layers.landlock_abi) };

        return allow(&ruleset, mount, rights_of(item), err);
}

int gbx_landlock_prepare(struct gbx_run *run, struct gbx_error *err) {
        int abi = gbx_landlock_abi(), r;
        struct sys_landlock_ruleset attributes = {};
        struct ruleset ruleset = { .run = run };

        run->landlock = -1;
        if (gbx_layer_off(&run->spec, GBX_LAYER_LANDLOCK))
                return 0;
        if (abi == 0 && run->spec.options.require_landlock)
                return gbx_fail(err, -EOPNOTSUPP, "options.require_landlock: this kernel has no Landlock "
                                                  "(CONFIG_SECURITY_LANDLOCK, and 'landlock' in the lsm= parameter)");
        if (abi == 0)
                return 0;
        attributes.handled_access_fs = handled_rights(abi);
        if (abi >= 4)
                attributes.handled_access_net =
                        run->spec.network_fd >= 0 && run->spec.notify_connect_fd < 0 ? NETWORK_BIND : NETWORK_BIND | NETWORK_CONNECT;
        if (abi >= 6)
                attributes.scoped = SCOPED;
        ruleset.handled = attributes.handled_access_fs;
        ruleset.fd = sys_landlock_create_ruleset(&attributes, abi >= 6 ? sizeof attributes : abi >= 4 ? 16 : 8, 0);
        if (ruleset.fd < 0)
                return gbx_fail_errno(err, "cannot make a Landlock ruleset (ABI %d)", abi);
        r = add_rules(&ruleset, err);
        if (r < 0) {
                gbx_close_fd(&ruleset.fd);
                return r;
        }
        run->landlock = ruleset.fd;
        run->layers.landlock_abi = abi;
        return 0;
}
