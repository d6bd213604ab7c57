/*
 * What a run is asked for: algorithm, datasets, purpose, parameters
 *
 * Parameters come as a JSON object (`params`), or as texts NAME=VALUE (`param`)
 * whose types the policy in force for the purpose says; without one they are
 * texts, and the decision will say what is wrong.
 */
#pragma once

#include "gateway/api/operation.h"
#include "gateway/api/session.h"
#include "gateway/run/order.h"

enum { GBX_ORDER_DATASETS = 64 };

#define GBX_PARAMETER_FIELDS                                                                                            \
        { .name = "param", .value = "NAME=VALUE", .help = "a parameter, typed by the policy; lists as a,b,c", .repeated = true }, \
        { .name = "params", .type = GBX_FIELD_OBJECT, .value = "FILE", .help = "all parameters as a JSON object" }

#define GBX_ORDER_FIELDS                                                                                                           \
        { .name = "algo", .value = "DIGEST", .help = "the algorithm: digest, its first digits, or a unique name", .required = true }, \
        { .name = "data", .type = GBX_FIELD_NAME, .value = "NAME", .help = "a dataset", .required = true, .repeated = true },         \
        { .name = "purpose", .value = "PURPOSE", .help = "what for; the policy of this purpose applies", .required = true },          \
        GBX_PARAMETER_FIELDS

/* An order with what it points to. */
struct gbx_api_order {
        struct gbx_run_order order;
        const char *datasets[GBX_ORDER_DATASETS];
        json_t *parameters;
        struct gbx_sink *sink;
};

/* Fills `ret`, which stays where it is and is freed by the caller, also on failure. Borrows from `request`. */
int gbx_api_order(struct gbx_session *session, const json_t *request, struct gbx_sink *sink, struct gbx_api_order *ret,
                  struct gbx_error *err);
void gbx_api_order_free(struct gbx_api_order *order);

/* `ret_parameters` gets an object. */
int gbx_api_parameters(struct gbx_session *session, const json_t *request, json_t **ret_parameters, struct gbx_error *err);
