/*
 * TLS of the proxy, on both sides
 *
 * Towards servers: TLS 1.2 or later, the chain verified against the configured
 * (or the system's) CAs, the name by RFC 6125, then the pinned keys. Towards
 * the job, where a rule inspects: a leaf certificate for the host, made when
 * it is first asked for and signed by the site's CA; all leaves share one key
 * that lives and dies with the process.
 */
#pragma once

#include "base/error.h"
#include "gateway/egress/config.h"
#include "policy/flow_refusal.h"

#include <openssl/ssl.h>

struct gbx_tls;

int gbx_tls_new(struct gbx_tls **ret, const struct gbx_egress_config *config, struct gbx_error *err);
struct gbx_tls *gbx_tls_free(struct gbx_tls *tls);

/* A client's side towards `host`, with the rule's client certificate if it names one. */
int gbx_tls_connect(struct gbx_tls *tls, const struct gbx_flow_rule *rule, const char *host, SSL **ret,
                    struct gbx_error *err);
/* After the handshake: NONE, CERTIFICATE or PIN. */
enum gbx_refusal gbx_tls_check_peer(const struct gbx_flow_rule *rule, SSL *ssl);

/* A server's side that shows the job a certificate for `host`. */
int gbx_tls_accept(struct gbx_tls *tls, const char *host, SSL **ret, struct gbx_error *err);

/* A new CA for a site: PEM texts, to be freed by the caller (the key with OPENSSL_cleanse before). */
int gbx_tls_make_authority(const char *name, char **ret_certificate, char **ret_key, struct gbx_error *err);
