/*
 * Listening to a job: descriptor 3
 *
 * One JSON object a line, as runtime/engine/report.h writes it. Whoever writes
 * it may be a program that makes it of data, so of each line only this is
 * taken, and everything else is as if it had not been said:
 *
 *   progress  from 0 to 1, cut to tenths; rising only, at most one a second
 *   end       of our own host alone: "done", or "error" with a rule that
 *             gateway/run/words.h knows and a line that the script has; the
 *             first one counts
 *
 * No bytes of a job leave this file. Nothing is allocated that grows with what
 * is said.
 */
#pragma once

#include "gateway/run/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_LISTENER_LINE = 128,    /* the longest line; a longer one is dropped whole */
        GBX_LISTENER_STEPS = 10,    /* progress is shown in as many */
        GBX_LISTENER_PAUSE_MS = 1000, /* between two of them */
};

struct gbx_listener {
        bool host;      /* the speaker is the Lua host; a native program's ends are not believed */
        unsigned lines; /* of its script */
        void (*progress)(void *userdata, double fraction); /* NULL: not passed on */
        void *userdata;
        uint64_t (*clock)(void); /* milliseconds that only rise; NULL: the system's */

        struct gbx_job_end end;
        bool ended;
        int step;           /* passed on last, counted from 1; 0: none yet */
        uint64_t step_time; /* when */
        size_t size;        /* of `line`; beyond GBX_LISTENER_LINE: it is being dropped */
        char line[GBX_LISTENER_LINE];
};

/* What the next bytes say. `listener` is a struct gbx_listener whose first five members are set and the rest zero. */
void gbx_listener_take(void *listener, const char *data, size_t size);

/* Lines of a script as Lua counts them: CR, LF, CR LF and LF CR each end one. */
unsigned gbx_listener_count_lines(const void *script, size_t size);
