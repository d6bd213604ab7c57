/*
 * Who may do what, asked in one place
 *
 * The roles of a principal are a fact of the log (fact.h), the table of actions
 * is policy/decision.h. What changes something is authorised inside its
 * transaction (transaction.h); what only reads, by gbx_authorise_read.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>

/* The roles (bits of enum gbx_role) of a caller, as they are now. -EKEYREJECTED for unknown or removed users. */
int gbx_caller_roles(struct gbx_site *site, const struct gbx_caller *caller, unsigned *ret_roles, struct gbx_error *err);

/* The roles of a user by name. -EKEYREJECTED for unknown or removed ones. */
int gbx_user_roles(struct gbx_site *site, const char *name, unsigned *ret_roles, struct gbx_error *err);

/* 0 if the caller may do `action` ("algo submit"), -EKEYREJECTED if not. Records nothing. */
int gbx_authorise(struct gbx_site *site, const struct gbx_caller *caller, const char *action, struct gbx_error *err);

/* The same for what only reads: waits for no writer, unless the answer is no, which is recorded. */
int gbx_authorise_read(struct gbx_site *site, const struct gbx_caller *caller, const char *action, struct gbx_error *err);

/* A list of role names (JSON array) as bits. */
int gbx_roles_from_list(const json_t *list, unsigned *ret_roles, struct gbx_error *err);

/* The view's column `roles`, a JSON list, as the text of a request: "analyst,reviewer". NULL gives "". NULL: out of memory. */
json_t *gbx_roles_column_text(const char *list);
