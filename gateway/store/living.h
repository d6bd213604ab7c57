/*
 * The living: who is at work on a site
 *
 * A mark is a file in SITE/runs that its maker keeps locked (flock(2)). When the
 * process dies, however it dies, the kernel lets go of the lock: a mark that
 * nobody holds is a dead one's, and something may have been left behind it
 * (gateway/job/recover.h looks). Whoever ends in order takes the mark away.
 *
 *   runs/run-000001     who executes the run, or works on its outputs
 *   runs/process-…      each process that has the site open
 *
 * A mark is a FIFO: a byte that is written to it asks its maker to end.
 *
 * Order of locks: a run's mark is waited for only by who has not the site's
 * lock, or has just made up the run; inside a transaction it is claimed without
 * waiting.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

struct gbx_living;

/* Makes the mark and holds it; waits while another living process has it. `site`: the site's directory. */
int gbx_living_begin(struct gbx_living **ret, int site, const char *name, struct gbx_error *err);

/* The same without waiting, whether there is a dead one's mark or none. GBX_LIVING_TAKEN: a living process has it. */
enum { GBX_LIVING_TAKEN = 1 };
int gbx_living_claim(struct gbx_living **ret, int site, const char *name, struct gbx_error *err);

/* A mark for this process, of a name of its own. */
int gbx_living_process(struct gbx_living **ret, int site, struct gbx_error *err);

/* Takes the mark away. Both take NULL and return NULL. */
struct gbx_living *gbx_living_end(struct gbx_living *living);
static inline void gbx_living_endp(struct gbx_living **living) { *living = gbx_living_end(*living); }
/* Lets go of it as if dead: what is unfinished is for the recovery. */
struct gbx_living *gbx_living_leave(struct gbx_living *living);

/* Can be read once somebody asked for the end; belongs to the mark. */
int gbx_living_asked(const struct gbx_living *living);

/* Asks whoever holds the mark to end. GBX_LIVING_GONE: nobody does. */
enum { GBX_LIVING_GONE = 1 };
int gbx_living_ask(int site, const char *name, struct gbx_error *err);

/* Whether a living process holds the mark. If that cannot be told, one does. */
bool gbx_living_is(int site, const char *name);

/* `ret_dead` gets the names of the marks that nobody holds. `ret_since`: when the oldest process that lives made its mark;
 * what is older in the site is none of theirs. A site without marks: now. */
int gbx_living_look(int site, json_t **ret_dead, struct timespec *ret_since, struct gbx_error *err);
