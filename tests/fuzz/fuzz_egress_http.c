/* HTTP heads and chunks: no crash, and whatever passes is read the same way after it was written anew. */
#include "gateway/egress/http.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const uint8_t *data, size_t size) {
        gbx_auto(gbx_http_head_free) struct gbx_http_head head = {}, again = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = {};
        enum gbx_refusal refusal;

        if (gbx_http_parse_request(&head, data, size, &refusal, NULL) < 0 || head.form == GBX_HTTP_AUTHORITY ||
            head.authority.address)
                return;
        if (gbx_http_write_request(&head, head.authority.host, head.body, head.length, &out, NULL) < 0)
                return;
        if (out.size > GBX_HTTP_HEAD_LIMIT) /* the rewritten form may be a little longer */
                return;
        if (gbx_http_parse_request(&again, out.data, out.size, &refusal, NULL) < 0) {
                if (strlen(head.path) + strlen(head.authority.host) + 64 < GBX_HTTP_LINE_LIMIT && head.header_count + 3 < GBX_HTTP_MAX_HEADERS)
                        abort();
                return;
        }
        if (strcmp(head.method, again.method) != 0 || strcmp(head.path, again.path) != 0 || head.body != again.body ||
            head.length != again.length || strcmp(head.authority.host, again.authority.host) != 0)
                abort();
}

static void check_chunks(const uint8_t *data, size_t size) {
        struct gbx_http_chunks chunks = {};

        while (size > 0) {
                size_t skip, payload;

                if (gbx_http_chunks_step(&chunks, data, size, &skip, &payload, NULL) != 0)
                        return;
                if (skip + payload > size || skip + payload == 0)
                        abort();
                data += skip + payload;
                size -= skip + payload;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char get[] = "GET / HTTP/1.1\r\nHost: a.b\r\n\r\n";
        gbx_auto(gbx_http_head_free) struct gbx_http_head request = {}, response = {};
        enum gbx_refusal refusal;
        size_t scanned = 0, length;

        if (gbx_http_head_complete(data, size, &scanned, &length, NULL) > 0) {
                check_request(data, length);
                check_chunks(data + length, size - length);
                if (gbx_http_parse_request(&request, get, sizeof get - 1, &refusal, NULL) == 0)
                        (void)gbx_http_parse_response(&response, &request, data, length, &refusal, NULL);
        }
        check_chunks(data, size);
        return 0;
}
