/* What the manifest of a release says beside its files (provenance.h signs it) */
#pragma once

#include "base/error.h"
#include "gateway/run/plan.h"
#include "policy/finding.h"

#include <jansson.h>

struct gbx_predicate_parts {
        const struct gbx_run_plan *plan;
        const char *origin;              /* of the site */
        const char *run, *release;       /* ids */
        const char *findings;            /* digest */
        json_t *marks;                   /* by table */
        const json_t *reviews;           /* what people decided; NULL: the gate let it go by itself */
        const struct gbx_findings *found; /* which of them people let pass, if they decided */
};

int gbx_predicate_make(const struct gbx_predicate_parts *parts, json_t **ret, struct gbx_error *err);
