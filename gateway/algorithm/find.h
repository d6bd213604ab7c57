/* Finding a submitted algorithm by what people call it */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <jansson.h>

/* The algorithm that a digest, the first digits of one, or a unique name means; a row of the view. */
int gbx_find_algorithm(struct gbx_site *site, const char *what, json_t **ret_row, struct gbx_error *err);
