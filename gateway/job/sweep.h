/*
 * Sweeping: files that no entry names and no living process made
 *
 *   *.tmp                     of durable writes (base/file.h): whoever writes one has it locked
 *   releases/release-…        without an entry, of no living run
 *   held/RUN.age              of a run whose outputs wait for nobody
 *   flows/RUN                 the socket of a proxy that is gone
 *   data/…, keys/…            of no version of a dataset; a prepared intake has its own time (data/intake.h)
 *   runs/…                    marks of the dead
 *
 * Files of datasets have no lock: of these only what is older than every living
 * process goes. Where something is too young, a dead one's mark stays, and the
 * next command looks again.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdint.h>
#include <time.h>

/* `dead` and `since` are those of gbx_living_look. Adds to `count` the files that were removed. */
int gbx_sweep(struct gbx_site *site, const json_t *dead, const struct timespec *since, uint64_t *count, struct gbx_error *err);
