/*
 * A transaction: the one way to change a site
 *
 *   begin    lock, bring the view up to the log, check the view's seal, authorise
 *   record   append an entry durably, then apply it to the view
 *   commit   unlock, then publish a checkpoint and show it to the witnesses
 *
 * Between begin and commit no other process and no other thread of the site
 * decides or records. The right to act is asked inside, so that one that is
 * gone cannot be used between the question and the act. Each entry is durable
 * when gbx_transaction_record returns: what happened before a crash is in the
 * log, and `gbx service recover` (gateway/job) puts the rest in order.
 *
 * Nothing slow belongs between: no network, no child process, no passphrase,
 * no bulk cryptography. Prepare first, then begin.
 *
 *   gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
 *   int r = gbx_transaction_begin(&transaction, site, caller, "user add", err);
 *   if (r >= 0)
 *           r = gbx_transaction_record(transaction, &(struct gbx_action){ … }, NULL, err);
 *   return r < 0 ? r : gbx_transaction_commit(&transaction, err);
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdint.h>

struct gbx_transaction;

/* What was done or decided, as it goes into the log (docs/log-format.md). Who did it is the transaction's caller. */
struct gbx_action {
        const char *action;  /* of the table in gateway/log/format/entry.h */
        const char *object;  /* what it was done to */
        const char *outcome; /* "done", "allowed", "denied", "failed", … */
        json_t *reasons;     /* array of texts or NULL; borrowed */
        json_t *details;     /* object or NULL; borrowed */
};

/* `action` is one of policy/decision_action.c ("algo submit"). -EKEYREJECTED, and an entry, if the caller may not;
 * -EBADMSG if the view is not what the log made of it. The site must not be in a transaction of this thread already. */
int gbx_transaction_begin(struct gbx_transaction **ret, struct gbx_site *site, const struct gbx_caller *caller, const char *action,
                          struct gbx_error *err);

/* What follows from something decided before: the gateway acts, nobody's right is asked. */
int gbx_transaction_begin_system(struct gbx_transaction **ret, struct gbx_site *site, struct gbx_error *err);

/* `ret_index` (may be NULL) gets the entry's number. */
int gbx_transaction_record(struct gbx_transaction *transaction, const struct gbx_action *action, uint64_t *ret_index, struct gbx_error *err);

/* The same in the gateway's own name: what follows from what the caller did. */
int gbx_transaction_record_system(struct gbx_transaction *transaction, const struct gbx_action *action, uint64_t *ret_index,
                                  struct gbx_error *err);

/* Ends the transaction and publishes a checkpoint. On return every entry of it is covered, or the result is negative:
 * the entries stand all the same. Sets the pointer to NULL. */
int gbx_transaction_commit(struct gbx_transaction **transaction, struct gbx_error *err);

/* Ends it without a checkpoint: entries recorded so far stand. Takes NULL; returns NULL. */
struct gbx_transaction *gbx_transaction_free(struct gbx_transaction *transaction);
static inline void gbx_transaction_freep(struct gbx_transaction **transaction) { *transaction = gbx_transaction_free(*transaction); }

struct gbx_site *gbx_transaction_site(const struct gbx_transaction *transaction);
const struct gbx_caller *gbx_transaction_caller(const struct gbx_transaction *transaction);

/* The whole of a change that is one entry. */
int gbx_record(struct gbx_site *site, const struct gbx_caller *caller, const char *action_name, const struct gbx_action *action,
               struct gbx_error *err);
/* One entry in the gateway's name, without a checkpoint. */
int gbx_record_system(struct gbx_site *site, const struct gbx_action *action, struct gbx_error *err);

/* Publishes a checkpoint that covers every entry recorded so far, and shows it to the site's witnesses. No lock is held. */
int gbx_site_checkpoint(struct gbx_site *site, struct gbx_error *err);
