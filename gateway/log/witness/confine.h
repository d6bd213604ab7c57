/*
 * A cage for the witness (internal to gateway/log): when its key is read and its socket bound, the process may reach no
 * file but those of its state, and start no program
 */
#pragma once

#include "base/error.h"

/* Landlock (landlock(7)) on everything but the directory `path`. 1: the kernel does not have it. The limits hold for
 * this process and cannot be taken back. */
int gbx_witness_confine(const char *path, struct gbx_error *err);
