/*
 * Removing what killed runs left: `gbx-sandbox gc`
 *
 * There is nothing to remove unless a launcher and its guard were killed
 * together: then the run's cgroups stay, unlocked and empty.
 */
#pragma once

/* Looks where runs of this caller have their cgroups; on version 2 below `delegated` (options.cgroup of their specs),
 * or the root if it is NULL. Prints a line for each leftover. Returns an exit status: 0, whether or not there was
 * something; 1 if something could not be removed. */
int gbx_gc(const char *delegated);
