/*
 * Who may do what, asked in one place
 *
 * The roles of a principal come from the view, the table of actions from
 * policy/decision.h. Somebody who works on a site's directory without naming a
 * principal is its operator: whoever can read the keys administers the site.
 * Refusals are recorded.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <jansson.h>

#define GBX_OPERATOR "operator"

/* The name that goes into the log. */
static inline const char *gbx_actor(const char *as) { return as ? as : GBX_OPERATOR; }

/* The roles (bits of enum gbx_role) of a principal; NULL is the operator. -EKEYREJECTED for unknown or removed ones. */
int gbx_principal_roles(struct gbx_site *site, const char *name, unsigned *ret_roles, struct gbx_error *err);

/* 0 if `name` may do `action` ("algo submit"); -EKEYREJECTED and a log entry if not. */
int gbx_authorise(struct gbx_site *site, const char *name, const char *action, struct gbx_error *err);

/* A list of role names (JSON array) as bits, and bits as the text of a request ("analyst,reviewer"). */
int gbx_roles_from_list(const json_t *list, unsigned *ret_roles, struct gbx_error *err);
