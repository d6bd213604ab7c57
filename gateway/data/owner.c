#include "gateway/data/owner.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/store/authorise.h"
#include "gateway/store/fact.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "policy/decision.h"
#include "policy/sshsig.h"
#include "policy/transfer_statement.h"

#include <stdio.h>
#include <string.h>

int gbx_dataset_owner(struct gbx_site *site, const char *name, char ret_owner[static GBX_OWNER_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "ownership", "name=?1", name, NULL);

        if (r == 0)
                (void)snprintf(ret_owner, GBX_OWNER_SIZE, "%s", gbx_json_text(row, "owner"));
        return r;
}

int gbx_check_owner(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err) {
        char owner[GBX_OWNER_SIZE];
        unsigned roles;
        int r = gbx_caller_roles(site, caller, &roles, err);

        if (r >= 0)
                r = gbx_dataset_owner(site, name, owner, err);
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no dataset '%s'", name);
        if (r >= 0 && !(roles & GBX_ROLE_ADMIN) && strcmp(owner, gbx_caller_name(caller)) != 0)
                return gbx_fail(err, -EKEYREJECTED, "the dataset '%s' is not of '%s'", name, gbx_caller_name(caller));
        return r;
}

int gbx_transfer_statement(struct gbx_site *site, const struct gbx_caller *caller, const char *name, const char *to,
                           struct gbx_buffer *ret_text, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_transfer *transfer = calloc(1, sizeof *transfer);
        uint8_t nonce[GBX_NONCE_SIZE];
        int r = transfer ? gbx_authorise_read(site, caller, "data transfer-statement", err) : gbx_fail_memory(err);

        if (r >= 0)
                r = gbx_dataset_owner(site, name, transfer->from, err);
        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no dataset '%s'", name);
        if (r >= 0)
                r = gbx_random(nonce, sizeof nonce, err);
        if (r < 0)
                return r;
        gbx_nonce_text(nonce, transfer->nonce);
        transfer->made = gbx_time_now();
        (void)snprintf(transfer->site, sizeof transfer->site, "%s", site->origin);
        (void)snprintf(transfer->dataset, sizeof transfer->dataset, "%s", name);
        (void)snprintf(transfer->to, sizeof transfer->to, "%s", to);
        return gbx_transfer_text(transfer, ret_text, err);
}

/* The new owner must be one by role. */
static int check_owner_role(struct gbx_site *site, const char *name, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_user_roles(site, name, &roles, err);

        if (r >= 0 && !(roles & GBX_ROLE_OWNER))
                r = gbx_fail(err, -EKEYREJECTED, "'%s' does not have the role owner", name);
        return r;
}

static int check_signature(struct gbx_site *site, const char *name, const struct gbx_transfer_signatures *given, const void *signature,
                           size_t size, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *user = NULL;
        struct gbx_ssh_key key;
        int r = gbx_fact_one(site, &user, err, "user", "name=?1 AND state='active'", name, NULL);

        if (r > 0)
                return gbx_fail(err, -EKEYREJECTED, "'%s' is not a user of this site", name);
        if (r >= 0)
                r = gbx_ssh_key_parse(gbx_json_text(user, "ssh_key"), &key, err);
        if (r >= 0)
                r = gbx_sshsig_verify(&key, GBX_SSHSIG_NAMESPACE, given->statement, given->statement_size, signature, size, err);
        return r < 0 ? gbx_context(err, r, "the signature of '%s'", name) : 0;
}

/* About this site and the owner of now; the statement was never used, which its entry would tell. */
static int check_transfer(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_transfer *transfer, const char *digest,
                          struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *used = NULL;
        char owner[GBX_OWNER_SIZE];
        int r = gbx_dataset_owner(site, transfer->dataset, owner, err);

        if (r > 0)
                return gbx_fail(err, -ENOENT, "there is no dataset '%s'", transfer->dataset);
        if (r >= 0)
                r = gbx_fact_one(site, &used, err, "ownership", "statement=?1", digest, NULL);
        if (r < 0)
                return r;
        if (r == 0 || strcmp(owner, transfer->from) != 0)
                return gbx_fail(err, -EKEYREJECTED, "'%s' is not of '%s' (any more); get a new statement with: gbx data transfer-statement",
                                transfer->dataset, transfer->from);
        if (strcmp(transfer->site, site->origin) != 0)
                return gbx_fail(err, -EKEYREJECTED, "the statement is about another site: %s", transfer->site);
        if (strcmp(gbx_caller_name(caller), transfer->from) != 0 && strcmp(gbx_caller_name(caller), transfer->to) != 0)
                return gbx_fail(err, -EKEYREJECTED, "'%s' is neither the old nor the new owner", gbx_caller_name(caller));
        return 0;
}

static int put_objects(struct gbx_site *site, const struct gbx_transfer_signatures *given, char digests[3][GBX_SHA256_TEXT_SIZE],
                       struct gbx_error *err) {
        int r = gbx_object_put(site->directory, given->statement, given->statement_size, digests[0], err);

        if (r >= 0)
                r = gbx_object_put(site->directory, given->from, given->from_size, digests[1], err);
        return r < 0 ? r : gbx_object_put(site->directory, given->to, given->to_size, digests[2], err);
}

int gbx_transfer_dataset(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_transfer_signatures *signed_by,
                         struct gbx_error *err) {
        gbx_auto(gbx_transaction_freep) struct gbx_transaction *transaction = NULL;
        gbx_auto(gbx_free_pointer) struct gbx_transfer *transfer = calloc(1, sizeof *transfer);
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char digests[3][GBX_SHA256_TEXT_SIZE];
        int r = transfer ? gbx_transfer_parse(signed_by->statement, signed_by->statement_size, transfer, err) : gbx_fail_memory(err);

        if (r >= 0)
                r = put_objects(site, signed_by, digests, err);
        if (r >= 0)
                r = gbx_transaction_begin(&transaction, site, caller, "data transfer", err);
        if (r >= 0)
                r = check_transfer(site, caller, transfer, digests[0], err);
        if (r >= 0)
                r = check_owner_role(site, transfer->to, err);
        if (r >= 0)
                r = check_signature(site, transfer->from, signed_by, signed_by->from, signed_by->from_size, err);
        if (r >= 0)
                r = check_signature(site, transfer->to, signed_by, signed_by->to, signed_by->to_size, err);
        if (r < 0)
                return r;
        details = json_pack("{s:s, s:s, s:s, s:s, s:s}", "from", transfer->from, "owner", transfer->to, "statement", digests[0],
                            "signature_from", digests[1], "signature_to", digests[2]);
        r = gbx_transaction_record(transaction, &(struct gbx_action){ "data.transfer", transfer->dataset, "done", NULL, details }, NULL, err);
        return r < 0 ? r : gbx_transaction_commit(&transaction, err);
}
