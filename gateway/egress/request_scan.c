/* The content scan of what is about to leave: head and body, as sent and with their escapes taken off. */
#include "gateway/egress/proxy.h"

#include "base/cleanup.h"

#include <jansson.h>
#include <string.h>

static int note(const struct gbx_scan_match *match, void *userdata) {
        struct gbx_flow *flow = userdata;

        if (match->severity == GBX_SEVERITY_PASS)
                return 0;
        (void)snprintf(flow->scan_rule, sizeof flow->scan_rule, "%s", match->rule);
        flow->scan_matches++;
        return 1;
}

static int scan(struct gbx_connection *connection, const struct gbx_buffer *text) {
        const struct gbx_tokens *tokens = connection->proxy->tokens;

        if (tokens && gbx_tokens_find(tokens, gbx_buffer_text(text), text->size)) {
                (void)snprintf(connection->flow.scan_rule, sizeof connection->flow.scan_rule, "dataset-identifier");
                connection->flow.scan_matches++;
                return 1;
        }
        return gbx_scan(connection->proxy->scan, gbx_buffer_text(text), text->size, note, &connection->flow, NULL);
}

/* The line and the headers, each on a line of its own so that a match cannot reach from one into the next. */
static int gather_head(const struct gbx_http_head *head, struct gbx_buffer *text) {
        int r = gbx_http_unescape(head->path, strlen(head->path), false, text, NULL);

        if (r >= 0 && head->query)
                r = gbx_buffer_append_byte(text, '\n', NULL);
        if (r >= 0 && head->query)
                r = gbx_http_unescape(head->query, strlen(head->query), true, text, NULL);
        for (size_t i = 0; i < head->header_count && r >= 0; i++)
                if (!head->headers[i].hop)
                        r = gbx_buffer_printf(text, NULL, "\n%s: %s", head->headers[i].name, head->headers[i].value);
        return r;
}

/* JSON text may spell every character as \uXXXX: what is scanned is what the receiver will read. */
static int gather_json(const struct gbx_buffer *body, struct gbx_buffer *text) {
        json_t *json = json_loadb(gbx_buffer_text(body), body->size, JSON_DECODE_ANY, NULL);
        char *plain = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        int r = plain ? gbx_buffer_append_text(text, plain, NULL) : 0;

        free(plain);
        json_decref(json);
        return r;
}

static bool type_is(const struct gbx_http_head *head, const char *type) {
        size_t length = strlen(head->media_type), tail = strlen(type);

        return length >= tail && strcmp(head->media_type + length - tail, type) == 0;
}

enum gbx_refusal gbx_request_scan(struct gbx_connection *connection) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = { .secret = true }, body = { .secret = true };
        size_t size = evbuffer_get_length(connection->body);
        int r;

        r = gather_head(&connection->request, &text);
        if (r >= 0)
                r = scan(connection, &text);
        if (r == 0 && size > 0) {
                r = gbx_buffer_reserve(&body, size, NULL);
                if (r >= 0 && evbuffer_copyout(connection->body, body.data, size) != (ev_ssize_t)size)
                        r = -EIO;
                if (r >= 0) {
                        body.size = size;
                        body.data[size] = 0;
                        r = scan(connection, &body);
                }
                gbx_buffer_clear(&text);
                if (r == 0 && type_is(&connection->request, "/x-www-form-urlencoded"))
                        r = gbx_http_unescape(gbx_buffer_text(&body), body.size, true, &text, NULL);
                else if (r == 0 && type_is(&connection->request, "json"))
                        r = gather_json(&body, &text);
                if (r == 0 && text.size > 0)
                        r = scan(connection, &text);
        }
        if (r < 0)
                return GBX_REFUSAL_INTERNAL;
        return r > 0 ? GBX_REFUSAL_SCAN : GBX_REFUSAL_NONE;
}
