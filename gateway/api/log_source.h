/* Which log an operation of `audit` is about: that of the field `log`, else the site's (gateway/audit/source.h). */
#pragma once

#include "gateway/api/operation.h"
#include "gateway/api/session.h"
#include "gateway/log/format/note_key.h"
#include "gateway/log/format/witness_policy.h"

struct gbx_api_log {
        char *path; /* of the folder */
        bool given; /* by the field `log` */
        bool own;   /* it is a site's own, and session.site_path is that site */
};

int gbx_api_log_find(struct gbx_session *session, const json_t *request, struct gbx_api_log *ret, struct gbx_error *err);
void gbx_api_log_free(struct gbx_api_log *log);

/* The same, and asks the site for the right, where the log is one's own. */
int gbx_api_log_open(struct gbx_session *session, const json_t *request, const char *action, struct gbx_api_log *ret,
                     struct gbx_error *err);

/* The key to verify with: the field `vkey`, else the site's. The key of a log is not taken from the log itself. */
int gbx_api_log_verifier(struct gbx_session *session, const json_t *request, struct gbx_note_verifier *ret, struct gbx_error *err);

/* `*ret` stays NULL without the field `witness-policy`. */
int gbx_api_witness_policy(const json_t *request, struct gbx_witness_policy **ret, struct gbx_error *err);

#define GBX_LOG_FIELD { .name = "log", .type = GBX_FIELD_PATH, .value = "DIR", .help = "a log's directory (default: the site's)" }
#define GBX_VKEY_FIELD { .name = "vkey", .value = "KEY", .help = "the log's verifier key, NAME+HEX+BASE64 (default: the site's)" }
#define GBX_ORIGIN_FIELD { .name = "origin", .value = "TEXT", .help = "the log's origin (default: the name of the key)" }
#define GBX_WITNESS_FIELD                                                                           \
        { .name = "witness-policy", .type = GBX_FIELD_DOCUMENT, .value = "FILE",                    \
          .help = "require the cosignatures of this policy (tlog-policy)" }
