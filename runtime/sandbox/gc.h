/*
 * Removing what killed runs left: `gbx-sandbox gc`
 *
 * There is nothing to remove unless a launcher and its guard were killed
 * together: then the run's cgroups stay, unlocked and empty.
 */
#pragma once

/* Prints a line for each leftover. Returns an exit status: 0, whether or not there was something; 1 if something
 * could not be removed. */
int gbx_gc(void);
