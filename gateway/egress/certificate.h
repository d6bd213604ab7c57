/* X.509 work of the proxy: PEM texts, keys, certificates for hosts. */
#pragma once

#include "base/error.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

/* Records the first error of OpenSSL's queue behind the message, and empties the queue. Returns -EIO. */
int gbx_openssl_fail(struct gbx_error *err, const char *what);

int gbx_certificate_read(const char *pem, X509 **ret, struct gbx_error *err);
int gbx_private_key_read(const char *pem, EVP_PKEY **ret, struct gbx_error *err);
/* Adds every certificate of the text; -EINVAL if there is none. */
int gbx_certificates_add(const char *pem, X509_STORE *store, struct gbx_error *err);

/* P-256. */
int gbx_private_key_new(EVP_PKEY **ret, struct gbx_error *err);

/* A certificate over `key` for the DNS name or address `host` (or a CA of that name), signed by the issuer; NULL
 * issuer: self-signed. Valid from an hour ago for `days`. */
int gbx_certificate_new(X509 **ret, const char *host, bool authority, long days, EVP_PKEY *key, X509 *issuer,
                        EVP_PKEY *issuer_key, struct gbx_error *err);
