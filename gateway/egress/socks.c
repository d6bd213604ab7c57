#include "gateway/egress/socks.h"

#include "policy/address.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
        NO_AUTHENTICATION = 0,
        COMMAND_CONNECT = 1,
        TYPE_IPV4 = 1,
        TYPE_NAME = 3,
        TYPE_IPV6 = 4,
};

int gbx_socks_parse_greeting(const void *data, size_t size, size_t *ret_length, struct gbx_error *err) {
        const uint8_t *bytes = data;

        if (size >= 1 && bytes[0] != GBX_SOCKS_VERSION)
                return gbx_fail(err, -EINVAL, "not version 5 of SOCKS");
        if (size >= 2 && bytes[1] == 0)
                return gbx_fail(err, -EINVAL, "the client offers no method");
        if (size < 2 || size < 2U + bytes[1])
                return 0;
        if (!memchr(bytes + 2, NO_AUTHENTICATION, bytes[1]))
                return gbx_fail(err, -EINVAL, "the client does not offer to go without authentication");
        *ret_length = 2U + bytes[1];
        return 1;
}

static int parse_address(int family, const uint8_t *bytes, struct gbx_authority *ret, struct gbx_error *err) {
        struct gbx_address address = { .family = family };
        char text[GBX_ADDRESS_TEXT_SIZE], bracketed[GBX_ADDRESS_TEXT_SIZE + 2];

        memcpy(address.bytes, bytes, family == AF_INET ? 4 : 16);
        gbx_address_text(&address, text);
        (void)snprintf(bracketed, sizeof bracketed, family == AF_INET ? "%s" : "[%s]", text);
        return gbx_host_parse(bracketed, strlen(bracketed), ret, err);
}

int gbx_socks_parse_request(const void *data, size_t size, size_t *ret_length, struct gbx_authority *ret_authority,
                            int *ret_reply, struct gbx_error *err) {
        const uint8_t *bytes = data;
        struct gbx_authority authority = {};
        size_t address = 0, port;
        int r = 0;

        *ret_reply = GBX_SOCKS_FAILED;
        if (size < 5)
                return 0;
        if (bytes[0] != GBX_SOCKS_VERSION || bytes[2] != 0)
                return gbx_fail(err, -EINVAL, "not a request of version 5 of SOCKS");
        if (bytes[1] != COMMAND_CONNECT) {
                *ret_reply = GBX_SOCKS_COMMAND;
                return gbx_fail(err, -EINVAL, "a command other than CONNECT");
        }
        if (bytes[3] == TYPE_IPV4)
                address = 4;
        else if (bytes[3] == TYPE_IPV6)
                address = 16;
        else if (bytes[3] == TYPE_NAME)
                address = 1U + bytes[4];
        if (address == 0) {
                *ret_reply = GBX_SOCKS_ADDRESS_TYPE;
                return gbx_fail(err, -EINVAL, "an unknown type of address");
        }
        port = 4 + address;
        if (size < port + 2)
                return 0;
        if (bytes[3] == TYPE_NAME)
                r = gbx_host_parse((const char *)bytes + 5, bytes[4], &authority, err);
        else
                r = parse_address(bytes[3] == TYPE_IPV4 ? AF_INET : AF_INET6, bytes + 4, &authority, err);
        if (r < 0)
                return r;
        authority.port = (uint16_t)(bytes[port] << 8 | bytes[port + 1]);
        if (authority.port == 0)
                return gbx_fail(err, -EINVAL, "port 0");
        *ret_authority = authority;
        *ret_length = port + 2;
        return 1;
}

void gbx_socks_write_reply(int reply, uint8_t ret[static GBX_SOCKS_REPLY_SIZE]) {
        memset(ret, 0, GBX_SOCKS_REPLY_SIZE);
        ret[0] = GBX_SOCKS_VERSION;
        ret[1] = (uint8_t)reply;
        ret[3] = TYPE_IPV4;
}
