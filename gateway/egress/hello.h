/*
 * The server name in a TLS ClientHello (RFC 8446, RFC 6066)
 *
 * Reads the records of a client's first flight, however they are cut up, and
 * finds the one host name. A hello without a name, with two, with an address
 * in its place, or with an encrypted inner hello (ECH) is refused: the proxy
 * could not tell where the stream goes.
 */
#pragma once

#include "base/error.h"
#include "policy/host.h"

#include <stddef.h>
#include <stdint.h>

enum { GBX_HELLO_LIMIT = 16 * 1024 }; /* bytes of records looked at */

struct gbx_hello {
        char server_name[GBX_HOST_SIZE]; /* lower case */
        size_t length;                   /* bytes of the records that make up the hello */
};

/* 1: found; 0: more bytes are needed; -EINVAL: not acceptable. */
int gbx_hello_parse(const void *data, size_t size, struct gbx_hello *ret, struct gbx_error *err);
