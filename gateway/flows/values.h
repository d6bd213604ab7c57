/*
 * The identifiers of a run's datasets, for the content scan of its flows
 *
 * Values of the columns that a schema calls `class: identifier` or `key: yes`.
 * The dataset is decrypted once more, into memory that is not swapped, read,
 * and forgotten; only keyed hashes remain (egress/tokens.h). It is read in a
 * process that can do nothing but compute (parse/parse.h): the file is an
 * owner's, and what is made of it decides what a scan lets through.
 */
#pragma once

#include "gateway/egress/tokens.h"
#include "gateway/run/plan.h"
#include "policy/schema.h"

/* Adds the identifiers of one CSV file. -EBADMSG, or the reader's error, when it does not fit the schema. */
int gbx_flow_values_read(const struct gbx_schema *schema, int fd, struct gbx_tokens *tokens, struct gbx_error *err);

/* A descriptor for gbx_egress_options.tokens. Records the use of each dataset's key for the run `id`. */
int gbx_flow_values(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id, struct gbx_error *err);
