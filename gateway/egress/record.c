#include "gateway/egress/record.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
        PENDING_LIMIT = 4 * 1024 * 1024,
        FULL_TOKENS = GBX_REFUSALS_BURST * 1000,
};

struct gbx_recorder {
        int fd;
        struct event *writable, *closed;
        struct gbx_buffer pending;
        size_t written; /* of `pending` */
        bool broken;
        void (*on_broken)(void *userdata);
        void *userdata;
        struct {
                int64_t tokens_ms; /* when the tokens were last counted */
                int64_t tokens;    /* thousandths of a record */
                uint64_t left_out;
        } kinds[GBX_REFUSAL_COUNT];
};

static int fail(struct gbx_recorder *recorder) {
        if (!recorder->broken) {
                recorder->broken = true;
                recorder->on_broken(recorder->userdata);
        }
        return -EPIPE;
}

static int flush(struct gbx_recorder *recorder) {
        while (recorder->written < recorder->pending.size) {
                ssize_t n = write(recorder->fd, recorder->pending.data + recorder->written,
                                  recorder->pending.size - recorder->written);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return event_add(recorder->writable, NULL) < 0 ? fail(recorder) : 0;
                if (n < 0)
                        return fail(recorder);
                recorder->written += (size_t)n;
        }
        gbx_buffer_clear(&recorder->pending);
        recorder->written = 0;
        return 0;
}

static void on_writable(evutil_socket_t fd, short events, void *userdata) {
        (void)fd, (void)events;
        (void)flush(userdata);
}

/* Nothing is ever read from this end: it becomes "readable" when the reader is gone. */
static void on_closed(evutil_socket_t fd, short events, void *userdata) {
        (void)fd, (void)events;
        (void)fail(userdata);
}

int gbx_recorder_new(struct gbx_recorder **ret, struct event_base *base, int fd, void (*broken)(void *userdata),
                     void *userdata, struct gbx_error *err) {
        struct gbx_recorder *recorder;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return gbx_fail_errno(err, "cannot use descriptor %d for events", fd);
        recorder = calloc(1, sizeof *recorder);
        if (!recorder)
                return gbx_fail_memory(err);
        *recorder = (struct gbx_recorder){ .fd = fd, .on_broken = broken, .userdata = userdata };
        for (size_t i = 0; i < GBX_REFUSAL_COUNT; i++)
                recorder->kinds[i].tokens = FULL_TOKENS;
        recorder->writable = event_new(base, fd, EV_WRITE, on_writable, recorder);
        recorder->closed = event_new(base, fd, EV_READ, on_closed, recorder);
        if (!recorder->writable || !recorder->closed || event_add(recorder->closed, NULL) < 0) {
                gbx_recorder_free(recorder);
                return gbx_fail(err, -EINVAL, "descriptor %d for events is not the end of a pipe", fd);
        }
        *ret = recorder;
        return 0;
}

bool gbx_recorder_allows(struct gbx_recorder *recorder, enum gbx_refusal why, int64_t now_ms) {
        int64_t gained = (now_ms - recorder->kinds[why].tokens_ms) * GBX_REFUSALS_A_SECOND, tokens = recorder->kinds[why].tokens + gained;

        recorder->kinds[why].tokens_ms = now_ms;
        recorder->kinds[why].tokens = tokens > FULL_TOKENS ? FULL_TOKENS : tokens;
        if (recorder->kinds[why].tokens < 1000) {
                recorder->kinds[why].left_out++;
                return false;
        }
        recorder->kinds[why].tokens -= 1000;
        return true;
}

int gbx_recorder_write(struct gbx_recorder *recorder, const char *action, const char *outcome, enum gbx_refusal why, json_t *details) {
        gbx_auto(gbx_free_pointer) char *text = NULL;
        json_t *line;
        int r;

        if (details && recorder->kinds[why].left_out &&
            json_object_set_new(details, "left_out", json_integer((json_int_t)recorder->kinds[why].left_out)) == 0)
                recorder->kinds[why].left_out = 0;
        line = json_pack("{s:s, s:s, s:o, s:o}", "action", action, "outcome", outcome, "reasons",
                         why == GBX_REFUSAL_NONE ? json_array() : json_pack("[s]", gbx_refusal_info(why)->code), "details", details);
        if (!line)
                return fail(recorder);
        text = json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(line);
        if (!text || recorder->broken || recorder->pending.size - recorder->written > PENDING_LIMIT)
                return fail(recorder);
        r = gbx_buffer_append_text(&recorder->pending, text, NULL);
        if (r >= 0)
                r = gbx_buffer_append_byte(&recorder->pending, '\n', NULL);
        return r < 0 ? fail(recorder) : flush(recorder);
}

struct gbx_recorder *gbx_recorder_free(struct gbx_recorder *recorder) {
        if (!recorder)
                return NULL;
        for (int why = 0; why < GBX_REFUSAL_COUNT && !recorder->broken; why++)
                if (recorder->kinds[why].left_out) { /* this record stands for one of them */
                        recorder->kinds[why].left_out--;
                        (void)gbx_recorder_write(recorder, "flow.refused", "denied", (enum gbx_refusal)why,
                                                 json_pack("{s:s}", "destination", "several"));
                }
        /* The last records are worth waiting for, but not without end. */
        if (!recorder->broken && recorder->written < recorder->pending.size) {
                int flags = fcntl(recorder->fd, F_GETFL);

                (void)alarm(5);
                (void)fcntl(recorder->fd, F_SETFL, flags & ~O_NONBLOCK);
                (void)flush(recorder);
        }
        if (recorder->writable)
                event_free(recorder->writable);
        if (recorder->closed)
                event_free(recorder->closed);
        gbx_buffer_free(&recorder->pending);
        free(recorder);
        return NULL;
}
