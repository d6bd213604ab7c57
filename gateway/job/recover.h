/*
 * Recovery: what a crash left is put in order
 *
 * Whoever works on a site holds marks (store/living.h). A mark that nobody
 * holds, or a run that should be under way and has none, says that somebody
 * died. Then
 *
 *   runs      whatever was decided, begun or ended is failed, by an entry; what was held is held; reviewers' words have
 *             their effect; what they approved is released
 *   data      a destruction that was recorded is finished
 *   files     that no entry names and no living process made are removed (sweep.h)
 *
 * It happens at the start of every command that opens a site, if there is a
 * reason, and waits for nobody then: whatever cannot be done is left for the
 * next one. `gbx service recover` waits, looks at everything, and says what
 * went wrong. Nothing that a living process works on is touched.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <stdbool.h>
#include <stdint.h>

struct gbx_recovery {
        uint64_t runs;     /* that were given what they lacked */
        uint64_t versions; /* of datasets, whose destruction was finished */
        uint64_t files;    /* removed */
        uint64_t living;   /* runs that somebody is at work on */
};

/* A cheap look: whether there is a dead one's mark, or a run under way without a mark. */
bool gbx_recovery_needed(struct gbx_site *site);

/* If it is needed, and nobody else is at it. */
void gbx_recover_if_needed(struct gbx_site *site);

/* Waits for others who are at it. Goes on past what fails: the first failure is returned. */
int gbx_recover(struct gbx_site *site, struct gbx_recovery *ret, struct gbx_error *err);

/* One run, if nobody is at work on it. 0: done; 1: somebody is. `ret_changed` (may be NULL): it has another state now. */
int gbx_recover_run(struct gbx_site *site, const char *run, bool *ret_changed, struct gbx_error *err);
