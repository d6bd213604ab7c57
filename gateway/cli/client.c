#include "gateway/cli/client.h"

#include <string.h>

static const struct gbx_client clients[] = {
        {},
};

const struct gbx_client *gbx_client_find(const struct gbx_operation *operation) {
        for (const struct gbx_client *c = clients; c->noun; c++)
                if (strcmp(c->noun, operation->noun) == 0 && operation->verb && strcmp(c->verb, operation->verb) == 0)
                        return c;
        return NULL;
}
