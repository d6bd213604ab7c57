/*
 * Passing bytes from socket to socket without copying them (splice(2))
 *
 * For tunnels that are only passed through, without a rate limit: the kernel
 * moves the pages, the proxy counts. Takes over from libevent's buffers once
 * they are empty; ends the connection by itself.
 */
#pragma once

#include "gateway/egress/proxy.h"

/* Whether it took over; if not, the buffered way goes on. */
bool gbx_relay_start(struct gbx_connection *connection);
void gbx_relay_stop(struct gbx_connection *connection);
