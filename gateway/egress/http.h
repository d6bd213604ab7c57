/*
 * HTTP/1.1 heads, read strictly and written anew (RFC 9110, RFC 9112)
 *
 * The proxy never passes a head on as it came: it is parsed into this form,
 * what is not understood exactly is refused, and a new head is written from
 * it. So nothing of the sender's spelling can make the next parser read
 * something else (request smuggling). Stricter than the RFCs, on purpose:
 *
 *   - lines end with CRLF; no bare CR or LF, no NUL, no folded lines, no white
 *     space before a colon, no bytes outside printable ASCII (and TAB in values)
 *   - HTTP/1.1 only from clients (CONNECT may be of 1.0, which some libraries send); servers may answer with 1.0
 *   - one Host, and it names the target; one Content-Length of digits or one
 *     "Transfer-Encoding: chunked", never both; no chunk extensions, no trailers
 *   - paths have no ".", ".." or empty-encoded segments: "%2e", "%2f", "%5c",
 *     "%00" and malformed escapes are refused, so that a prefix is a prefix
 *   - no Upgrade, no expectation but 100-continue
 *
 * Limits: 32 KiB a head, 8 KiB a line, 100 headers.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "policy/host.h"
#include "policy/flow_refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_HTTP_HEAD_LIMIT = 32 * 1024,
        GBX_HTTP_LINE_LIMIT = 8 * 1024,
        GBX_HTTP_MAX_HEADERS = 100,
        GBX_HTTP_MEDIA_TYPE_SIZE = 128,
};

enum gbx_http_form {
        GBX_HTTP_ORIGIN,    /* "/path": inside a tunnel */
        GBX_HTTP_ABSOLUTE,  /* "http://host/path": to a proxy */
        GBX_HTTP_AUTHORITY, /* CONNECT host:port */
};

enum gbx_http_body {
        GBX_HTTP_BODY_NONE,
        GBX_HTTP_BODY_LENGTH,
        GBX_HTTP_BODY_CHUNKED,
        GBX_HTTP_BODY_UNTIL_CLOSE, /* of responses only */
};

struct gbx_http_header {
        const char *name;  /* lower case */
        const char *value; /* without white space at its ends */
        bool hop;          /* concerns this connection only: never passed on */
};

struct gbx_http_head {
        char *text; /* what the pointers below point into */

        /* Requests. */
        enum gbx_http_form form;
        const char *method;
        struct gbx_authority authority; /* of the target, or of Host in origin form; port 0: not given */
        const char *path;               /* from '/', without the query; NULL for CONNECT */
        const char *query;              /* behind '?'; NULL: there is none */
        bool expects_continue;

        /* Responses. */
        int status;
        int minor_version; /* of HTTP/1.x */

        enum gbx_http_body body;
        uint64_t length; /* with GBX_HTTP_BODY_LENGTH */
        bool close;      /* the sender ends the connection after this message */
        char media_type[GBX_HTTP_MEDIA_TYPE_SIZE]; /* of Content-Type, lower case, no parameters; "" without one */
        bool encoded;                              /* Content-Encoding other than identity */

        size_t header_count;
        struct gbx_http_header headers[GBX_HTTP_MAX_HEADERS];
};

/* Where the head ends. 1: complete, its length is in `ret_length`; 0: more is needed; -EFBIG: past the limit.
 * `scanned` keeps what was looked at in earlier calls; starts at 0. */
int gbx_http_head_complete(const void *data, size_t size, size_t *scanned, size_t *ret_length, struct gbx_error *err);

/* 0, or -EINVAL with the reason in `ret_refusal`. */
int gbx_http_parse_request(struct gbx_http_head *ret, const void *data, size_t size, enum gbx_refusal *ret_refusal,
                           struct gbx_error *err);
/* `request` is the one that is answered: a response to HEAD has no body. */
int gbx_http_parse_response(struct gbx_http_head *ret, const struct gbx_http_head *request, const void *data, size_t size,
                            enum gbx_refusal *ret_refusal, struct gbx_error *err);
void gbx_http_head_free(struct gbx_http_head *head);

/* NULL if there is none; the first one otherwise. */
const char *gbx_http_header(const struct gbx_http_head *head, const char *name);

/* Appends the head for the server: origin form, Host from `host`, framing from `body` and `length`. */
int gbx_http_write_request(const struct gbx_http_head *head, const char *host, enum gbx_http_body body, uint64_t length,
                           struct gbx_buffer *buffer, struct gbx_error *err);
/* Appends the head for the client; `body` is the framing on that side. */
int gbx_http_write_response(const struct gbx_http_head *head, enum gbx_http_body body, bool close,
                            struct gbx_buffer *buffer, struct gbx_error *err);

/* Decodes %XX (and '+' if `form`), for the content scan. Appends. */
int gbx_http_unescape(const char *text, size_t length, bool form, struct gbx_buffer *buffer, struct gbx_error *err);

/* Chunked bodies, step by step; a zeroed struct is the start. */
struct gbx_http_chunks {
        int state;
        unsigned digits;
        uint64_t remaining; /* of the chunk */
};

/* Looks at bytes from the stream: `ret_skip` of them are framing, then `ret_payload` of them are the body's; the
 * caller takes both away before the next call. 1: the body has ended; 0: call again, or with more; -EINVAL. */
int gbx_http_chunks_step(struct gbx_http_chunks *chunks, const void *data, size_t size, size_t *ret_skip,
                         size_t *ret_payload, struct gbx_error *err);
