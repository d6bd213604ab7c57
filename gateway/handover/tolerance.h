/*
 * What the owner of a dataset tolerates of a watermark
 *
 * A schema may say of a number how far a watermark may move it (policy/schema.h). A released column that bears the name
 * of such a column and whose unit is larger stays exact. Where the owner says nothing, the unit in the policy, or else
 * the one in the release, is what is tolerated.
 */
#pragma once

#include "gateway/store/site.h"
#include "watermark/mark.h"

#include <jansson.h>

/* Takes the unit from columns that must stay exact. `datasets` are rows of the view (struct gbx_run_plan). */
int gbx_tolerance_apply(struct gbx_site *site, const json_t *datasets, struct gbx_mark_column *columns, size_t count,
                        struct gbx_error *err);
