#include "gateway/store/transaction.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/authorise.h"
#include "gateway/store/site_lock.h"
#include "gateway/store/view.h"
#include "gateway/store/witnesses.h"

struct gbx_transaction {
        struct gbx_site *site;
        const struct gbx_caller *caller;
};

struct gbx_transaction *gbx_transaction_free(struct gbx_transaction *transaction) {
        if (transaction)
                gbx_site_unlock(transaction->site);
        free(transaction);
        return NULL;
}

struct gbx_site *gbx_transaction_site(const struct gbx_transaction *transaction) {
        return transaction->site;
}

const struct gbx_caller *gbx_transaction_caller(const struct gbx_transaction *transaction) {
        return transaction->caller;
}

static int begin(struct gbx_transaction **ret, struct gbx_site *site, const struct gbx_caller *caller, struct gbx_error *err) {
        struct gbx_transaction *transaction = calloc(1, sizeof *transaction);
        int r;

        if (!transaction)
                return gbx_fail_memory(err);
        r = gbx_site_lock(site, err);
        if (r < 0) {
                free(transaction);
                return r;
        }
        *transaction = (struct gbx_transaction){ site, caller };
        *ret = transaction;
        return 0;
}

/* The refusal stands whether or not it can be written down. */
static void record_refusal(struct gbx_transaction *transaction, const char *action) {
        gbx_auto(gbx_json_freep) json_t *details = json_pack("{s:s}", "command", action);
        struct gbx_error ignored = {};

        (void)gbx_transaction_record(transaction, &(struct gbx_action){ "access.denied", action, "denied", NULL, details }, NULL, &ignored);
}

int gbx_transaction_begin(struct gbx_transaction **ret, struct gbx_site *site, const struct gbx_caller *caller, const char *action,
                          struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = begin(&transaction, site, caller, err);

        if (r < 0)
                return r;
        r = gbx_authorise(site, caller, action, err);
        if (r == -EKEYREJECTED)
                record_refusal(transaction, action);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(transaction);
        return 0;
}

int gbx_transaction_begin_system(struct gbx_transaction **ret, struct gbx_site *site, struct gbx_error *err) {
        return begin(ret, site, gbx_caller_system(), err);
}

/* Appends an entry that is complete and applies it to the view. */
static int append(struct gbx_site *site, const json_t *json, uint64_t *ret_index, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer entry = {};
        uint64_t index;
        int r = gbx_entry_format(json, &entry, err);

        if (r < 0)
                return r;
        r = gbx_log_append(site->log, entry.data, entry.size, &index, err);
        if (r < 0)
                return gbx_context(err, r, "nothing was done: the action log cannot take this");
        r = gbx_view_apply(site->writer, site->seal_key, index, gbx_buffer_text(&entry), entry.size, err);
        if (r >= 0 && ret_index)
                *ret_index = index;
        return r;
}

static int record(struct gbx_transaction *transaction, const struct gbx_caller *caller, const struct gbx_action *action,
                  uint64_t *ret_index, struct gbx_error *err) {
        struct gbx_site *site = transaction->site;
        gbx_auto(gbx_json_freep) json_t *json = NULL, *step = NULL;
        const json_t *reason;
        size_t place;
        int r = gbx_entry_new(&json, action->action, gbx_caller_name(caller), action->object, action->outcome, gbx_time_now(),
                              json_incref(action->details), err);

        if (r >= 0)
                r = gbx_entry_set_proof(json, gbx_caller_proof(caller), err);
        json_array_foreach(action->reasons, place, reason)
                if (r >= 0)
                        r = gbx_entry_add_reason(json, json_string_value(reason), err);
        if (r >= 0)
                r = gbx_log_time(site->log, gbx_time_now(), json, &step, err);
        if (r > 0)
                r = append(site, step, NULL, err);
        if (r >= 0)
                r = append(site, json, ret_index, err);
        return r < 0 ? gbx_context(err, r, "log entry '%s'", action->action) : r;
}

int gbx_transaction_record(struct gbx_transaction *transaction, const struct gbx_action *action, uint64_t *ret_index, struct gbx_error *err) {
        return record(transaction, transaction->caller, action, ret_index, err);
}

int gbx_transaction_record_system(struct gbx_transaction *transaction, const struct gbx_action *action, uint64_t *ret_index,
                                  struct gbx_error *err) {
        return record(transaction, gbx_caller_system(), action, ret_index, err);
}

int gbx_transaction_commit(struct gbx_transaction **transaction, struct gbx_error *err) {
        struct gbx_site *site = (*transaction)->site;

        *transaction = gbx_transaction_free(*transaction);
        return gbx_site_checkpoint(site, err);
}

int gbx_record(struct gbx_site *site, const struct gbx_caller *caller, const char *action_name, const struct gbx_action *action,
               struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = gbx_transaction_begin(&transaction, site, caller, action_name, err);

        if (r >= 0)
                r = gbx_transaction_record(transaction, action, NULL, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}

int gbx_record_system(struct gbx_site *site, const struct gbx_action *action, struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        int r = gbx_transaction_begin_system(&transaction, site, err);

        return r < 0 ? r : gbx_transaction_record(transaction, action, NULL, err);
}

int gbx_site_checkpoint(struct gbx_site *site, struct gbx_error *err) {
        int r = gbx_log_checkpoint(site->log, NULL, err);

        return r < 0 ? r : gbx_site_ask_witnesses(site, err);
}
