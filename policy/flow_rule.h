/*
 * Flow rules: what may leave a run, and where to
 *
 * A rule grants one kind of flow; what no rule grants is refused. Matching is
 * pure: (rules, request, time) → a rule or the reason why none fits. The rules
 * of a run come from its policy (docs/egress.md explains every field).
 *
 * With a scheme of https there are two ways:
 *   verify   the encrypted stream is passed through once the server name in the ClientHello agrees with the target
 *            and the server has shown a valid certificate for it; what is inside cannot be seen, so such a rule
 *            can't name methods, paths, types or a content scan
 *   inspect  the proxy ends TLS with a certificate of the site's CA, reads each request, and opens TLS of its own
 *            to the verified server
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "policy/address.h"
#include "policy/flow_refusal.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GBX_FLOW_MAX_RULES = 64 };

enum gbx_flow_scheme { GBX_FLOW_HTTP, GBX_FLOW_HTTPS, GBX_FLOW_TCP };
enum gbx_flow_tls { GBX_FLOW_TLS_VERIFY, GBX_FLOW_TLS_INSPECT };

struct gbx_flow_rule {
        char *name; /* gbx_name_valid, unique */
        int scheme; /* enum gbx_flow_scheme */
        char *host; /* pattern, see host.h */
        uint64_t port;

        /* Of HTTP that can be read; NULL: any method of GET and HEAD, any path, any type. */
        char **methods;
        char **paths;          /* prefixes; one that does not end in '/' matches whole segments only */
        char **request_types;  /* media types without parameters; a body needs one of them */
        char **response_types; /* of responses that have a body */
        bool scan;             /* request heads and bodies pass the content scan */
        bool hash_path;        /* the log gets SHA-256 of the path in place of the path */
        bool digest_responses; /* the log gets the digest of response bodies too (requests: always) */

        int tls;                     /* enum gbx_flow_tls */
        uint8_t (*pins)[GBX_SHA256_SIZE]; /* SHA-256 of the server's SubjectPublicKeyInfo; one must fit */
        size_t pin_count;
        char *client_certificate; /* name in the configuration: the proxy shows it to the server */

        struct gbx_address_range *addresses; /* special ranges the host may resolve to */
        size_t address_count;

        /* Limits; 0: none, where it says so. */
        uint64_t body_bytes;         /* of one request; default 1 MiB */
        uint64_t request_bytes;      /* of the run: what was sent, heads too; default 16 MiB */
        uint64_t response_bytes;     /* of the run; default 256 MiB */
        uint64_t request_bytes_day;  /* of everybody whom the configuration counts together; 0: none */
        uint64_t response_bytes_day; /* 0: none */
        uint64_t rate;               /* bytes a second in each direction; 0: none */
        uint64_t connections;        /* at a time; default 64 */
        uint64_t connections_run;    /* in the run; 0: none */
        uint64_t connections_day;    /* as request_bytes_day; 0: none */
        uint64_t names;              /* different host names under a wildcard; default 16 */
        uint64_t breaker_failures;   /* refusals and failures in a minute that open the breaker; default 20, 0: none */

        uint8_t days;            /* bit 0 Monday … bit 6 Sunday, UTC; 0x7f: all */
        uint16_t from, to;       /* minutes of the day, UTC, [from, to); from > to goes over midnight; equal: whole day */
};

struct gbx_flow_rules {
        struct gbx_flow_rule *rules;
        size_t count;
};

/* What is asked for. Fields that are not known yet are NULL and fit every rule. */
struct gbx_flow_request {
        const char *host; /* lower case */
        uint16_t port;
        const int *scheme; /* enum gbx_flow_scheme; NULL: a tunnel, before its first byte */
        const char *method;
        const char *path;         /* without the query */
        const char *request_type; /* media type in lower case without parameters; "" for a body without one */
        int64_t now;              /* seconds since 1970 */
};

/* From a JSON array of rules; strict. */
int gbx_flow_rules_parse(struct gbx_flow_rules *ret, const json_t *json, struct gbx_error *err);
void gbx_flow_rules_free(struct gbx_flow_rules *rules);

/* The first rule that fits: NULL if none does, with the nearest reason in `ret_refusal`. Rules after the first that
 * fits host and port count only if their scheme and TLS mode are the same, so that a tunnel has one meaning. */
const struct gbx_flow_rule *gbx_flow_match(const struct gbx_flow_rules *rules, const struct gbx_flow_request *request,
                                           enum gbx_refusal *ret_refusal);

/* Whether a response of this media type may pass. */
bool gbx_flow_response_type_allowed(const struct gbx_flow_rule *rule, const char *media_type);
/* Whether the proxy sees requests (HTTP, or TLS that it inspects) and not just a stream. */
bool gbx_flow_readable(const struct gbx_flow_rule *rule);
/* Whether the rule holds at this time. */
bool gbx_flow_in_window(const struct gbx_flow_rule *rule, int64_t now);
