/*
 * Addresses of the other side
 *
 * A name that a rule allows may resolve to anything: the host's loopback, a
 * cloud's metadata service, a neighbour. What was resolved is checked here and
 * then connected to, with no second resolution in between (DNS rebinding).
 *
 * Only globally reachable unicast passes by itself, after the IANA special-
 * purpose registries (RFC 6890 and its updates). A rule may list ranges that
 * pass nevertheless; 0.0.0.0/8, multicast and broadcast never do.
 */
#pragma once

#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct gbx_address {
        int family;        /* AF_INET or AF_INET6 */
        uint8_t bytes[16]; /* network order; IPv4 uses the first four */
};

struct gbx_address_range {
        struct gbx_address address;
        unsigned prefix; /* bits */
};

enum gbx_address_kind {
        GBX_ADDRESS_GLOBAL,
        GBX_ADDRESS_SPECIAL, /* private, loopback, link-local, metadata, …: only where a rule lists it */
        GBX_ADDRESS_NEVER,   /* unspecified, multicast, broadcast */
};

enum { GBX_ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN };

/* Strict: four decimal numbers without leading zeros, or RFC 4291 text without a zone. */
int gbx_address_parse(const char *text, struct gbx_address *ret, struct gbx_error *err);
/* "10.0.0.0/8", "fd00::/8", or one address. Bits behind the prefix must be zero. */
int gbx_address_range_parse(const char *text, struct gbx_address_range *ret, struct gbx_error *err);

void gbx_address_text(const struct gbx_address *address, char ret_text[static GBX_ADDRESS_TEXT_SIZE]);
/* An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is as special as what it carries. */
enum gbx_address_kind gbx_address_kind(const struct gbx_address *address);
bool gbx_address_in_range(const struct gbx_address *address, const struct gbx_address_range *range);
/* Global, or special and in one of `ranges`. */
bool gbx_address_allowed(const struct gbx_address *address, const struct gbx_address_range *ranges, size_t count);

int gbx_address_from_socket(const struct sockaddr *socket_address, struct gbx_address *ret, struct gbx_error *err);
socklen_t gbx_address_to_socket(const struct gbx_address *address, uint16_t port, struct sockaddr_storage *ret);
