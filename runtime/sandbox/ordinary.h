/*
 * gbx-sandbox for an ordinary user
 *
 * Somebody who is not root gets the power to mount and to give ids from a user
 * namespace of his own, which the launcher enters first: there it is user 0,
 * and the ids of his range in /etc/subuid and /etc/subgid (subuid(5)) are 1
 * and up, of which each run takes two. The setuid programs newuidmap(1) and
 * newgidmap(1) check and set the maps.
 *
 * What only the initial namespace may do stays out of reach: image files
 * (directories work), tmpfs without swap, and cgroups that were not delegated.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* Enters the namespaces; `ret_count` gets how many ids from 1 on there are. -EPERM names what is missing. */
int gbx_ordinary_enter(uint32_t *ret_count, struct gbx_error *err);

/* Whether the caller has a range and the programs; nothing is changed. */
int gbx_ordinary_possible(struct gbx_error *err);

/* --- pure, for tests --- */

/* The range of `name` or `id` in the text of /etc/subuid: 0, or -ENOENT. */
int gbx_ordinary_find_range(const char *text, const char *name, uint32_t id, uint32_t *ret_first, uint32_t *ret_count);
/* The name of `id` in the text of /etc/passwd, "" if there is none. */
void gbx_ordinary_find_name(const char *text, uint32_t id, char *ret, size_t size);
