/*
 * The table of operations as OpenAPI 3.1
 *
 * Each operation is POST /v1/NOUN/VERB with its request as the body: JSON, or
 * multipart where files are attached (the part `request` is the JSON, the others
 * have the names of their fields). Fields that are paths on the gateway's
 * machine are for the command line alone and are left out.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>

int gbx_api_openapi(json_t **ret, struct gbx_error *err);
