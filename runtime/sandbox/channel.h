/*
 * Handing descriptors over (unix(7), SCM_RIGHTS)
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

enum { GBX_CHANNEL_MAX = 32 }; /* descriptors in one message */

/* Sends one byte and `fd`; no descriptor for -1. */
int gbx_channel_send(int channel, int fd, struct gbx_error *err);
/* Sends `data` (at least one byte) and `count` descriptors as one message. */
int gbx_channel_send_all(int channel, const void *data, size_t size, const int *fds, size_t count,
                         struct gbx_error *err);

/* Receives one byte with one descriptor, and returns that, close-on-exec. -ENOENT if none came with it; -EPIPE if the
 * other side has gone. */
int gbx_channel_receive(int channel, struct gbx_error *err);
/* Receives one byte and up to `room` descriptors; returns their number. -EPIPE if the other side has gone. */
int gbx_channel_receive_all(int channel, int *ret_fds, size_t room, struct gbx_error *err);
/* The same with a message of up to `size` bytes; `ret_size` gets its length. -EMSGSIZE if it was longer. */
int gbx_channel_receive_message(int channel, void *ret_data, size_t size, size_t *ret_size, int *ret_fds, size_t room,
                                struct gbx_error *err);
