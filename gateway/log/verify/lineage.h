/*
 * OpenLineage run events from log entries (internal to gateway/log; export.h)
 *
 * A run's identifier is a UUID of version 8 (RFC 9562) made from the origin and
 * the run's name: the same log always gives the same events. Memory holds the
 * runs that have not ended or released yet.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

struct gbx_lineage;

int gbx_lineage_new(struct gbx_lineage **ret, const char *origin, struct gbx_error *err);
struct gbx_lineage *gbx_lineage_free(struct gbx_lineage *lineage);

/* Takes in an entry. `ret_event` is the event that it is, or NULL; the caller owns it. */
int gbx_lineage_event(struct gbx_lineage *lineage, uint64_t index, const json_t *entry, json_t **ret_event,
                      struct gbx_error *err);
