/* Archives of algorithms: what the verb `archive` of gbx-parse does. For it, and for tests and fuzzers. */
#pragma once

#include "base/error.h"
#include "gateway/parse/bundle_files.h"

/* The files, sorted by path. -EINVAL for what is no archive, or one that gateway/algorithm/bundle.h refuses; -EDQUOT beyond
 * a limit. */
int gbx_archive_read(const void *data, size_t size, struct gbx_bundle_file **ret_files, size_t *ret_count,
                     struct gbx_error *err);
