/*
 * Held outputs: the gate's canonical tables and findings, waiting for reviewers
 *
 * Kept as JSON, encrypted to the site, under held/RUN.age. The digests of the
 * file and of tables and findings are in the entry gate.check: a file that was
 * replaced, or swapped with another run's, is refused.
 *
 * It is written beside what is held already, as held/RUN.next.age, and takes
 * that one's place when it is recorded. So a crash in between loses nothing:
 * the one that the log names is read, whichever of the two it is.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "gateway/gate/gate.h"
#include "gateway/store/site.h"

#include <jansson.h>

/* Writes the file durably, as the next one. `ret_sealed`: the digest of its bytes. */
int gbx_held_keep(struct gbx_site *site, const char *run, const struct gbx_gate_result *result,
                  char ret_sealed[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err);

/* What the log names now, of the run's row (a fact), takes its place, and the other file goes. */
int gbx_held_settle(struct gbx_site *site, const json_t *run, struct gbx_error *err);

/* Reads it back. `run` is the run's row, a fact. -EBADMSG: it is not what the log says. */
int gbx_held_load(struct gbx_site *site, const json_t *run, struct gbx_gate_result *ret, struct gbx_error *err);

/* Removes it, if it is there. */
int gbx_held_drop(struct gbx_site *site, const char *run, struct gbx_error *err);
