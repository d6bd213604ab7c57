/*
 * Whether an algorithm can start at all, asked when it is handed in
 *
 * What would end every run before its first line is said at once: a script
 * that does not compile, a program that needs an interpreter or libraries
 * that its image does not have. Scripts are compiled, never run; all is read
 * by gbx-parse.
 */
#pragma once

#include "base/error.h"
#include "gateway/algorithm/algorithm.h"

/* 0, or -EINVAL with the file, and of a script the line. */
int gbx_algorithm_startable(const struct gbx_algorithm *algorithm, const struct gbx_bundle *bundle, struct gbx_error *err);
