/*
 * Confining the proxy
 *
 * After its set-up the proxy needs sockets and nothing else: it gets an empty
 * root, namespaces of its own but for the network, an unprivileged user, no
 * capabilities, a Landlock domain without files, and a seccomp allowlist. A
 * layer that cannot be had ends the start.
 */
#pragma once

#include "base/error.h"

enum { GBX_EGRESS_UID = 65533 }; /* when started as root; as another user the proxy stays that user */

int gbx_egress_confine(struct gbx_error *err);
