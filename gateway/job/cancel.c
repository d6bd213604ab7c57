#include "gateway/job/cancel.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/job/recover.h"
#include "gateway/run/state.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/living.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"

#include <string.h>

static int check_right(struct gbx_site *site, const struct gbx_caller *caller, const json_t *row, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_caller_roles(site, caller, &roles, err);

        if (r < 0 || roles & GBX_ROLE_ADMIN || strcmp(gbx_caller_name(caller), gbx_json_text(row, "requester")) == 0)
                return r < 0 ? r : 0;
        return gbx_fail(err, -EKEYREJECTED, "'%s' did not ask for %s; who did may cancel it, and an administrator", gbx_caller_name(caller),
                        gbx_json_text(row, "id"));
}

static int record(struct gbx_site *site, const struct gbx_caller *caller, const char *run, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        const char *state;
        int r = gbx_transaction_begin(&transaction, site, caller, "job cancel", err);

        if (r >= 0)
                r = gbx_fact_one(site, &row, err, "run", "id=?1", run, NULL);
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no run '%s' (gbx job ls)", run);
        if (r >= 0)
                r = check_right(site, caller, row, err);
        if (r < 0)
                return r;
        state = gbx_run_state_of(gbx_json_text(row, "state"), gbx_json_text(row, "outcome"));
        if (!gbx_run_next(state, "run.cancel", "done"))
                return gbx_fail(err, -EALREADY, "the job of %s has ended: %s", run, state);
        return gbx_transaction_record(transaction, &(struct gbx_action){ "run.cancel", run, "done", NULL, NULL }, NULL, err);
}

int gbx_cancel_run(struct gbx_site *site, const struct gbx_caller *caller, const char *run, struct gbx_error *err) {
        int r = record(site, caller, run, err);

        if (r < 0)
                return r;
        r = gbx_living_ask(site->directory, run, err);
        if (r == GBX_LIVING_GONE) {
                r = gbx_recover_run(site, run, NULL, err);
                if (r >= 0)
                        r = GBX_CANCEL_DEAD;
        }
        if (r >= 0 && gbx_site_checkpoint(site, err) < 0)
                return -EIO;
        return r;
}
