/*
 * What this host offers: `gbx-sandbox check`
 */
#pragma once

/* Prints a line for each thing a sandbox needs or would like, with the knob that would provide what is missing.
 * Returns an exit status: 0 if every mandatory layer can be had, 1 if not. */
int gbx_check(void);
