/* One entry of a replay, against the view as it was before it (replay.h) */
#pragma once

#include "base/error.h"
#include "gateway/audit/replay.h"
#include "gateway/log/format/entry_time.h"

struct gbx_replay_state {
        struct gbx_site *site; /* objects are read from it */
        sqlite3 *view;         /* built from the entries so far */
        struct gbx_replay *report;
        uint64_t index;
        const json_t *entry;
        const char *action;
        struct gbx_entry_times times; /* of the entries so far */
};

/* Checks the entry; divergences go into the report, errors are failures of the replay itself. */
int gbx_replay_check(struct gbx_replay_state *state, struct gbx_error *err);

/* Adds a divergence. */
int gbx_replay_diverge(struct gbx_replay_state *state, struct gbx_error *err, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
