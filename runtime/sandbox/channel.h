/*
 * Handing one descriptor from init to the launcher (unix(7), SCM_RIGHTS)
 */
#pragma once

#include "base/error.h"

int gbx_channel_send(int channel, int fd, struct gbx_error *err);

/* Returns the descriptor, close-on-exec. -EPIPE if the other side has gone. */
int gbx_channel_receive(int channel, struct gbx_error *err);
