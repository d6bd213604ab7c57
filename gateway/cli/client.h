/*
 * What the command line does itself
 *
 * A person's private key is used here and nowhere else: what needs a signature
 * is two operations, with ssh-keygen between them and no lock held meanwhile.
 */
#pragma once

#include "base/error.h"
#include "gateway/cli/invocation.h"

#include <jansson.h>

struct gbx_client {
        const char *noun, *verb;
        /* Like perform of an operation. GBX_CLIENT_PASS: nothing to do here, perform it as it is. */
        int (*run)(struct gbx_invocation *invocation, struct gbx_sink *sink, json_t **ret_answer, struct gbx_error *err);
};
enum { GBX_CLIENT_PASS = 100 };

/* What is done for an operation before or instead of performing it as it is; NULL: nothing. */
const struct gbx_client *gbx_client_find(const struct gbx_operation *operation);
