/*
 * The network of one run: two namespaces and the cable between them
 *
 *   job namespace                      gateway namespace
 *   job0 10.x.y.2/30 ──── veth ──── gate0 10.x.y.1/30   (the proxy listens here)
 *
 * The job's namespace has no route but to its /30, the gateway's forwards
 * nothing and has no other interface: its listening sockets are handed to the
 * proxy, whose own sockets live elsewhere. No IPv6, loopback down, no answer to
 * pings. Both namespaces have no name and live by descriptor: when the last
 * one is closed, also by SIGKILL, the kernel takes everything down.
 *
 * A token bucket (tc-tbf(8)) on each end sets the rate of that direction.
 * Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

enum { GBX_NETWORK_MAX_INDEX = (1 << 14) - 1 };

struct gbx_network_options {
        uint32_t index; /* which /30 of 10.201.0.0/16; up to GBX_NETWORK_MAX_INDEX */
        uint64_t rate;  /* bytes a second in each direction; 0: no limit */
};

struct gbx_network {
        int job;     /* descriptors of the namespaces; for the sandbox spec's "network": {"mode": "fd"} */
        int gateway;
        char job_address[16], gateway_address[16]; /* "10.201.0.2" */
};

int gbx_network_new(struct gbx_network *ret, const struct gbx_network_options *options, struct gbx_error *err);
void gbx_network_free(struct gbx_network *network);

/* A listening TCP socket on the gateway's address. Returns a descriptor. */
int gbx_network_listen(const struct gbx_network *network, uint16_t port, struct gbx_error *err);

/* A TCP socket of the job's namespace, not connected. Returns a descriptor. */
int gbx_network_job_socket(int job_namespace, struct gbx_error *err);
