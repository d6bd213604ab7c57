#include "runtime/sandbox/identity.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
        RANGE_BITS = 8,
        PID_BITS = 22, /* PID_MAX_LIMIT on 64 bits */
        LOCKED_BITS = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                      SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
};

uint32_t gbx_identity_range(pid_t pid) {
        return (1U << 31) + (((uint32_t)pid & ((1U << PID_BITS) - 1)) << RANGE_BITS);
}

uint32_t gbx_identity_range_of(pid_t pid, uint32_t count) {
        return 1 + (uint32_t)pid % (count / 2) * 2;
}

static int write_map(pid_t pid, const char *file, uint32_t outside, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        char path[64], text[64];
        int length = snprintf(text, sizeof text, "0 %u 1\n%d %u 1\n", outside, GBX_INSIDE_UID, outside + 1);

        (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, (size_t)length) != length)
                return gbx_fail_errno(err, "user namespace: cannot write %s", file);
        return 0;
}

int gbx_identity_map(pid_t init, uint32_t outside, struct gbx_error *err) {
        int r = write_map(init, "uid_map", outside, err);

        return r < 0 ? r : write_map(init, "gid_map", outside, err);
}

int gbx_identity_enter(const struct gbx_run *run, struct gbx_error *err) {
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return gbx_fail_errno(err, "user namespace: cannot become its user 0");
        if (gbx_layer_off(&run->spec, GBX_LAYER_CAPABILITIES))
                return 0;
        for (unsigned long capability = 0; capability < 64; capability++)
                if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
                        if (errno == EINVAL && capability > CAP_AUDIT_READ)
                                break; /* behind the kernel's last capability */
                        return gbx_fail_errno(err, "capabilities: cannot drop %lu from the bounding set", capability);
                }
        if (prctl(PR_SET_SECUREBITS, LOCKED_BITS, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "capabilities: cannot lock the securebits");
        return 0;
}

int gbx_identity_become_job(struct gbx_error *err) {
        /* By raw system calls: the job shares memory with init here, and the C library's own would tell "all threads". */
        if (syscall(SYS_setgroups, 0, NULL) < 0 ||
            syscall(SYS_setresgid, GBX_INSIDE_UID, GBX_INSIDE_UID, GBX_INSIDE_UID) < 0 ||
            syscall(SYS_setresuid, GBX_INSIDE_UID, GBX_INSIDE_UID, GBX_INSIDE_UID) < 0)
                return gbx_fail_errno(err, "user namespace: cannot become the job's user");
        return 0;
}

int gbx_identity_drop_capabilities(struct gbx_error *err) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = {};

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return gbx_fail_errno(err, "capabilities: cannot clear the ambient set");
        if (syscall(SYS_capset, &header, none) < 0)
                return gbx_fail_errno(err, "capabilities: cannot drop them");
        return 0;
}
