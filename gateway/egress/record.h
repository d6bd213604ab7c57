/*
 * Records of flows, as JSON lines on a pipe to the gateway
 *
 *   {"action":"flow.closed","outcome":"done","reasons":[],"details":{…}}
 *
 * in the form of the action log (gateway/log/format/entry.h). Refusals are limited in
 * number (a job can cause as many as it likes): what is left out is counted in
 * the next record that passes. If the pipe is full, or its reader has gone, the
 * proxy stops: no flow without its record.
 */
#pragma once

#include "base/error.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct gbx_recorder;

/* `broken` is called once, when a record could not be written. */
int gbx_recorder_new(struct gbx_recorder **ret, struct event_base *base, int fd, void (*broken)(void *userdata),
                     void *userdata, struct gbx_error *err);
struct gbx_recorder *gbx_recorder_free(struct gbx_recorder *recorder);

/* Takes `details` over. `reason` NULL: none. 0, or negative: was not and will not be written. */
int gbx_record(struct gbx_recorder *recorder, const char *action, const char *outcome, const char *reason,
               json_t *details);
/* Whether one more record of a refusal may be written now; counts it in or as left out. */
bool gbx_record_refusal_allowed(struct gbx_recorder *recorder, int64_t now_ms);
