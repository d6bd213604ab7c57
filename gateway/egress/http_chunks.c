#include "gateway/egress/http.h"

enum { SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, END_CR, END_LF, DONE };

static int digit_value(uint8_t c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte of framing. Only what RFC 9112 7.1 has as its plainest form: size CRLF data CRLF … 0 CRLF CRLF. */
static int take(struct gbx_http_chunks *chunks, uint8_t c, struct gbx_error *err) {
        static const uint8_t expected[] = { [SIZE_LF] = '\n', [DATA_CR] = '\r', [DATA_LF] = '\n', [END_CR] = '\r', [END_LF] = '\n' };

        if (chunks->state == SIZE) {
                int value = digit_value(c);

                if (value >= 0 && chunks->digits < 8) {
                        chunks->remaining = chunks->remaining * 16 + (uint64_t)value;
                        chunks->digits++;
                } else if (c == '\r' && chunks->digits > 0) {
                        chunks->state = SIZE_LF;
                } else {
                        return gbx_fail(err, -EINVAL, "a chunk's size is not 1 to 8 hexadecimal digits and CRLF");
                }
                return 0;
        }
        if (c != expected[chunks->state])
                return gbx_fail(err, -EINVAL, "a chunk does not end where its size says, or there are trailers");
        switch (chunks->state) {
        case SIZE_LF:
                chunks->state = chunks->remaining ? DATA : END_CR;
                break;
        case DATA_LF:
                *chunks = (struct gbx_http_chunks){};
                break;
        default:
                chunks->state++;
                break;
        }
        return 0;
}

int gbx_http_chunks_step(struct gbx_http_chunks *chunks, const void *data, size_t size, size_t *ret_skip,
                         size_t *ret_payload, struct gbx_error *err) {
        const uint8_t *bytes = data;
        size_t skip = 0, payload = 0;

        while (skip < size && chunks->state != DATA && chunks->state != DONE) {
                int r = take(chunks, bytes[skip], err);

                if (r < 0)
                        return r;
                skip++;
        }
        if (chunks->state == DATA) {
                payload = size - skip;
                if (payload > chunks->remaining)
                        payload = (size_t)chunks->remaining;
                chunks->remaining -= payload;
                if (chunks->remaining == 0)
                        chunks->state = DATA_CR;
        }
        *ret_skip = skip;
        *ret_payload = payload;
        return chunks->state == DONE;
}
