/*
 * What gbx-egress is told at its start: one JSON object on a descriptor
 *
 *   {
 *     "version": 1,
 *     "run": "run-000123", "analyst": "bank-a", "purpose": "scoring", "datasets": ["credit"],
 *     "listen": [4],                 descriptors: listening TCP sockets of the run's gateway namespace
 *     "events": 5,                   descriptor: JSON lines, one an event (docs/egress.md)
 *     "control": 6,                  descriptor: listening unix socket for `gbx flows`; optional
 *     "rules": [ … ],                policy/flow_rule.h
 *     "nameservers": ["10.0.0.53"],  optional: /etc/resolv.conf
 *     "hosts": {"api.example.com": "203.0.113.7"},     names that are not asked of DNS; checked all the same
 *     "aliases": {"198.18.0.1": "api.example.com"},    addresses by which programs without a proxy setting mean a name
 *     "authority": {"certificate": PEM, "key": PEM},   the site's CA; needed where a rule inspects
 *     "trust": PEM,                  CAs that servers are verified against; optional: the system's
 *     "client-certificates": {"bank": {"certificate": PEM, "key": PEM}},
 *     "scan-rules": YAML,            gateway/gate/scan.h; needed where a rule scans
 *     "scan-values": {"identity": ["…"]},               exact values that must not leave, by rule name
 *     "scan-tokens": 7,              descriptor: identifiers of the datasets, which must not leave (tokens.h); optional
 *     "used-today": {"scores": {"request-bytes": 0, "response-bytes": 0, "connections": 0}},     by rule
 *     "quotas": [{"request-bytes": 0, "response-bytes": 0, "connections": 0, "used": {…}}],      of the day, over all rules;
 *                                    0: no limit; "used" as above, by whomever the gateway counts together
 *     "limits": {"connections": 2048, "head-ms": 10000, "idle-ms": 60000, "connect-ms": 10000,
 *                "duration-ms": 3600000, "minimum-rate": 64, "failures": 500},
 *     "confine": true
 *   }
 *
 * Strict: unknown and duplicate fields are refused with their path. It has keys: it is zeroed when it is freed.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/egress/account.h"
#include "policy/flow_rule.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { GBX_EGRESS_CONFIG_LIMIT = 16 * 1024 * 1024, GBX_EGRESS_MAX_LISTENERS = 4, GBX_EGRESS_MAX_QUOTAS = 128 };

/* What closes all flows of the run while it goes on, and for which reason. */
enum { GBX_EGRESS_SIGNAL_BREAKER = SIGUSR1, GBX_EGRESS_SIGNAL_QUOTA = SIGUSR2 };

struct gbx_egress_limits {
        uint64_t connections;  /* of clients, at a time */
        uint64_t head_ms;      /* for a whole head, hello or SOCKS message */
        uint64_t idle_ms;      /* without a byte in either direction */
        uint64_t connect_ms;   /* resolving, connecting, TLS */
        uint64_t duration_ms;  /* of one exchange or tunnel */
        uint64_t minimum_rate; /* bytes a second that a request's body must average after its first ten seconds */
        uint64_t failures;     /* refusals and failures in a minute that stop the whole run's flows; 0: none */
};

struct gbx_egress_config {
        char *run, *analyst, *purpose;
        char **datasets;
        int listen[GBX_EGRESS_MAX_LISTENERS];
        size_t listen_count;
        uint64_t events, control, scan_tokens; /* the last two: UINT64_MAX without one */
        struct gbx_flow_rules rules;
        struct gbx_quota *quotas;
        size_t quota_count;
        char **nameservers;
        const json_t *hosts, *aliases, *client_certificates, *scan_values, *used_today; /* objects or NULL, checked */
        char *authority_certificate, *authority_key;
        char *trust;
        char *scan_rules;
        struct gbx_egress_limits limits;
        bool confine;

        json_t *json; /* what the borrowed members are part of */
};

int gbx_egress_config_parse(struct gbx_egress_config *ret, const void *data, size_t size, struct gbx_error *err);
/* "used" of a rule or quota, NULL: nothing. False if it is not one. */
bool gbx_egress_day_use(const json_t *used, struct gbx_day_use *ret);
/* Reads `fd` to its end, and parses. */
int gbx_egress_config_read(struct gbx_egress_config *ret, int fd, struct gbx_error *err);
void gbx_egress_config_free(struct gbx_egress_config *config);
