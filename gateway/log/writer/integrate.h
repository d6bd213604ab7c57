/*
 * From journal to tree (internal to gateway/log): entries become bundles and tiles
 *
 * Idempotent: files that an interrupted run has left are compared, never
 * replaced.
 */
#pragma once

#include "base/error.h"
#include "gateway/log/writer/journal.h"
#include "gateway/log/format/merkle.h"
#include "gateway/log/format/proven.h"

/* The temporary file through which every file is put in place. */
#define GBX_LOG_SCRATCH ".state/new"

/* Writes what the tree of gbx_journal_end(journal) entries has more than the tree of `edge`. On success `edge`
 * is the right edge of the new tree; nothing is signed yet. `proven` reads the same directory: what is taken
 * from the old tree is what was signed, or -EBADMSG. */
int gbx_log_integrate(int directory, struct gbx_proven *proven, struct gbx_journal *journal, struct gbx_merkle_edge *edge,
                      struct gbx_error *err);

/* Removes the partial files of tiles and bundles that were completed between two sizes. */
void gbx_log_drop_partials(int directory, uint64_t old_size, uint64_t new_size);
