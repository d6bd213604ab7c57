/*
 * Users: names, roles, keys
 *
 * One key, one person: a public key that any user has or had, under whatever
 * name, is refused for another. There is always an administrator.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdbool.h>

/* What is to be; NULL: as it is now. A new user needs roles and an SSH key. */
struct gbx_user_change {
        const json_t *roles; /* array of names of roles */
        const char *ssh_key; /* line of an OpenSSH public key; with another one, what was signed by the old one no longer counts */
        const char *age;     /* recipient, "" takes it away */
};

/* Adds a user, or changes of an active one what is named and nothing else. GBX_USER_CHANGED: there was one.
 * -EKEYREJECTED: the key is somebody else's, or nobody would be an administrator any more. */
enum { GBX_USER_CHANGED = 1 };
int gbx_user_add(struct gbx_site *site, const struct gbx_caller *caller, const char *name, const struct gbx_user_change *user,
                 struct gbx_error *err);

/* Approvals by a removed user no longer count, also if the user is added again. -EKEYREJECTED: the last administrator. */
int gbx_user_remove(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err);

/* Whose public key this is, among all users there ever were: 0 and the row, 1 if nobody's. */
int gbx_user_by_key(struct gbx_site *site, const char *key_line, json_t **ret_row, struct gbx_error *err);
