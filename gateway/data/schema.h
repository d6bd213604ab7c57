/*
 * The schema that a dataset was registered with
 */
#pragma once

#include "policy/schema.h"

#include <jansson.h>

/* Reads and checks it again from the site's objects. `dataset` is a row of the view; the caller frees the schema. */
int gbx_dataset_schema(int site, const json_t *dataset, struct gbx_schema **ret, struct gbx_error *err);
