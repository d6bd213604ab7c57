#include "gateway/egress/certificate.h"

#include "base/cleanup.h"
#include "policy/address.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { SERIAL_SIZE = 16, HOUR_SECONDS = 3600, COMMON_NAME_LIMIT = 64 };

int gbx_openssl_fail(struct gbx_error *err, const char *what) {
        unsigned long code = ERR_get_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        return gbx_fail(err, -EIO, "%s: %s", what, reason ? reason : "OpenSSL gives no reason");
}

static void free_bio(BIO **bio) { BIO_free(*bio); }
static void free_certificate(X509 **certificate) { X509_free(*certificate); }
static void free_key(EVP_PKEY **key) { EVP_PKEY_free(*key); }

/* No pass phrase is ever asked for on a terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *userdata) {
        (void)buffer, (void)size, (void)writing, (void)userdata;
        return -1;
}

int gbx_certificate_read(const char *pem, X509 **ret, struct gbx_error *err) {
        gbx_auto(free_bio) BIO *bio = BIO_new_mem_buf(pem, -1);
        X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

        if (!certificate) {
                (void)gbx_openssl_fail(err, "cannot read a certificate (PEM)");
                return -EINVAL;
        }
        *ret = certificate;
        return 0;
}

int gbx_private_key_read(const char *pem, EVP_PKEY **ret, struct gbx_error *err) {
        gbx_auto(free_bio) BIO *bio = BIO_new_mem_buf(pem, -1);
        EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

        if (!key) {
                (void)gbx_openssl_fail(err, "cannot read a private key (PEM without a pass phrase)");
                return -EINVAL;
        }
        *ret = key;
        return 0;
}

int gbx_certificates_add(const char *pem, X509_STORE *store, struct gbx_error *err) {
        gbx_auto(free_bio) BIO *bio = BIO_new_mem_buf(pem, -1);
        size_t count = 0;

        for (;;) {
                gbx_auto(free_certificate) X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

                if (!certificate)
                        break;
                if (X509_STORE_add_cert(store, certificate) != 1)
                        return gbx_openssl_fail(err, "cannot trust a certificate");
                count++;
        }
        ERR_clear_error();
        return count ? 0 : gbx_fail(err, -EINVAL, "there is no certificate (PEM) to trust");
}

int gbx_private_key_new(EVP_PKEY **ret, struct gbx_error *err) {
        EVP_PKEY *key = EVP_EC_gen("P-256");

        if (!key)
                return gbx_openssl_fail(err, "cannot make a key");
        *ret = key;
        return 0;
}

static int add_extension(X509 *certificate, X509 *issuer, int kind, const char *value, struct gbx_error *err) {
        X509V3_CTX context;
        X509_EXTENSION *extension;
        int added;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer ? issuer : certificate, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
        if (!extension)
                return gbx_openssl_fail(err, "cannot make an extension of a certificate");
        added = X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        return added == 1 ? 0 : gbx_openssl_fail(err, "cannot add an extension to a certificate");
}

static int set_identity(X509 *certificate, const char *host, long days, EVP_PKEY *key, X509 *issuer, struct gbx_error *err) {
        uint8_t serial[SERIAL_SIZE];
        X509_NAME *name = X509_get_subject_name(certificate);
        BIGNUM *number;
        bool good;

        if (RAND_bytes(serial, sizeof serial) != 1)
                return gbx_openssl_fail(err, "cannot make a serial number");
        serial[0] &= 0x7f;
        number = BN_bin2bn(serial, sizeof serial, NULL);
        good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) &&
               X509_set_version(certificate, X509_VERSION_3) == 1 &&
               X509_gmtime_adj(X509_getm_notBefore(certificate), -HOUR_SECONDS) &&
               X509_gmtime_adj(X509_getm_notAfter(certificate), days * 24 * HOUR_SECONDS) &&
               X509_set_pubkey(certificate, key) == 1;
        BN_free(number);
        /* The name that counts is the alternative one; a common name has a limit of its own. */
        if (good && strlen(host) <= COMMON_NAME_LIMIT)
                good = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)host, -1, -1, 0) == 1;
        good = good && X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name) == 1;
        return good ? 0 : gbx_openssl_fail(err, "cannot fill in a certificate");
}

static int add_extensions(X509 *certificate, X509 *issuer, const char *host, bool authority, struct gbx_error *err) {
        char alternative[300];
        struct gbx_address address;
        bool critical = strlen(host) > COMMON_NAME_LIMIT; /* an empty subject asks for it (RFC 5280, 4.2.1.6) */
        int r;

        r = add_extension(certificate, issuer, NID_basic_constraints, authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE", err);
        if (r < 0)
                return r;
        r = add_extension(certificate, issuer, NID_key_usage, authority ? "critical,keyCertSign" : "critical,digitalSignature", err);
        if (r < 0)
                return r;
        r = add_extension(certificate, issuer, NID_subject_key_identifier, "hash", err);
        if (r < 0)
                return r;
        if (authority)
                return 0;
        r = add_extension(certificate, issuer, NID_authority_key_identifier, "keyid", err);
        if (r < 0)
                return r;
        r = add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth", err);
        if (r < 0)
                return r;
        (void)snprintf(alternative, sizeof alternative, "%s%s:%s", critical ? "critical," : "",
                       gbx_address_parse(host, &address, NULL) == 0 ? "IP" : "DNS", host);
        return add_extension(certificate, issuer, NID_subject_alt_name, alternative, err);
}

int gbx_certificate_new(X509 **ret, const char *host, bool authority, long days, EVP_PKEY *key, X509 *issuer,
                        EVP_PKEY *issuer_key, struct gbx_error *err) {
        gbx_auto(free_certificate) X509 *certificate = X509_new();
        gbx_auto(free_key) EVP_PKEY *signer = issuer_key ? issuer_key : key;
        const EVP_MD *digest;
        int r;

        (void)EVP_PKEY_up_ref(signer);
        if (!certificate)
                return gbx_fail_memory(err);
        r = set_identity(certificate, host, days, key, issuer, err);
        if (r < 0)
                return r;
        r = add_extensions(certificate, issuer, host, authority, err);
        if (r < 0)
                return r;
        digest = EVP_PKEY_get_id(signer) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
        if (X509_sign(certificate, signer, digest) <= 0)
                return gbx_openssl_fail(err, "cannot sign a certificate");
        *ret = certificate;
        certificate = NULL;
        return 0;
}
