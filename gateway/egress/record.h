/*
 * Records of flows, as JSON lines on a pipe to the gateway
 *
 *   {"action":"flow.closed","outcome":"done","reasons":[],"details":{…}}
 *
 * in the form of the action log (gateway/log/format/entry.h). A job can cause as many
 * refusals as it likes; so their records are limited, each kind (policy/flow_refusal.h)
 * by itself: a flood of one does not push out another. What is left out is counted
 * in the next record of the kind, and at the end in one of its own. If the pipe is
 * full, or its reader has gone, the proxy stops: no flow without its record.
 */
#pragma once

#include "base/error.h"
#include "policy/flow_refusal.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        GBX_REFUSALS_BURST = 50, /* records of one kind at once */
        GBX_REFUSALS_A_SECOND = 5,
};

struct gbx_recorder;

/* `broken` is called once, when a record could not be written. */
int gbx_recorder_new(struct gbx_recorder **ret, struct event_base *base, int fd, void (*broken)(void *userdata),
                     void *userdata, struct gbx_error *err);
/* Writes what is still to be said, waiting for the reader a few seconds at most. */
struct gbx_recorder *gbx_recorder_free(struct gbx_recorder *recorder);

/* Takes `details` over. `why` is the reason, GBX_REFUSAL_NONE: none. 0, or negative: was not and will not be written. */
int gbx_recorder_write(struct gbx_recorder *recorder, const char *action, const char *outcome, enum gbx_refusal why, json_t *details);
/* Whether one more record of this kind of refusal may be written now; counts it in or as left out. */
bool gbx_recorder_allows(struct gbx_recorder *recorder, enum gbx_refusal why, int64_t now_ms);
