/*
 * The time of the log never steps back unsaid
 *
 * An entry has the time that the site's clock read, or, if the clock is behind
 * the entry before, the time of that one; then it carries what the clock read
 * in `clock`. A clock that reads less than at the entry before has stepped
 * back: a `clock.step` entry, which says by how many seconds, stands in front of
 * everything that is logged after the step.
 *
 * So times never fall, a step back is always said, and from whatever the clock
 * said and the log shows the two can be compared. Forward a clock may go as it
 * likes; more than GBX_ENTRY_GAP seconds without any entry (a heartbeat, say)
 * are worth a note.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GBX_ENTRY_GAP = 24 * 60 * 60 };

/* Where a walk over entries stands; start from {}. */
struct gbx_entry_times {
        bool started;
        int64_t time, clock; /* of the entry before; the clock's reading, behind the time or equal to it */
};

/* Gives `entry` the time that follows `before`, when the clock reads `now`. 1: the clock has stepped back and
 * `ret_step` is the entry that must be logged first. */
enum { GBX_ENTRY_STEPPED = 1 };
int gbx_entry_set_time(json_t *entry, const struct gbx_entry_times *before, int64_t now, json_t **ret_step, struct gbx_error *err);

/* Takes in the next entry. 0: its time follows (or it has none). GBX_ENTRY_GAP_NOTE: it does, after
 * more than GBX_ENTRY_GAP seconds. GBX_ENTRY_TIME_FAULT: it cannot have been logged so. `ret_what` says what, in both. */
enum { GBX_ENTRY_GAP_NOTE = 1, GBX_ENTRY_TIME_FAULT = 2 };
int gbx_entry_times_follow(struct gbx_entry_times *times, const json_t *entry, char *ret_what, size_t size);
