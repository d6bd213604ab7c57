#include "gateway/egress/tls.h"

#include "base/cleanup.h"
#include "gateway/egress/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { LEAF_DAYS = 2, AUTHORITY_DAYS = 3650, MAX_LEAVES = 256 };

struct leaf {
        char *host;
        X509 *certificate;
};

struct gbx_tls {
        SSL_CTX *client, *server;
        const json_t *client_certificates;
        X509 *authority;
        EVP_PKEY *authority_key, *leaf_key;
        struct leaf leaves[MAX_LEAVES];
        size_t leaf_count, next_leaf; /* a ring: the oldest gives way */
};

struct gbx_tls *gbx_tls_free(struct gbx_tls *tls) {
        if (!tls)
                return NULL;
        for (size_t i = 0; i < tls->leaf_count; i++) {
                free(tls->leaves[i].host);
                X509_free(tls->leaves[i].certificate);
        }
        SSL_CTX_free(tls->client);
        SSL_CTX_free(tls->server);
        X509_free(tls->authority);
        EVP_PKEY_free(tls->authority_key);
        EVP_PKEY_free(tls->leaf_key);
        free(tls);
        return NULL;
}

static void free_tls(struct gbx_tls **tls) { *tls = gbx_tls_free(*tls); }
static void free_ssl(SSL **ssl) { SSL_free(*ssl); }

static SSL_CTX *new_context(const SSL_METHOD *method) {
        SSL_CTX *context = SSL_CTX_new(method);

        if (!context)
                return NULL;
        (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
        return context;
}

/* The only protocol spoken inside; a client that offers others and not this one is turned away. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                           unsigned in_length, void *userdata) {
        static const unsigned char http[] = "\x08http/1.1";
        unsigned char *chosen;

        (void)ssl, (void)userdata;
        if (SSL_select_next_proto(&chosen, out_length, http, sizeof http - 1, in, in_length) != OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
}

static int set_up_client(struct gbx_tls *tls, const char *trust, struct gbx_error *err) {
        tls->client = new_context(TLS_client_method());
        if (!tls->client)
                return gbx_openssl_fail(err, "cannot set TLS up");
        SSL_CTX_set_verify(tls->client, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_session_cache_mode(tls->client, SSL_SESS_CACHE_OFF);
        if (trust)
                return gbx_certificates_add(trust, SSL_CTX_get_cert_store(tls->client), err);
        /* Read whole, now: later there is no file system. */
        if (SSL_CTX_load_verify_file(tls->client, "/etc/ssl/certs/ca-certificates.crt") != 1 &&
            SSL_CTX_load_verify_file(tls->client, X509_get_default_cert_file()) != 1)
                ERR_clear_error(); /* without any CA every server is refused */
        return 0;
}

static int set_up_server(struct gbx_tls *tls, const struct gbx_egress_config *config, struct gbx_error *err) {
        int r;

        if (!config->authority_key)
                return 0;
        r = gbx_certificate_read(config->authority_certificate, &tls->authority, err);
        if (r < 0)
                return gbx_context(err, r, "authority");
        r = gbx_private_key_read(config->authority_key, &tls->authority_key, err);
        if (r < 0)
                return gbx_context(err, r, "authority");
        if (X509_check_private_key(tls->authority, tls->authority_key) != 1)
                return gbx_fail(err, -EINVAL, "authority: the key does not belong to the certificate");
        r = gbx_private_key_new(&tls->leaf_key, err);
        if (r < 0)
                return r;
        tls->server = new_context(TLS_server_method());
        if (!tls->server)
                return gbx_openssl_fail(err, "cannot set TLS up");
        SSL_CTX_set_alpn_select_cb(tls->server, choose_protocol, NULL);
        SSL_CTX_set_session_cache_mode(tls->server, SSL_SESS_CACHE_OFF);
        (void)SSL_CTX_set_options(tls->server, SSL_OP_NO_TICKET);
        return 0;
}

int gbx_tls_new(struct gbx_tls **ret, const struct gbx_egress_config *config, struct gbx_error *err) {
        gbx_auto(free_tls) struct gbx_tls *tls = calloc(1, sizeof *tls);
        int r;

        if (!tls)
                return gbx_fail_memory(err);
        tls->client_certificates = config->client_certificates;
        r = set_up_client(tls, config->trust, err);
        if (r < 0)
                return gbx_context(err, r, "trust");
        r = set_up_server(tls, config, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(tls);
        return 0;
}

static int use_client_certificate(struct gbx_tls *tls, const char *name, SSL *ssl, struct gbx_error *err) {
        const json_t *pair = json_object_get(tls->client_certificates, name);
        const char *pem = json_string_value(json_object_get(pair, "certificate"));
        X509 *certificate = NULL;
        EVP_PKEY *key = NULL;
        int r;

        r = gbx_certificate_read(pem ? pem : "", &certificate, err);
        if (r >= 0) {
                pem = json_string_value(json_object_get(pair, "key"));
                r = gbx_private_key_read(pem ? pem : "", &key, err);
        }
        if (r >= 0 && (SSL_use_certificate(ssl, certificate) != 1 || SSL_use_PrivateKey(ssl, key) != 1))
                r = gbx_openssl_fail(err, "cannot use a client certificate");
        X509_free(certificate);
        EVP_PKEY_free(key);
        return r;
}

int gbx_tls_connect(struct gbx_tls *tls, const struct gbx_flow_rule *rule, const char *host, SSL **ret,
                    struct gbx_error *err) {
        static const unsigned char http[] = "\x08http/1.1";
        gbx_auto(free_ssl) SSL *ssl = SSL_new(tls->client);
        struct gbx_address address;
        bool is_address = gbx_address_parse(host, &address, NULL) == 0;
        int r;

        if (!ssl)
                return gbx_openssl_fail(err, "cannot open TLS");
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1
                       : SSL_set1_host(ssl, host) != 1 ||
                                 SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) != 1)
                return gbx_openssl_fail(err, "cannot open TLS");
        /* A stream that is only passed on may speak another protocol; the probe for its certificate offers none. */
        if (rule->tls == GBX_FLOW_TLS_INSPECT && SSL_set_alpn_protos(ssl, http, sizeof http - 1) != 0)
                return gbx_openssl_fail(err, "cannot open TLS");
        if (rule->client_certificate) {
                r = use_client_certificate(tls, rule->client_certificate, ssl, err);
                if (r < 0)
                        return r;
        }
        *ret = ssl;
        ssl = NULL;
        return 0;
}

enum gbx_refusal gbx_tls_check_peer(const struct gbx_flow_rule *rule, SSL *ssl) {
        X509 *certificate = SSL_get0_peer_certificate(ssl);
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        unsigned char *der = NULL;
        int length;

        if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
                return GBX_REFUSAL_CERTIFICATE;
        if (rule->pin_count == 0)
                return GBX_REFUSAL_NONE;
        length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
        if (length <= 0 || EVP_Digest(der, (size_t)length, digest, &size, EVP_sha256(), NULL) != 1)
                size = 0;
        OPENSSL_free(der);
        for (size_t i = 0; size == GBX_SHA256_SIZE && i < rule->pin_count; i++)
                if (memcmp(rule->pins[i], digest, GBX_SHA256_SIZE) == 0)
                        return GBX_REFUSAL_NONE;
        return GBX_REFUSAL_PIN;
}

static int find_leaf(struct gbx_tls *tls, const char *host, X509 **ret, struct gbx_error *err) {
        struct leaf *leaf;
        X509 *certificate = NULL;
        char *name;
        int r;

        for (size_t i = 0; i < tls->leaf_count; i++)
                if (strcmp(tls->leaves[i].host, host) == 0 &&
                    X509_cmp_current_time(X509_get0_notAfter(tls->leaves[i].certificate)) > 0) {
                        *ret = tls->leaves[i].certificate;
                        return 0;
                }
        r = gbx_certificate_new(&certificate, host, false, LEAF_DAYS, tls->leaf_key, tls->authority, tls->authority_key, err);
        if (r < 0)
                return r;
        name = strdup(host);
        if (!name) {
                X509_free(certificate);
                return gbx_fail_memory(err);
        }
        leaf = &tls->leaves[tls->next_leaf];
        free(leaf->host);
        X509_free(leaf->certificate);
        *leaf = (struct leaf){ name, certificate };
        tls->next_leaf = (tls->next_leaf + 1) % MAX_LEAVES;
        if (tls->leaf_count < MAX_LEAVES)
                tls->leaf_count++;
        *ret = certificate;
        return 0;
}

int gbx_tls_accept(struct gbx_tls *tls, const char *host, SSL **ret, struct gbx_error *err) {
        gbx_auto(free_ssl) SSL *ssl = tls->server ? SSL_new(tls->server) : NULL;
        X509 *certificate = NULL;
        int r;

        if (!ssl)
                return gbx_openssl_fail(err, "cannot open TLS towards the job");
        r = find_leaf(tls, host, &certificate, err);
        if (r < 0)
                return r;
        if (SSL_use_certificate(ssl, certificate) != 1 || SSL_use_PrivateKey(ssl, tls->leaf_key) != 1)
                return gbx_openssl_fail(err, "cannot use a certificate for the host");
        *ret = ssl;
        ssl = NULL;
        return 0;
}

static int key_text(EVP_PKEY *key, X509 *certificate, char **ret, struct gbx_error *err) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data = NULL, *text = NULL;
        long size = 0;

        if (bio && (key ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_X509(bio, certificate)) == 1)
                size = BIO_get_mem_data(bio, &data);
        if (size > 0)
                text = strndup(data, (size_t)size);
        if (size > 0)
                OPENSSL_cleanse(data, (size_t)size);
        BIO_free(bio);
        if (!text)
                return gbx_openssl_fail(err, "cannot write PEM");
        *ret = text;
        return 0;
}

int gbx_tls_make_authority(const char *name, char **ret_certificate, char **ret_key, struct gbx_error *err) {
        EVP_PKEY *key = NULL;
        X509 *certificate = NULL;
        char *certificate_text = NULL, *text = NULL;
        int r;

        r = gbx_private_key_new(&key, err);
        if (r >= 0)
                r = gbx_certificate_new(&certificate, name, true, AUTHORITY_DAYS, key, NULL, NULL, err);
        if (r >= 0)
                r = key_text(NULL, certificate, &certificate_text, err);
        if (r >= 0)
                r = key_text(key, NULL, &text, err);
        X509_free(certificate);
        EVP_PKEY_free(key);
        if (r < 0) {
                free(certificate_text);
                return r;
        }
        *ret_certificate = certificate_text;
        *ret_key = text;
        return 0;
}
