/*
 * HTTP POST, several at once (internal to gateway/log)
 *
 * For witnesses and chain nodes. http:// and https://; a TLS server must have a
 * certificate for its name from an authority that the machine trusts (OpenSSL's
 * default paths, SSL_CERT_FILE and SSL_CERT_DIR).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

enum { GBX_HTTP_ANSWER_MAX = 1024 * 1024 };

struct gbx_http_post {
        const char *url;
        const char *content_type;
        const void *body;
        size_t size;

        /* results; `answer` is the caller's to free */
        unsigned status; /* 0: no answer came; `problem` says why */
        char problem[128];
        char answer_type[64]; /* Content-Type, "" if there was none */
        struct gbx_buffer answer;
};

/* Sends all requests and waits for all answers, `timeout_ms` at most. Negative only if nothing could be sent at all;
 * each request says for itself how it fared. */
int gbx_http_post_all(struct gbx_http_post *posts, size_t count, unsigned timeout_ms, struct gbx_error *err);
