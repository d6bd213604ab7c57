/* One entry of a replay, against the view as it was before it (replay.h) */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/audit/replay.h"
#include "gateway/log/format/entry_time.h"

struct gbx_replay_state {
        struct gbx_site then; /* the site as it was before the entry: its view is built from the entries so far */
        struct gbx_replay *report;
        gbx_replay_right *right;
        uint64_t index;
        const json_t *entry;
        const char *action;
        struct gbx_entry_times times; /* of the entries so far */
};

/* What an entry is checked for, by its action. checks_people.c: users, approvals, datasets; checks_runs.c: decisions, the
 * gate, releases. Each table is ended by an empty element. */
struct gbx_replay_rule {
        const char *action;
        int (*check)(struct gbx_replay_state *state, struct gbx_error *err);
};
extern const struct gbx_replay_rule gbx_replay_people[], gbx_replay_runs[];

/* A signature over an object, by the key of somebody at that moment; `ret_text` gets the object. Counts it. */
int gbx_replay_check_signed(struct gbx_replay_state *state, const char *who, const char *object, const char *signature_object,
                            struct gbx_buffer *ret_text, struct gbx_error *err);

/* 0 if the entry's `ssh_key` is that of its actor at that moment. */
int gbx_replay_check_key(struct gbx_replay_state *state, struct gbx_error *err);

/* The run that the entry is about. 1: there is none. */
int gbx_replay_find_run(struct gbx_replay_state *state, json_t **ret_row, struct gbx_error *err);

/* A member of the entry, or of its details, as text; "" if it is not there. */
const char *gbx_replay_top(const struct gbx_replay_state *state, const char *field);
const char *gbx_replay_detail(const struct gbx_replay_state *state, const char *field);

/* Checks the entry; divergences go into the report, errors are failures of the replay itself. */
int gbx_replay_check(struct gbx_replay_state *state, struct gbx_error *err);

/* Adds what is worth a look and no fault. */
int gbx_replay_note(struct gbx_replay_state *state, const char *what, struct gbx_error *err);

/* Adds a divergence. */
int gbx_replay_diverge(struct gbx_replay_state *state, struct gbx_error *err, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
