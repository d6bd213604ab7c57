/*
 * The fate of a dataset: revoked, destroyed
 *
 * Its owner decides, or an administrator. A revoked one is used by no further
 * run; of a destroyed one the keys are gone, and with them every copy.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <stdint.h>

int gbx_revoke_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err);

/* Goes on where a destruction was recorded and then interrupted. Inside a transaction. `ret_count`: versions of which
 * something was still there. */
int gbx_finish_destructions(struct gbx_site *site, uint64_t *ret_count, struct gbx_error *err);

/* Destroys the keys of all versions of a dataset, then the ciphertexts; records the receipt first. */
int gbx_destroy_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err);
