/*
 * The effective sandbox of a spec, in words: `gbx-sandbox explain SPEC`
 */
#pragma once

/* Prints mounts, limits, descriptors and system calls; starts nothing. Returns an exit status. */
int gbx_explain(const char *spec_path);
