/*
 * The flows of a run: from its policy to its log entries
 *
 * If the policy grants flows, starts the egress proxy with them, and records
 * what the proxy reports: flow.opened before a byte leaves, flow.closed,
 * flow.refused. A record that cannot be kept ends the flows.
 *
 * The site's side of the settings is in SITE/egress.json (docs/egress.md):
 *   {"nameservers": […], "hosts": {…}, "trust": PEM, "client-certificates": {…}, "rate": BYTES}
 * The CA of inspection is made when it is first needed: SITE/keys/egress-ca.pem and egress-ca.key.
 */
#pragma once

#include "base/error.h"
#include "gateway/run/executor.h"
#include "gateway/run/plan.h"

struct gbx_flows;

/* `ret` stays NULL if the policy grants none. Records are made on a thread of its own: until gbx_flows_stop the caller
 * leaves the site alone, and keeps `plan`. */
int gbx_flows_start(struct gbx_flows **ret, struct gbx_site *site, const struct gbx_run_plan *plan, const char *id,
                    struct gbx_error *err);

/* Gives the execution its network, and the variables by which programs find proxy and CA. */
void gbx_flows_prepare(const struct gbx_flows *flows, struct gbx_execution *execution);

/* Ends the flows; all are recorded then, or the result is negative. Takes NULL. */
int gbx_flows_stop(struct gbx_flows *flows, struct gbx_error *err);
