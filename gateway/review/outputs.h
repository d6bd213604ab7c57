/*
 * Held outputs: what a reviewer's word does
 *
 * A reviewer other than the requester lets the outputs of a held run go, as
 * the gate made them, or refuses them. Either is an entry with the reviewer's
 * name and reason, before anything happens.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

int gbx_review_release(struct gbx_site *site, const char *run, const struct gbx_caller *reviewer, const char *reason, struct gbx_error *err);
int gbx_review_refuse(struct gbx_site *site, const char *run, const struct gbx_caller *reviewer, const char *reason, struct gbx_error *err);
