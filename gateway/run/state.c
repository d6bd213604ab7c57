#include "gateway/run/state.h"

#include "base/cleanup.h"

#include <string.h>

const struct gbx_run_transition gbx_run_transitions[] = {
        { "run.decide", "allowed", NULL, "allowed" },
        { "run.decide", "denied", NULL, "denied" },
        { "run.start", NULL, "allowed", "running" },
        { "run.end", "done", "running", "checking" },
        { "run.end", "failed", "running", "failed" },
        { "run.end", "limit", "running", "limit" },
        { "run.end", "cancelled", "running", "cancelled" },
        /* before it could begin */
        { "run.end", "failed", "allowed", "failed" },
        { "run.end", "cancelled", "allowed", "cancelled" },
        /* somebody asks for its end; whoever executes it does that */
        { "run.cancel", NULL, "allowed", "allowed" },
        { "run.cancel", NULL, "running", "running" },
        { "gate.check", "release", "checking", "release" },
        { "gate.check", "hold", "checking", "hold" },
        { "gate.check", "refuse", "checking", "refuse" },
        /* again, when releases since then bear on what is held */
        { "gate.check", "release", "held", "release" },
        { "gate.check", "hold", "held", "hold" },
        { "gate.check", "refuse", "held", "refuse" },
        { "gate.check", "release", "approved", "release" },
        { "gate.check", "hold", "approved", "hold" },
        { "gate.check", "refuse", "approved", "refuse" },
        { "gate.hold", NULL, "hold", "held" },
        { "release.approve", NULL, "held", "approved" },
        { "release.reject", NULL, "held", "rejected" },
        { "release.reject", NULL, "approved", "rejected" },
        { "release.create", NULL, "release", "released" },
        { "release.create", NULL, "approved", "released" },
        /* it had ended well, and what should have followed was interrupted */
        { "service.recover", NULL, "checking", "failed" },
        { "service.recover", NULL, "hold", "failed" },
        { "service.recover", NULL, "release", "failed" },
        { "service.recover", NULL, "approved", "failed" },
};
const size_t gbx_run_transition_count = gbx_array_size(gbx_run_transitions);

static bool same(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

bool gbx_run_moves(const char *action) {
        for (size_t i = 0; i < gbx_run_transition_count; i++)
                if (same(gbx_run_transitions[i].action, action))
                        return true;
        return false;
}

const char *gbx_run_next(const char *state, const char *action, const char *outcome) {
        for (size_t i = 0; i < gbx_run_transition_count; i++) {
                const struct gbx_run_transition *transition = &gbx_run_transitions[i];

                if (same(transition->action, action) && same(transition->from, state) &&
                    (!transition->outcome || same(transition->outcome, outcome)))
                        return transition->to;
        }
        return NULL;
}

bool gbx_run_is_final(const char *state) {
        for (size_t i = 0; i < gbx_run_transition_count; i++)
                if (same(gbx_run_transitions[i].from, state))
                        return false;
        return true;
}

const char *gbx_run_state_of(const char *state, const char *outcome) {
        if (!state || strcmp(state, "ended") != 0)
                return state;
        for (size_t i = 0; outcome && i < gbx_run_transition_count; i++)
                if (same(gbx_run_transitions[i].action, "run.end") && same(gbx_run_transitions[i].outcome, outcome))
                        return gbx_run_transitions[i].to;
        return "failed";
}
