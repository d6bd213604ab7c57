/* Bytes of a job on descriptor 3: whatever they are, what is taken of them is a word of the table, a line that the script
 * has and progress in tenths that only rises; and in pieces they say the same as whole. */
#include "gateway/executor/listener.h"

#include <stdlib.h>
#include <string.h>

enum { LINES = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
        int count;
        double last;
};

static uint64_t milliseconds;

static uint64_t rising_clock(void) { return milliseconds += 700; }

static void hear(void *userdata, double fraction) {
        struct heard *heard = userdata;
        double tenths = fraction * GBX_LISTENER_STEPS;
        bool whole = tenths - (int)(tenths + 0.5) < 1e-9 && (int)(tenths + 0.5) - tenths < 1e-9;

        if (!(fraction >= 0 && fraction <= 1) || !whole || (heard->count > 0 && fraction <= heard->last))
                abort();
        heard->last = fraction;
        heard->count++;
}

static struct gbx_listener listen(const uint8_t *data, size_t size, size_t piece, struct heard *heard) {
        struct gbx_listener listener = { .host = true, .lines = LINES, .progress = hear, .userdata = heard, .clock = rising_clock };

        milliseconds = 0;
        for (size_t i = 0; i < size; i += piece)
                gbx_listener_take(&listener, (const char *)data + i, piece < size - i ? piece : size - i);
        if (listener.end.word >= GBX_WORD_COUNT || listener.end.line > LINES || (!listener.ended && listener.end.word != GBX_WORD_NONE) ||
            (listener.end.line && !gbx_word_has_line(listener.end.word)) || heard->count > GBX_LISTENER_STEPS + 1)
                abort();
        return listener;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct heard first = {}, second = {}, third = {};
        struct gbx_listener whole = listen(data, size, size ? size : 1, &first), parts = listen(data, size, 7, &second);
        struct gbx_listener native = { .lines = LINES, .progress = hear, .userdata = &third };

        if (whole.end.word != parts.end.word || whole.end.line != parts.end.line || first.count != second.count)
                abort();
        gbx_listener_take(&native, (const char *)data, size);
        if (native.ended || native.end.word != GBX_WORD_NONE)
                abort();
        return gbx_listener_count_lines(data, size) > size ? (abort(), 0) : 0;
}
