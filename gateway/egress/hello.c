#include "gateway/egress/hello.h"

#include <stdbool.h>
#include <string.h>

enum {
        RECORD_HEADER = 5,
        RECORD_LIMIT = 1 << 14,
        CONTENT_HANDSHAKE = 22,
        HANDSHAKE_HEADER = 4,
        HANDSHAKE_CLIENT_HELLO = 1,
        EXTENSION_SERVER_NAME = 0,
        EXTENSION_ENCRYPTED_HELLO = 0xfe0d,
        EXTENSION_OLD_ENCRYPTED_NAME = 0xffce,
        NAME_TYPE_HOST = 0,
};

/* A run of bytes that is eaten from its front; `bad` once something was longer than the rest. */
struct cursor {
        const uint8_t *data;
        size_t size;
        bool bad;
};

static uint32_t take_number(struct cursor *cursor, size_t bytes) {
        uint32_t value = 0;

        if (cursor->bad || cursor->size < bytes) {
                cursor->bad = true;
                return 0;
        }
        for (size_t i = 0; i < bytes; i++)
                value = value << 8 | cursor->data[i];
        cursor->data += bytes;
        cursor->size -= bytes;
        return value;
}

static struct cursor take_bytes(struct cursor *cursor, size_t size) {
        struct cursor part = { cursor->data, size, false };

        if (cursor->bad || cursor->size < size) {
                cursor->bad = true;
                return (struct cursor){ .bad = true };
        }
        cursor->data += size;
        cursor->size -= size;
        return part;
}

/* A vector with its length in front (RFC 8446, 3.4). */
static struct cursor take_vector(struct cursor *cursor, size_t length_bytes) {
        return take_bytes(cursor, take_number(cursor, length_bytes));
}

static int parse_server_name(struct cursor extension, char ret_name[static GBX_HOST_SIZE], struct gbx_error *err) {
        struct cursor list = take_vector(&extension, 2), name;
        struct gbx_authority host;
        uint32_t type = take_number(&list, 1);
        int r;

        name = take_vector(&list, 2);
        if (name.bad || list.size > 0 || extension.size > 0 || type != NAME_TYPE_HOST || *ret_name)
                return gbx_fail(err, -EINVAL, "the hello does not have exactly one host name");
        r = gbx_host_parse((const char *)name.data, name.size, &host, err);
        if (r < 0)
                return gbx_context(err, r, "server name");
        if (host.address)
                return gbx_fail(err, -EINVAL, "the server name is an address");
        memcpy(ret_name, host.host, sizeof host.host);
        return 0;
}

static int parse_extensions(struct cursor *extensions, struct gbx_hello *hello, struct gbx_error *err) {
        while (!extensions->bad && extensions->size > 0) {
                uint32_t type = take_number(extensions, 2);
                struct cursor extension = take_vector(extensions, 2);
                int r = 0;

                if (extension.bad)
                        break;
                if (type == EXTENSION_ENCRYPTED_HELLO || type == EXTENSION_OLD_ENCRYPTED_NAME)
                        return gbx_fail(err, -EINVAL, "the hello has an encrypted hello inside");
                if (type == EXTENSION_SERVER_NAME)
                        r = parse_server_name(extension, hello->server_name, err);
                if (r < 0)
                        return r;
        }
        if (extensions->bad)
                return gbx_fail(err, -EINVAL, "an extension of the hello is longer than the hello");
        if (!*hello->server_name)
                return gbx_fail(err, -EINVAL, "the hello has no server name");
        return 0;
}

static int parse_body(struct cursor body, struct gbx_hello *hello, struct gbx_error *err) {
        struct cursor extensions, ciphers;
        uint32_t version = take_number(&body, 2);

        (void)take_bytes(&body, 32); /* random */
        (void)take_vector(&body, 1); /* session id */
        ciphers = take_vector(&body, 2);
        (void)take_vector(&body, 1); /* compression methods */
        extensions = take_vector(&body, 2);
        if (body.bad || body.size > 0 || ciphers.size < 2 || version < 0x0301 || version > 0x0304)
                return gbx_fail(err, -EINVAL, "the hello is malformed");
        return parse_extensions(&extensions, hello, err);
}

/* Puts the handshake message together from its records. */
static int join_records(struct cursor stream, uint8_t *message, size_t *ret_size, size_t *ret_need, size_t *ret_used,
                        struct gbx_error *err) {
        const uint8_t *start = stream.data;
        size_t size = 0, need = HANDSHAKE_HEADER;

        while (size < need) {
                uint32_t type, version, length;

                if (stream.size >= 1 && stream.data[0] != CONTENT_HANDSHAKE)
                        return gbx_fail(err, -EINVAL, "not a TLS handshake");
                if (stream.size < RECORD_HEADER)
                        return 0;
                type = take_number(&stream, 1);
                version = take_number(&stream, 2);
                length = take_number(&stream, 2);
                if (type != CONTENT_HANDSHAKE || version >> 8 != 3 || length == 0 || length > RECORD_LIMIT ||
                    size + length > GBX_HELLO_LIMIT)
                        return gbx_fail(err, -EINVAL, "not a TLS handshake, or too long a one");
                if (stream.size < length)
                        return 0;
                memcpy(message + size, stream.data, length);
                (void)take_bytes(&stream, length);
                size += length;
                if (size >= HANDSHAKE_HEADER) {
                        if (message[0] != HANDSHAKE_CLIENT_HELLO)
                                return gbx_fail(err, -EINVAL, "the handshake does not begin with a ClientHello");
                        need = HANDSHAKE_HEADER + ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
                        if (need > GBX_HELLO_LIMIT)
                                return gbx_fail(err, -EINVAL, "the hello is longer than %d bytes", GBX_HELLO_LIMIT);
                }
        }
        *ret_size = size;
        *ret_need = need;
        *ret_used = (size_t)(stream.data - start);
        return 1;
}

int gbx_hello_parse(const void *data, size_t size, struct gbx_hello *ret, struct gbx_error *err) {
        uint8_t message[GBX_HELLO_LIMIT];
        struct gbx_hello hello = {};
        size_t message_size = 0, need = 0;
        int r;

        r = join_records((struct cursor){ data, size, false }, message, &message_size, &need, &hello.length, err);
        if (r < 0)
                return r;
        if (r == 0) {
                /* Records so cut up that framing alone fills the limit are no client's habit. */
                if (size > 2UL * GBX_HELLO_LIMIT)
                        return gbx_fail(err, -EINVAL, "the hello is longer than %d bytes", GBX_HELLO_LIMIT);
                return 0;
        }
        if (message_size != need)
                return gbx_fail(err, -EINVAL, "bytes behind the hello in its record");
        r = parse_body((struct cursor){ message + HANDSHAKE_HEADER, need - HANDSHAKE_HEADER, false }, &hello, err);
        if (r < 0)
                return r;
        *ret = hello;
        return 1;
}
