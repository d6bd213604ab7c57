/*
 * Answering the system calls that a filter reports (seccomp_unotify(2))
 *
 * The caller is told an error, never "continue": what an address argument
 * points to could change after we looked. Where the spec names a
 * notify_connect_fd, a connect(2) is forwarded there; see notify_connect.h.
 */
#pragma once

#include "runtime/sandbox/denials.h"
#include "runtime/sandbox/notify_connect.h"
#include "runtime/sandbox/run.h"

enum gbx_notify_result {
        GBX_NOTIFY_ANSWERED = 0,
        GBX_NOTIFY_KILL = 1, /* the profile ends the run for this call */
};

/* Takes one notification, if there is one, records and answers it. Returns an enum gbx_notify_result. */
int gbx_notify_answer(int listener, const struct gbx_run *run, struct gbx_connects *connects,
                      struct gbx_denials *denials);
