#include "policy/address.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct special_range {
        const char *range;
        enum gbx_address_kind kind;
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-; what is not listed is global. */
static const struct special_range special_ranges[] = {
        { "0.0.0.0/8", GBX_ADDRESS_NEVER },          /* "this network"; connects to the own host */
        { "10.0.0.0/8", GBX_ADDRESS_SPECIAL },       /* private use */
        { "100.64.0.0/10", GBX_ADDRESS_SPECIAL },    /* shared address space; a cloud's metadata lives there too */
        { "127.0.0.0/8", GBX_ADDRESS_SPECIAL },      /* loopback */
        { "169.254.0.0/16", GBX_ADDRESS_SPECIAL },   /* link-local, metadata services */
        { "172.16.0.0/12", GBX_ADDRESS_SPECIAL },    /* private use */
        { "192.0.0.0/24", GBX_ADDRESS_SPECIAL },     /* IETF protocol assignments */
        { "192.0.2.0/24", GBX_ADDRESS_SPECIAL },     /* documentation */
        { "192.88.99.0/24", GBX_ADDRESS_SPECIAL },   /* 6to4 relay anycast */
        { "192.168.0.0/16", GBX_ADDRESS_SPECIAL },   /* private use */
        { "198.18.0.0/15", GBX_ADDRESS_SPECIAL },    /* benchmarking */
        { "198.51.100.0/24", GBX_ADDRESS_SPECIAL },  /* documentation */
        { "203.0.113.0/24", GBX_ADDRESS_SPECIAL },   /* documentation */
        { "224.0.0.0/4", GBX_ADDRESS_NEVER },        /* multicast */
        { "255.255.255.255/32", GBX_ADDRESS_NEVER }, /* broadcast */
        { "240.0.0.0/4", GBX_ADDRESS_SPECIAL },      /* reserved */
        { "::/128", GBX_ADDRESS_NEVER },             /* unspecified */
        { "::1/128", GBX_ADDRESS_SPECIAL },          /* loopback */
        { "ff00::/8", GBX_ADDRESS_NEVER },           /* multicast */
        { "2001::/23", GBX_ADDRESS_SPECIAL },        /* IETF protocol assignments, Teredo */
        { "2001:db8::/32", GBX_ADDRESS_SPECIAL },    /* documentation */
        { "3fff::/20", GBX_ADDRESS_SPECIAL },        /* documentation */
};

int gbx_address_parse(const char *text, struct gbx_address *ret, struct gbx_error *err) {
        struct gbx_address address = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

        /* inet_pton takes exactly the strict forms: no octal, no short forms, no zone. */
        if (inet_pton(address.family, text, address.bytes) != 1)
                return gbx_fail(err, -EINVAL, "'%.64s' is not an IP address", text);
        *ret = address;
        return 0;
}

static unsigned address_bits(const struct gbx_address *address) { return address->family == AF_INET ? 32 : 128; }

bool gbx_address_in_range(const struct gbx_address *address, const struct gbx_address_range *range) {
        unsigned whole = range->prefix / 8, rest = range->prefix % 8;

        if (address->family != range->address.family || memcmp(address->bytes, range->address.bytes, whole) != 0)
                return false;
        return rest == 0 || (address->bytes[whole] ^ range->address.bytes[whole]) >> (8 - rest) == 0;
}

int gbx_address_range_parse(const char *text, struct gbx_address_range *ret, struct gbx_error *err) {
        char address[GBX_ADDRESS_TEXT_SIZE];
        const char *slash = strchr(text, '/');
        size_t length = slash ? (size_t)(slash - text) : strlen(text);
        struct gbx_address_range range;
        uint64_t prefix;
        int r;

        if (length >= sizeof address)
                return gbx_fail(err, -EINVAL, "'%.64s' is not an address range", text);
        memcpy(address, text, length);
        address[length] = '\0';
        r = gbx_address_parse(address, &range.address, err);
        if (r < 0)
                return r;
        prefix = address_bits(&range.address);
        if (slash) {
                r = gbx_parse_u64(slash + 1, &prefix, err);
                if (r < 0 || prefix > address_bits(&range.address))
                        return gbx_fail(err, -EINVAL, "'%.64s' is not an address range", text);
        }
        range.prefix = (unsigned)prefix;
        for (unsigned bit = range.prefix; bit < address_bits(&range.address); bit++)
                if (range.address.bytes[bit / 8] & (0x80 >> bit % 8))
                        return gbx_fail(err, -EINVAL, "'%.64s' has bits set behind its prefix", text);
        *ret = range;
        return 0;
}

void gbx_address_text(const struct gbx_address *address, char ret_text[static GBX_ADDRESS_TEXT_SIZE]) {
        if (!inet_ntop(address->family, address->bytes, ret_text, GBX_ADDRESS_TEXT_SIZE))
                (void)snprintf(ret_text, GBX_ADDRESS_TEXT_SIZE, "?");
}

/* The IPv4 address inside an IPv6 one, by its place. */
static bool embedded(const struct gbx_address *address, struct gbx_address *ret) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };       /* ::ffff:0:0/96 */
        static const uint8_t compatible[12] = { 0 };                          /* ::/96, deprecated */
        static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };          /* 64:ff9b::/96 */
        static const uint8_t six_to_four[2] = { 0x20, 0x02 };                 /* 2002::/16 */
        size_t place = 12;

        if (address->family != AF_INET6)
                return false;
        if (memcmp(address->bytes, six_to_four, sizeof six_to_four) == 0)
                place = 2;
        else if (memcmp(address->bytes, mapped, 12) != 0 && memcmp(address->bytes, compatible, 12) != 0 &&
                 memcmp(address->bytes, nat64, 12) != 0)
                return false;
        *ret = (struct gbx_address){ .family = AF_INET };
        memcpy(ret->bytes, address->bytes + place, 4);
        return true;
}

enum gbx_address_kind gbx_address_kind(const struct gbx_address *address) {
        struct gbx_address inner;

        for (size_t i = 0; i < gbx_array_size(special_ranges); i++) {
                struct gbx_address_range range;

                if (gbx_address_range_parse(special_ranges[i].range, &range, NULL) == 0 &&
                    gbx_address_in_range(address, &range))
                        return special_ranges[i].kind;
        }
        if (address->family == AF_INET)
                return GBX_ADDRESS_GLOBAL;
        if (embedded(address, &inner)) {
                enum gbx_address_kind kind = gbx_address_kind(&inner);

                return kind == GBX_ADDRESS_GLOBAL ? GBX_ADDRESS_SPECIAL : kind;
        }
        /* Of IPv6 only 2000::/3 is global unicast (RFC 4291 2.4): loopback, fe80::/10, fc00::/7 fall out here. */
        return address->bytes[0] >> 5 == 1 ? GBX_ADDRESS_GLOBAL : GBX_ADDRESS_SPECIAL;
}

bool gbx_address_allowed(const struct gbx_address *address, const struct gbx_address_range *ranges, size_t count) {
        switch (gbx_address_kind(address)) {
        case GBX_ADDRESS_GLOBAL:
                return true;
        case GBX_ADDRESS_SPECIAL:
                for (size_t i = 0; i < count; i++)
                        if (gbx_address_in_range(address, &ranges[i]))
                                return true;
                return false;
        case GBX_ADDRESS_NEVER:
        default:
                return false;
        }
}

int gbx_address_from_socket(const struct sockaddr *socket_address, struct gbx_address *ret, struct gbx_error *err) {
        struct gbx_address address = { .family = socket_address->sa_family };

        if (address.family == AF_INET) {
                struct sockaddr_in in;

                memcpy(&in, socket_address, sizeof in);
                memcpy(address.bytes, &in.sin_addr, 4);
        } else if (address.family == AF_INET6) {
                struct sockaddr_in6 in6;

                memcpy(&in6, socket_address, sizeof in6);
                memcpy(address.bytes, &in6.sin6_addr, 16);
        } else {
                return gbx_fail(err, -EINVAL, "address family %d is not an IP family", address.family);
        }
        *ret = address;
        return 0;
}

socklen_t gbx_address_to_socket(const struct gbx_address *address, uint16_t port, struct sockaddr_storage *ret) {
        *ret = (struct sockaddr_storage){};
        if (address->family == AF_INET) {
                struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

                memcpy(&in.sin_addr, address->bytes, 4);
                memcpy(ret, &in, sizeof in);
                return sizeof in;
        } else {
                struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

                memcpy(&in6.sin6_addr, address->bytes, 16);
                memcpy(ret, &in6, sizeof in6);
                return sizeof in6;
        }
}
