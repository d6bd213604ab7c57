/*
 * connect(2) of a job, answered through the proxy
 *
 * The other end of the sandbox's network.notify_connect_fd
 * (runtime/sandbox/notify_connect.h). Each request brings a copy of the
 * address that the job gave. A socket of the job's network namespace is
 * connected to the proxy and asks it by SOCKS 5 (RFC 1928) for that address;
 * when the proxy grants it, the socket takes the place of the job's own. So a
 * redirected connection meets the same rules, and leaves the same entries, as
 * one of a program that knows the proxy, and a wrong answer here could open
 * nothing: a socket of that namespace reaches the proxy alone.
 *
 * One thread, GBX_CONNECT_PENDING attempts at once, each with a deadline.
 */
#pragma once

#include "base/error.h"

#include <netinet/in.h>
#include <stdint.h>

struct gbx_redirect;

enum { GBX_REDIRECT_ATTEMPT_MS = 15000 }; /* longer than the proxy takes to find that a host cannot be reached */

/* Starts the thread. `job_namespace` is borrowed until gbx_redirect_free. The job is told ETIMEDOUT when the proxy has not
 * answered within `attempt_ms`. */
int gbx_redirect_new(struct gbx_redirect **ret, int job_namespace, const struct sockaddr_in *proxy, unsigned attempt_ms,
                     struct gbx_error *err);
/* Ends the thread and all attempts. */
struct gbx_redirect *gbx_redirect_free(struct gbx_redirect *redirect);
/* The descriptor for the sandbox; belongs to the object. */
int gbx_redirect_socket(const struct gbx_redirect *redirect);

enum { GBX_REDIRECT_REQUEST_SIZE = 22 };

/* The SOCKS request for an address of any family: its size, 0 where the address is the proxy's own, which is reached
 * without one, or the negative errno that the job is told. */
int gbx_redirect_request(const void *address, size_t size, const struct sockaddr_in *proxy,
                         uint8_t ret[static GBX_REDIRECT_REQUEST_SIZE]);
