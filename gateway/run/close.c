#include "gateway/run/close.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/run/state.h"
#include "gateway/run/words.h"
#include "gateway/store/fact.h"

#include <string.h>

/* By which entry a run ends that was left in a state. */
static const struct {
        const char *state, *action;
} ends[] = {
        { "allowed", "run.end" },          { "running", "run.end" },      { "checking", "service.recover" },
        { "release", "service.recover" },  { "hold", "service.recover" },
};

int gbx_run_close(struct gbx_transaction *transaction, const char *run, const char *reason, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL, *details = NULL;
        gbx_auto(gbx_json_freep) json_t *reasons = json_pack("[s]", reason ? reason : gbx_word_text(GBX_WORD_INTERRUPTED));
        const char *state;
        int r = gbx_fact_one(gbx_transaction_site(transaction), &row, err, "run", "id=?1", run, NULL);

        if (r != 0)
                return r < 0 ? r : 1;
        state = gbx_run_state_of(gbx_json_text(row, "state"), gbx_json_text(row, "outcome"));
        for (size_t i = 0; i < gbx_array_size(ends); i++) {
                struct gbx_action action = { ends[i].action, run, "failed", reasons, NULL };

                if (!state || strcmp(ends[i].state, state) != 0)
                        continue;
                if (strcmp(ends[i].action, "service.recover") == 0) {
                        details = json_pack("{s:s}", "state", "failed");
                        action.outcome = "done";
                        action.details = details;
                }
                return gbx_transaction_record_system(transaction, &action, NULL, err);
        }
        return 1;
}
