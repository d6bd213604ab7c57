/*
 * Why a flow was refused or ended: one fixed vocabulary
 *
 * The codes go into the action log and, as text, to the job. They name the
 * check that failed, never the value that failed it.
 */
#pragma once

enum gbx_refusal {
        GBX_REFUSAL_NONE,
        /* No rule fits; the later in this list, the closer the nearest rule came. */
        GBX_REFUSAL_HOST,
        GBX_REFUSAL_PORT,
        GBX_REFUSAL_SCHEME,
        GBX_REFUSAL_WINDOW,
        GBX_REFUSAL_METHOD,
        GBX_REFUSAL_PATH,
        GBX_REFUSAL_REQUEST_TYPE,
        /* What was sent is not acceptable in itself. */
        GBX_REFUSAL_SYNTAX,
        GBX_REFUSAL_FRAMING,
        GBX_REFUSAL_TOO_LARGE,
        GBX_REFUSAL_UPGRADE,
        GBX_REFUSAL_DISAGREE,
        GBX_REFUSAL_HELLO,
        GBX_REFUSAL_SCAN,
        GBX_REFUSAL_SCAN_BLIND,
        /* The other side. */
        GBX_REFUSAL_RESOLVE,
        GBX_REFUSAL_ADDRESS,
        GBX_REFUSAL_CONNECT,
        GBX_REFUSAL_CERTIFICATE,
        GBX_REFUSAL_PIN,
        GBX_REFUSAL_RESPONSE,
        GBX_REFUSAL_RESPONSE_TYPE,
        /* Limits. */
        GBX_REFUSAL_QUOTA,
        GBX_REFUSAL_CONNECTIONS,
        GBX_REFUSAL_NAMES,
        GBX_REFUSAL_BREAKER,
        GBX_REFUSAL_TIMEOUT,
        GBX_REFUSAL_SLOW,
        GBX_REFUSAL_CUT,
        GBX_REFUSAL_ABORTED,
        GBX_REFUSAL_INTERNAL,
        GBX_REFUSAL_COUNT,
};

struct gbx_refusal_info {
        const char *code; /* in the log */
        const char *text; /* for the job */
        int status;       /* of HTTP (RFC 9110) */
};

/* Never NULL. */
const struct gbx_refusal_info *gbx_refusal_info(enum gbx_refusal refusal);
