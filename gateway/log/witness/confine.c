#include "gateway/log/witness/confine.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The rights of the first version of the interface: what newer kernels add needs no state of ours. */
enum {
        EVERYTHING = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                     LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                     LANDLOCK_ACCESS_FS_MAKE_SYM,
        OF_STATE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG,
};

int gbx_witness_confine(const char *path, struct gbx_error *err) {
        struct landlock_ruleset_attr everything = { .handled_access_fs = EVERYTHING };
        gbx_auto(gbx_close_fd) int state = -1, rules = -1;
        struct landlock_path_beneath_attr beneath = { .allowed_access = OF_STATE };

        rules = (int)syscall(SYS_landlock_create_ruleset, &everything, sizeof everything, 0);
        if (rules < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? 1 : gbx_fail_errno(err, "cannot make Landlock rules");
        state = gbx_open_directory(AT_FDCWD, path, err);
        if (state < 0)
                return state;
        beneath.parent_fd = state;
        if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0)
                return gbx_fail_errno(err, "cannot confine the witness by Landlock");
        return 0;
}
