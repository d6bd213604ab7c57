/*
 * The states of a run, and what moves it from one to the next
 *
 * One table, read by replay (gateway/audit/checks.c) and by whoever wants to
 * know what may follow; a unit test compares it with what the view's effects
 * do. A run's state is where its last entry left it.
 *
 *   allowed   decided, not begun          denied    by policy: nothing ran
 *   running   begun                       failed, limit, cancelled: ended, nothing leaves
 *   checking  ended well, at the gate     refuse    outputs may not leave
 *   hold      the gate keeps it back      held      kept for reviewers
 *   release   the gate lets it go         approved, rejected: by reviewers
 *   released  handed over
 *
 * A run that lost the process that executed it is failed, unless it can be finished
 * (gateway/job/recover.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct gbx_run_transition {
        const char *action;  /* of the entry */
        const char *outcome; /* of the entry; NULL: any */
        const char *from;    /* state; NULL: there is no run yet */
        const char *to;
};

/* All of them, the first ones first. */
extern const struct gbx_run_transition gbx_run_transitions[];
extern const size_t gbx_run_transition_count;

/* Whether entries of this action move a run at all. */
bool gbx_run_moves(const char *action);

/* The state that the entry leads to; NULL if it may not follow. `state` NULL: there is no run. */
const char *gbx_run_next(const char *state, const char *action, const char *outcome);

/* Whether nothing may follow. */
bool gbx_run_is_final(const char *state);

/* The state of a row of the view's table run, by its columns `state` and `outcome` (NULL: it has not ended): the view
 * keeps "ended" for all ends. What it does not know is returned as it is. */
const char *gbx_run_state_of(const char *state, const char *outcome);
