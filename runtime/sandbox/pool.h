/*
 * Sandboxes prepared ahead of their jobs: `gbx-sandbox pool`
 *
 * A pool keeps a number of sandboxes of one spec ready: namespaces made,
 * limits set, files mounted, the job's process confined and waiting for the
 * name of its program. Each waits on the same listening SOCK_SEQPACKET
 * socket; whoever connects gets one of them, sends an order (order.h) and
 * receives the result, with the descriptors of the spec's writable tmpfs
 * mounts (in the spec's order) beside it. A sandbox is used for one job and
 * then removed, after the answer and a little behind others, so that a burst
 * of jobs is answered first; the pool makes another. Nothing of one job
 * reaches the next. Whoever connects has ten seconds to send its order.
 *
 * An order that cannot be carried out is answered with {"error": "..."}.
 * When the pool is killed its sandboxes go with it.
 */
#pragma once

/* Serves until killed. `listener` is a listening socket, or -1: one is made at `path` (mode 0600). When the first
 * `size` sandboxes are ready, a line "ready" is printed. Returns an exit status. */
int gbx_pool(const char *spec_path, const char *path, int listener, unsigned size);
