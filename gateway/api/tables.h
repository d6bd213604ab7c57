/* Tables and findings of the gate, in answers. */
#pragma once

#include "base/error.h"
#include "gateway/api/operation.h"
#include "gateway/gate/gate.h"

#include <jansson.h>

/* [{"name","rows","csv"}, …] */
int gbx_api_tables(const struct gbx_gate_result *result, json_t **ret, struct gbx_error *err);

extern const struct gbx_column gbx_api_finding_columns[];
