/*
 * Host names and authorities
 *
 * Names are ASCII letters, digits and hyphens in labels (RFC 1123), compared
 * in lower case. What looks like a number must be a strict dotted quad:
 * "127.1", "0x7f000001" and "2130706433" are names to some programs and
 * loopback to others, so they are nothing here.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GBX_HOST_SIZE = 254 }; /* longest name and a zero byte */

struct gbx_authority {
        char host[GBX_HOST_SIZE]; /* lower case; an IPv6 address without its brackets */
        uint16_t port;            /* 0: was not given */
        bool address;             /* `host` is an IP address */
};

/* "host", "host:port", "1.2.3.4:80", "[::1]:443". No user, no trailing dot, no empty port. */
int gbx_authority_parse(const char *text, size_t length, struct gbx_authority *ret, struct gbx_error *err);

/* A host name or IP address as above, in lower case. */
int gbx_host_parse(const char *text, size_t length, struct gbx_authority *ret, struct gbx_error *err);

/* A name; or "*.example.com", which stands for names with one label more or several, never for example.com itself;
 * or an IP address. A pattern needs two fixed labels. */
bool gbx_host_pattern_valid(const char *pattern);
bool gbx_host_matches(const char *pattern, const char *host);
