/*
 * SOCKS version 5 (RFC 1928), the client's two messages
 *
 * Only "no authentication" and CONNECT: who may use the proxy is settled by
 * who can reach it. BIND and UDP ASSOCIATE are refused.
 */
#pragma once

#include "base/error.h"
#include "policy/host.h"

#include <stddef.h>
#include <stdint.h>

enum {
        GBX_SOCKS_VERSION = 5,
        GBX_SOCKS_REPLY_SIZE = 10,
        /* Replies of RFC 1928, 6. */
        GBX_SOCKS_OK = 0,
        GBX_SOCKS_FAILED = 1,
        GBX_SOCKS_NOT_ALLOWED = 2,
        GBX_SOCKS_UNREACHABLE = 4,
        GBX_SOCKS_COMMAND = 7,
        GBX_SOCKS_ADDRESS_TYPE = 8,
};

/* Both return 1: complete, `ret_length` bytes long; 0: more is needed; -EINVAL: not a message to be answered with success;
 * `ret_reply` then tells the reply. */
int gbx_socks_parse_greeting(const void *data, size_t size, size_t *ret_length, struct gbx_error *err);
int gbx_socks_parse_request(const void *data, size_t size, size_t *ret_length, struct gbx_authority *ret_authority,
                            int *ret_reply, struct gbx_error *err);

void gbx_socks_write_reply(int reply, uint8_t ret[static GBX_SOCKS_REPLY_SIZE]);
