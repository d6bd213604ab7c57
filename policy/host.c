#include "policy/host.h"

#include "policy/address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

static bool name_valid(const char *name) {
        size_t label = 0;

        for (const char *c = name;; c++) {
                if (*c == '.' || *c == '\0') {
                        if (label == 0 || label > 63 || c[-1] == '-')
                                return false;
                        label = 0;
                        if (*c == '\0')
                                return true;
                        continue;
                }
                /* Underscores are not host names, but real services use them. */
                if (!is_letter_or_digit(*c) && *c != '_' && (*c != '-' || label == 0))
                        return false;
                label++;
        }
}

/* Whether resolvers may take the last label for a number (WHATWG URL, "ends in a number"). */
static bool ends_in_number(const char *name) {
        const char *last = strrchr(name, '.');

        last = last ? last + 1 : name;
        if (last[0] == '0' && last[1] == 'x')
                return true;
        return last[strspn(last, "0123456789")] == '\0';
}

int gbx_host_parse(const char *text, size_t length, struct gbx_authority *ret, struct gbx_error *err) {
        struct gbx_authority authority = {};
        struct gbx_address address;
        bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';

        if (bracketed)
                text++, length -= 2;
        if (length == 0 || length >= sizeof authority.host || memchr(text, 0, length))
                return gbx_fail(err, -EINVAL, "a host name has 1 to %d characters", GBX_HOST_SIZE - 1);
        for (size_t i = 0; i < length; i++)
                authority.host[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
        if (gbx_address_parse(authority.host, &address, NULL) == 0) {
                if (bracketed != (address.family == AF_INET6))
                        return gbx_fail(err, -EINVAL, "an IPv6 address, and nothing else, stands in brackets");
                gbx_address_text(&address, authority.host);
                authority.address = true;
        } else if (bracketed || !name_valid(authority.host) || ends_in_number(authority.host)) {
                return gbx_fail(err, -EINVAL, "this is not a host name");
        }
        *ret = authority;
        return 0;
}

int gbx_authority_parse(const char *text, size_t length, struct gbx_authority *ret, struct gbx_error *err) {
        struct gbx_authority authority;
        size_t end = length;
        uint32_t port = 0;
        int r;

        while (end > 0 && isdigit((unsigned char)text[end - 1]))
                end--;
        if (end > 0 && text[end - 1] == ':' && !(text[0] != '[' && memchr(text, ':', end - 1))) {
                if (end == length || length - end > 5 || text[end] == '0')
                        return gbx_fail(err, -EINVAL, "a port is a number from 1 to 65535");
                for (size_t i = end; i < length; i++)
                        port = port * 10 + (uint32_t)(text[i] - '0');
                if (port > UINT16_MAX)
                        return gbx_fail(err, -EINVAL, "a port is a number from 1 to 65535");
                length = end - 1;
        }
        r = gbx_host_parse(text, length, &authority, err);
        if (r < 0)
                return r;
        authority.port = (uint16_t)port;
        *ret = authority;
        return 0;
}

bool gbx_host_pattern_valid(const char *pattern) {
        struct gbx_authority authority;
        const char *name = pattern;
        char bracketed[GBX_ADDRESS_TEXT_SIZE + 2];

        if (strncmp(pattern, "*.", 2) == 0) {
                name = pattern + 2;
                return strchr(name, '.') && gbx_host_parse(name, strlen(name), &authority, NULL) == 0 &&
                       !authority.address && strcmp(authority.host, name) == 0;
        }
        if (strchr(name, ':') && strlen(name) < GBX_ADDRESS_TEXT_SIZE) {
                (void)snprintf(bracketed, sizeof bracketed, "[%s]", name);
                name = bracketed;
        }
        return gbx_host_parse(name, strlen(name), &authority, NULL) == 0 && strcmp(authority.host, pattern) == 0;
}

bool gbx_host_matches(const char *pattern, const char *host) {
        size_t host_length = strlen(host), tail;

        if (strncmp(pattern, "*.", 2) != 0)
                return strcmp(pattern, host) == 0;
        tail = strlen(pattern) - 1; /* ".example.com" */
        return host_length > tail && strcmp(host + host_length - tail, pattern + 1) == 0;
}
