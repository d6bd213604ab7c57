/*
 * Who used my data? For owners, administrators and auditors
 *
 * What the log says about one dataset: runs that were asked for and what became
 * of them, releases and to whom, policies that cover it, who uses its key and
 * when. Exact resource figures are left out: they belong to auditors.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>

/* {"dataset", "owner", "versions": […], "runs": [{"run","time","requester","purpose","algorithm","state"}],
 *  "releases": [{"release","run","time","recipient","fetched"}], "policies": [{"name","purpose","digest","state"}]} */
int gbx_data_usage(struct gbx_site *site, const struct gbx_caller *caller, const char *name, json_t **ret, struct gbx_error *err);
