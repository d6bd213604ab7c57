/*
 * Talking to the proxies of live runs
 *
 * Each has a control socket, SITE/flows/RUN (egress/control.c says what it
 * understands). A proxy that was killed leaves its socket: nobody answers there.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/site.h"

#include <jansson.h>

/* One request to the proxy of one run. -ENOENT: it has ended. */
int gbx_flow_control_ask(const struct gbx_site *site, const char *run, const json_t *request, json_t **ret, struct gbx_error *err);

/* The state of every run that has flows, as an array. */
int gbx_flow_control_list(const struct gbx_site *site, json_t **ret, struct gbx_error *err);

/* Whether such a state is of this run, analyst and dataset; each may be NULL: any. */
bool gbx_flow_control_concerns(const json_t *state, const char *run, const char *analyst, const char *dataset);

/* Tells every proxy but that of the run `but` that the breaker of an analyst or dataset ("analyst", "dataset") is open; those
 * that it does not concern ignore it. Waits for nobody. */
void gbx_flow_control_announce(const struct gbx_site *site, const char *but, const char *kind, const char *name);
