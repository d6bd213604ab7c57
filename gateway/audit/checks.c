#include "gateway/audit/checks.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/run/state.h"
#include "gateway/store/authorise.h"
#include "gateway/store/caller.h"
#include "gateway/store/fact.h"
#include "policy/decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int gbx_replay_diverge(struct gbx_replay_state *state, struct gbx_error *err, const char *format, ...) {
        char text[1024];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof text, format, args);
        va_end(args);
        if (json_array_append_new(state->report->divergences, json_pack("{s:I, s:s, s:s}", "entry", (json_int_t)state->index, "action",
                                                                        state->action, "what", text)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

int gbx_replay_note(struct gbx_replay_state *state, const char *what, struct gbx_error *err) {
        if (json_array_append_new(state->report->notes, json_pack("{s:I, s:s, s:s}", "entry", (json_int_t)state->index, "action",
                                                                  state->action, "what", what)) < 0)
                return gbx_fail_memory(err);
        return 0;
}

const char *gbx_replay_top(const struct gbx_replay_state *state, const char *field) {
        const char *text = json_string_value(json_object_get(state->entry, field));

        return text ? text : "";
}

const char *gbx_replay_detail(const struct gbx_replay_state *state, const char *field) {
        const char *text = json_string_value(json_object_get(json_object_get(state->entry, "details"), field));

        return text ? text : "";
}

/* --- when ----------------------------------------------------------------------- */

static int check_time(struct gbx_replay_state *state, struct gbx_error *err) {
        char what[160];
        int r = gbx_entry_times_follow(&state->times, state->entry, what, sizeof what);

        if (r == GBX_ENTRY_TIME_FAULT)
                return gbx_replay_diverge(state, err, "%s", what);
        return r == GBX_ENTRY_GAP_NOTE ? gbx_replay_note(state, what, err) : 0;
}

/* --- who ------------------------------------------------------------------------ */

static int check_actor(struct gbx_replay_state *state, struct gbx_error *err) {
        const char *actor = gbx_replay_top(state, "actor"), *right = state->right ? state->right(state->action) : NULL;
        unsigned roles = GBX_ROLE_ADMIN | GBX_ROLE_OWNER;
        struct gbx_error problem = {};

        if (!right || strcmp(actor, GBX_SYSTEM) == 0) /* what follows from what people did */
                return 0;
        if (strcmp(actor, GBX_OPERATOR) != 0 && gbx_user_roles(&state->then, actor, &roles, &problem) < 0)
                return gbx_replay_diverge(state, err, "'%s' was not an active user", actor);
        return gbx_decide_action(roles, right, &problem) < 0
                       ? gbx_replay_diverge(state, err, "'%s' was not allowed: %s", actor, problem.message)
                       : 0;
}

/* --- runs ------------------------------------------------------------------------ */

int gbx_replay_find_run(struct gbx_replay_state *state, json_t **ret_row, struct gbx_error *err) {
        const char *run = strcmp(state->action, "release.create") == 0 ? gbx_replay_detail(state, "run") : gbx_replay_top(state, "object");

        return gbx_fact_one(&state->then, ret_row, err, "run", "id=?1", run, NULL);
}

static int check_transition(struct gbx_replay_state *state, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        const char *found = NULL;
        int r;

        if (!gbx_run_moves(state->action))
                return 0;
        r = gbx_replay_find_run(state, &row, err);
        if (r < 0)
                return r;
        if (r == 0)
                found = gbx_run_state_of(json_string_value(json_object_get(row, "state")),
                                         json_string_value(json_object_get(row, "outcome")));
        if (gbx_run_next(found, state->action, gbx_replay_top(state, "outcome")))
                return 0;
        return found ? gbx_replay_diverge(state, err, "illegal in the state '%s' of the run", found)
                     : gbx_replay_diverge(state, err, "illegal for a run that was not decided");
}

/* --- all of it ------------------------------------------------------------------- */

static int apply(struct gbx_replay_state *state, const struct gbx_replay_rule *rules, struct gbx_error *err) {
        int r = 0;

        for (; rules->action && r >= 0; rules++)
                if (strcmp(rules->action, state->action) == 0)
                        r = rules->check(state, err);
        return r;
}

int gbx_replay_check(struct gbx_replay_state *state, struct gbx_error *err) {
        int r = check_time(state, err);

        if (r >= 0)
                r = check_actor(state, err);
        if (r >= 0)
                r = check_transition(state, err);
        if (r >= 0)
                r = apply(state, gbx_replay_people, err);
        return r < 0 ? r : apply(state, gbx_replay_runs, err);
}
