/*
 * Replay: deciding everything again
 *
 * Walks the log from its first entry with an empty view, and at each entry
 * asks anew what was decided then, from the inputs that the entry names:
 *
 *   - may the actor do this, by the roles of that moment?
 *   - does a signature match its statement and the key of that moment, and is the statement the one that the site would
 *     have made then, never used or withdrawn before?
 *   - is the recorded request, field by field, what the facts were at that moment, and does policy/decision.h give the
 *     recorded verdict for it?
 *   - is a dataset its owner's, a key one person's, a number the next one?
 *   - does its time follow that of the entry before (format/entry_time.h)?
 *   - is the transition legal (a run starts only if allowed, a release needs the gate's or a reviewer's yes, …)?
 *
 * Then it compares the view so built with the site's, which may be damaged or
 * missing. No lock is taken: others go on writing. What replay cannot
 * show is in docs/log-format.md: actions that were never logged.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <jansson.h>

struct gbx_replay {
        uint64_t entries;
        uint64_t decisions;  /* made again */
        uint64_t signatures; /* checked again */
        bool view_equal;     /* the site's view is what the log says, and sealed */
        json_t *differences; /* array of texts: the rows that are not ("approval 17"), or why it could not be read */
        json_t *divergences; /* array of {"entry":…,"action":…,"what":…} */
        json_t *notes;       /* the same form: what is worth a look and no fault, as long stretches without an entry */
};

/* The action whose right the actor of an entry needs, by the entry's action; NULL: nobody's. Of the table of operations. */
typedef const char *gbx_replay_right(const char *action);

/* Who calls has asked for the right (gbx_authorise_by_log, for the view may be damaged). */
int gbx_replay_log(struct gbx_site *site, gbx_replay_right *right, struct gbx_replay *ret, struct gbx_error *err);
void gbx_replay_free(struct gbx_replay *replay);

/* Runs a job again, from its recorded request, in a fresh sandbox, and compares the digest of the gate's canonical
 * tables with the recorded one. 0: equal. 1: not. */
int gbx_replay_run(struct gbx_site *site, const char *run, char ret_recorded[static 72], char ret_found[static 72],
                   struct gbx_error *err);
