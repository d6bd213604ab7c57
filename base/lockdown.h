/*
 * How our own programs lock themselves in
 *
 * For a program that reads hostile bytes, once all it needs is open: started
 * as root it gets an empty root directory, namespaces of its own for mounts,
 * IPC and host name, and an unprivileged user without any capability, for
 * good. Then, whoever started it: no new privileges, no core dump, nobody may
 * look into it (PR_SET_DUMPABLE), a Landlock domain without files where the
 * kernel has Landlock, and a seccomp filter. A layer that cannot be had is an
 * error; the program must end.
 *
 * The network namespace stays: filters for programs without network have no
 * socket(2), and the proxy's sockets are what it is for.
 */
#pragma once

#include "base/error.h"

#include <linux/filter.h>
#include <stddef.h>
#include <sys/types.h>

struct gbx_lockdown {
        uid_t user;                       /* and group, when started as root */
        const struct sock_filter *filter; /* compiled by the build from policy/profiles */
        size_t filter_length;
};

/* Also ends the program with its parent, which a change of user would undo. */
int gbx_lockdown(const struct gbx_lockdown *lockdown, struct gbx_error *err);
