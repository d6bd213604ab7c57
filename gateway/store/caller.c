#include "gateway/store/caller.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct gbx_caller {
        char name[65];
        enum gbx_caller_proof_kind proof;
        bool operator;
};

const struct gbx_caller *gbx_caller_system(void) {
        static const struct gbx_caller caller = { .name = GBX_SYSTEM, .proof = GBX_PROOF_SYSTEM };

        return &caller;
}

static int make(struct gbx_caller **ret, const char *name, enum gbx_caller_proof_kind proof, bool operator, struct gbx_error *err) {
        struct gbx_caller *caller;

        if (!gbx_name_valid(name) || strcmp(name, GBX_SYSTEM) == 0 || (!operator && strcmp(name, GBX_OPERATOR) == 0))
                return gbx_fail(err, -EINVAL, "'%.64s' cannot be a user's name (--as NAME, GBX_AS)", name);
        caller = calloc(1, sizeof *caller);
        if (!caller)
                return gbx_fail_memory(err);
        (void)snprintf(caller->name, sizeof caller->name, "%s", name);
        caller->proof = proof;
        caller->operator = operator;
        *ret = caller;
        return 0;
}

int gbx_caller_directory(struct gbx_caller **ret, const char *name, struct gbx_error *err) {
        return make(ret, name ? name : GBX_OPERATOR, GBX_PROOF_DIRECTORY, name == NULL, err);
}

int gbx_caller_proven(struct gbx_caller **ret, const char *name, enum gbx_caller_proof_kind proof, struct gbx_error *err) {
        return make(ret, name, proof, false, err);
}

struct gbx_caller *gbx_caller_free(struct gbx_caller *caller) {
        free(caller);
        return NULL;
}

const char *gbx_caller_name(const struct gbx_caller *caller) {
        return caller->name;
}

const char *gbx_caller_proof(const struct gbx_caller *caller) {
        static const char *const names[] = { "system", "directory", "peer", "signature", "certificate" };

        return names[caller->proof];
}

int gbx_caller_is_operator(const struct gbx_caller *caller) {
        return caller->operator;
}
