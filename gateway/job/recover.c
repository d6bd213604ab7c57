#include "gateway/job/recover.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/data/fate.h"
#include "gateway/handover/handover.h"
#include "gateway/job/sweep.h"
#include "gateway/review/outputs.h"
#include "gateway/run/close.h"
#include "gateway/run/words.h"
#include "gateway/store/fact.h"
#include "gateway/store/living.h"
#include "gateway/store/transaction.h"
#include "gateway/store/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* --- the reason ---------------------------------------------------------------------- */

bool gbx_recovery_needed(struct gbx_site *site) {
        gbx_auto(gbx_json_freep) json_t *dead = NULL, *rows = NULL;
        struct timespec since;
        size_t i;
        const json_t *row;

        if (gbx_living_look(site->directory, &dead, &since, NULL) >= 0 && json_array_size(dead) > 0)
                return true;
        if (!site->view || gbx_view_query(site->view, &rows, NULL, "SELECT id FROM run WHERE " GBX_VIEW_RUN_OPEN, NULL) < 0)
                return false;
        json_array_foreach(rows, i, row)
                if (!gbx_living_is(site->directory, gbx_json_text(row, "id")))
                        return true;
        return false;
}

/* --- runs ---------------------------------------------------------------------------- */

/* What a run lacks that nobody executes any more. Its mark is held. */
static int put_in_order(struct gbx_site *site, const char *run, const char *state, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r;

        if (strcmp(state, "hold") == 0) {
                r = gbx_hold_finish(site, run, err);
                if (r != -EBADMSG)
                        return r < 0 ? r : 0;
        }
        if (strcmp(state, "held") == 0 || strcmp(state, "approved") == 0)
                return gbx_outputs_settle(site, run, err);
        r = gbx_transaction_begin_system(&transaction, site, err);
        if (r >= 0)
                r = gbx_run_close(transaction, run, NULL, err);
        return r < 0 ? r : 0;
}

/* The state of the run as the log has it, and its mark; inside a transaction, so that no run is about to begin. 1: somebody
 * is at work on it. `ret_state` stays empty if there is no such run. */
static int claim(struct gbx_site *site, const char *run, struct gbx_living **ret_living, char ret_state[static 24], struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_transaction_begin_system(&transaction, site, err);

        if (r >= 0)
                r = gbx_living_claim(ret_living, site->directory, run, err);
        if (r != 0)
                return r < 0 ? r : 1;
        r = gbx_fact_one(site, &row, err, "run", "id=?1", run, NULL);
        if (r == 0)
                (void)snprintf(ret_state, 24, "%s", gbx_json_text(row, "state"));
        return r < 0 ? r : 0;
}

/* Outputs that were approved and can never leave: what they were allowed by is gone, or there is nothing to release. Where
 * the log says so by now, that is the end; where it does not, it is said here. */
static int give_up(struct gbx_site *site, const char *run, int cause, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL, *details = json_pack("{s:s}", "state", "failed");
        struct gbx_error problem = {};
        int r = gbx_transaction_begin_system(&transaction, site, &problem);

        if (r >= 0)
                r = gbx_fact_one(site, &row, &problem, "run", "id=?1 AND state='approved'", run, NULL);
        if (r == 0 && (cause == -ENODATA || cause == -EKEYREJECTED)) {
                gbx_auto(gbx_json_freep) json_t *reasons = json_pack("[s]", gbx_word_text(GBX_WORD_INTERRUPTED));

                r = gbx_transaction_record(transaction, &(struct gbx_action){ "service.recover", run, "done", reasons, details }, NULL, err);
                return r < 0 ? r : 0;
        }
        return r > 0 ? 0 : cause; /* another state: held anew, or refused */
}

static bool has_state(struct gbx_site *site, const char *run, const char *state) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;

        return gbx_view_query_one(site->view, &row, NULL, "SELECT id FROM run WHERE id=?1 AND state=?2", run, state, NULL) == 0;
}

int gbx_recover_run(struct gbx_site *site, const char *run, bool *ret_changed, struct gbx_error *err) {
        gbx_auto(gbx_living_endp) struct gbx_living *living = NULL;
        char state[24] = "";
        int r = claim(site, run, &living, state, err);

        if (r != 0)
                return r;
        if (state[0])
                r = put_in_order(site, run, state, err);
        if (r < 0 && strcmp(state, "approved") == 0)
                r = give_up(site, run, r, err);
        if (r < 0)
                living = gbx_living_leave(living); /* the next one tries again */
        else if (ret_changed)
                *ret_changed = state[0] && !has_state(site, run, state);
        return r < 0 ? r : 0;
}

/* Runs that may lack something: those that should be under way, those that a dead one's mark names, and, if all are asked
 * for, those whose outputs reviewers have spoken of. */
static int find_runs(struct gbx_site *site, const json_t *dead, bool all, json_t **ret_ids, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL, *held = NULL, *ids = json_object();
        size_t i;
        json_t *row;
        int r = gbx_transaction_begin_system(&transaction, site, err); /* brings the view up to the log */

        if (r >= 0)
                r = gbx_fact_rows(site, &rows, err, "run", GBX_VIEW_RUN_OPEN, NULL);
        if (r >= 0 && all)
                r = gbx_fact_rows(site, &held, err, "run", "state='held'", NULL);
        if (r < 0)
                return r;
        json_array_foreach(rows, i, row)
                (void)json_object_set_new(ids, gbx_json_text(row, "id"), json_true());
        json_array_foreach(held, i, row)
                (void)json_object_set_new(ids, gbx_json_text(row, "id"), json_true());
        json_array_foreach(dead, i, row)
                if (strncmp(json_string_value(row), "run-", strlen("run-")) == 0)
                        (void)json_object_set_new(ids, json_string_value(row), json_true());
        *ret_ids = gbx_take_ptr(ids);
        return 0;
}

static int recover_runs(struct gbx_site *site, const json_t *dead, bool all, struct gbx_recovery *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *ids = NULL;
        const char *id;
        json_t *value;
        int result = find_runs(site, dead, all, &ids, err);

        json_object_foreach(ids, id, value) {
                struct gbx_error problem = {};
                bool changed = false;
                int r = gbx_recover_run(site, id, &changed, &problem);

                ret->runs += changed;
                ret->living += r > 0;
                if (r < 0 && result >= 0) {
                        result = r;
                        *err = problem;
                        (void)gbx_context(err, r, "%s", id);
                }
        }
        return result < 0 ? result : 0;
}

/* --- all of it ------------------------------------------------------------------------- */

static int finish_data(struct gbx_site *site, struct gbx_recovery *ret, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = gbx_transaction_begin_system(&transaction, site, err);

        return r < 0 ? r : gbx_finish_destructions(site, &ret->versions, err);
}

/* The marks are looked at before anything else: what dies while we are at it has the next one look. */
static int recover(struct gbx_site *site, bool all, struct gbx_recovery *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *dead = NULL;
        struct gbx_error problem = {};
        struct timespec since;
        int r = gbx_living_look(site->directory, &dead, &since, err), other;

        if (r >= 0)
                r = recover_runs(site, dead, all, ret, err);
        other = r == 0 ? finish_data(site, ret, err) : 0;
        if (other < 0)
                return other;
        if (!dead)
                return r;
        other = gbx_sweep(site, dead, &since, &ret->files, &problem);
        if (other < 0 && r >= 0) {
                *err = problem;
                r = other;
        }
        return r < 0 || ret->runs == 0 ? r : gbx_site_checkpoint(site, err);
}

/* One recovery at a time. 1: somebody else is at it. */
static int only_one(struct gbx_site *site, bool wait, int *ret_fd, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = -1;
        int r = gbx_make_directories(site->directory, "runs", 0700, err);

        fd = r < 0 ? r : gbx_open_directory(site->directory, "runs", err);
        if (fd < 0)
                return fd;
        while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
                if (errno != EINTR)
                        return errno == EWOULDBLOCK ? 1 : gbx_fail_errno(err, "cannot lock 'runs'");
        *ret_fd = gbx_take_fd(&fd);
        return 0;
}

/* Somebody is in the middle of a change: this would have to wait. */
static bool is_busy(struct gbx_site *site) {
        gbx_auto(gbx_close_fd) int fd = openat(site->directory, "lock", O_RDONLY | O_CLOEXEC);

        return fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0;
}

void gbx_recover_if_needed(struct gbx_site *site) {
        gbx_auto(gbx_close_fd) int alone = -1;
        struct gbx_recovery ignored = {};
        struct gbx_error problem = {};

        if (gbx_recovery_needed(site) && !is_busy(site) && only_one(site, false, &alone, &problem) == 0)
                (void)recover(site, false, &ignored, &problem);
}

int gbx_recover(struct gbx_site *site, struct gbx_recovery *ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int alone = -1;
        struct gbx_recovery recovery = {};
        int r = only_one(site, true, &alone, err);

        if (r >= 0)
                r = recover(site, true, &recovery, err);
        if (r >= 0)
                *ret = recovery;
        return r < 0 ? r : 0;
}
