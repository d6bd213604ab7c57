#include "gateway/executor/listener.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <time.h>

static uint64_t system_clock(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void take_progress(struct gbx_listener *listener, double fraction) {
        uint64_t now;
        int step;

        if (!listener->progress || !(fraction >= 0 && fraction <= 1))
                return;
        step = 1 + (int)(fraction * GBX_LISTENER_STEPS + 1e-9);
        if (step <= listener->step)
                return;
        now = listener->clock ? listener->clock() : system_clock();
        if (listener->step > 0 && now - listener->step_time < GBX_LISTENER_PAUSE_MS)
                return; /* the next one tells this much too */
        listener->step = step;
        listener->step_time = now;
        listener->progress(listener->userdata, (double)(step - 1) / GBX_LISTENER_STEPS);
}

/* A line past the last one is the end of the file, where a compiler still waited for more. */
static unsigned known_line(const struct gbx_listener *listener, json_int_t line) {
        if (line < 1 || line > (json_int_t)listener->lines + 1)
                return 0;
        return line > (json_int_t)listener->lines ? listener->lines : (unsigned)line;
}

static void take_end(struct gbx_listener *listener, const char *end, const char *rule, json_int_t line) {
        if (!listener->host || listener->ended)
                return;
        listener->ended = true;
        if (strcmp(end, "done") == 0 && !rule)
                return;
        listener->end.word = gbx_word_of_host(strcmp(end, "error") == 0 ? rule : NULL);
        if (gbx_word_has_line(listener->end.word))
                listener->end.line = known_line(listener, line);
}

static void take_line(struct gbx_listener *listener) {
        gbx_auto(gbx_json_freep) json_t *json = json_loadb(listener->line, listener->size, JSON_REJECT_DUPLICATES, NULL);
        const char *end, *rule = NULL;
        double fraction;
        json_int_t line = 0;
        int step = 0;

        if (json_unpack(json, "{s:F, s?i !}", "progress", &fraction, "step", &step) == 0)
                take_progress(listener, fraction);
        else if (json_unpack(json, "{s:s, s?s, s?I !}", "end", &end, "rule", &rule, "line", &line) == 0)
                take_end(listener, end, rule, line);
}

void gbx_listener_take(void *userdata, const char *data, size_t size) {
        struct gbx_listener *listener = userdata;

        for (size_t i = 0; i < size; i++) {
                if (data[i] == '\n') {
                        if (listener->size <= GBX_LISTENER_LINE)
                                take_line(listener);
                        listener->size = 0;
                } else if (listener->size < GBX_LISTENER_LINE)
                        listener->line[listener->size++] = data[i];
                else
                        listener->size = GBX_LISTENER_LINE + 1;
        }
}

unsigned gbx_listener_count_lines(const void *script, size_t size) {
        const char *text = script;
        unsigned lines = 0;
        bool open = false; /* a line that has begun */

        for (size_t i = 0; i < size && lines < INT_MAX; i++) {
                open = text[i] != '\n' && text[i] != '\r';
                if (open)
                        continue;
                lines++;
                if (i + 1 < size && (text[i + 1] == '\n' || text[i + 1] == '\r') && text[i + 1] != text[i])
                        i++;
        }
        return lines + open;
}
