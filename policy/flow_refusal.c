#include "policy/flow_refusal.h"

#include "base/cleanup.h"

static const struct gbx_refusal_info table[GBX_REFUSAL_COUNT] = {
        [GBX_REFUSAL_NONE] = { "none", "allowed", 200 },
        [GBX_REFUSAL_HOST] = { "host", "no rule allows this host", 403 },
        [GBX_REFUSAL_PORT] = { "port", "no rule allows this port of the host", 403 },
        [GBX_REFUSAL_SCHEME] = { "scheme", "no rule allows this protocol to the host", 403 },
        [GBX_REFUSAL_WINDOW] = { "window", "the rule does not hold at this time", 403 },
        [GBX_REFUSAL_METHOD] = { "method", "the rule does not allow this method", 403 },
        [GBX_REFUSAL_PATH] = { "path", "the rule does not allow this path", 403 },
        [GBX_REFUSAL_REQUEST_TYPE] = { "request-type", "the rule does not allow this type of content", 415 },
        [GBX_REFUSAL_SYNTAX] = { "syntax", "the request is not well-formed", 400 },
        [GBX_REFUSAL_FRAMING] = { "framing", "the length of the body is ambiguous", 400 },
        [GBX_REFUSAL_TOO_LARGE] = { "too-large", "the request is too large", 413 },
        [GBX_REFUSAL_UPGRADE] = { "upgrade", "changing the protocol is not allowed", 403 },
        [GBX_REFUSAL_DISAGREE] = { "disagree", "target, Host and server name do not agree", 421 },
        [GBX_REFUSAL_HELLO] = { "hello", "this is not a plain TLS ClientHello with a server name", 400 },
        [GBX_REFUSAL_SCAN] = { "scan", "the content scan found what must not leave", 403 },
        [GBX_REFUSAL_SCAN_BLIND] = { "scan-blind", "the body is encoded so that it cannot be scanned", 415 },
        [GBX_REFUSAL_RESOLVE] = { "resolve", "the host name does not resolve", 502 },
        [GBX_REFUSAL_ADDRESS] = { "address", "the host resolves to an address that is not allowed", 403 },
        [GBX_REFUSAL_CONNECT] = { "connect", "the host cannot be reached", 502 },
        [GBX_REFUSAL_CERTIFICATE] = { "certificate", "the certificate of the host is not valid", 502 },
        [GBX_REFUSAL_PIN] = { "pin", "the key of the host is not the pinned one", 502 },
        [GBX_REFUSAL_RESPONSE] = { "response", "the response is not well-formed", 502 },
        [GBX_REFUSAL_RESPONSE_TYPE] = { "response-type", "the rule does not allow this type of response", 502 },
        [GBX_REFUSAL_QUOTA] = { "quota", "the quota is used up", 429 },
        [GBX_REFUSAL_CONNECTIONS] = { "connections", "too many connections", 429 },
        [GBX_REFUSAL_NAMES] = { "names", "too many different host names for one rule", 429 },
        [GBX_REFUSAL_BREAKER] = { "breaker", "a circuit breaker is open", 503 },
        [GBX_REFUSAL_TIMEOUT] = { "timeout", "time is up", 408 },
        [GBX_REFUSAL_SLOW] = { "slow", "too slow", 408 },
        [GBX_REFUSAL_CUT] = { "cut", "an administrator cut the flow", 503 },
        [GBX_REFUSAL_ABORTED] = { "aborted", "the connection broke", 502 },
        [GBX_REFUSAL_INTERNAL] = { "internal", "the proxy cannot do this now", 503 },
};

const struct gbx_refusal_info *gbx_refusal_info(enum gbx_refusal refusal) {
        if ((unsigned)refusal >= gbx_array_size(table))
                refusal = GBX_REFUSAL_INTERNAL;
        return &table[refusal];
}
