/*
 * The caller: who acts, and how that was proven
 *
 * Nobody names himself. A caller is made by the code that authenticates, and by
 * nothing else; every transaction carries one, and its proof stands in each
 * entry that it records:
 *
 *   system       the gateway itself: what follows from a decision
 *   directory    whoever can open the site's directory and its keys; such a one may act as anybody, and the log says so
 *   peer         a user of this machine, by SO_PEERCRED of a socket
 *   signature    an SSH signature over a fresh challenge or a statement
 *   certificate  a client certificate
 */
#pragma once

#include "base/error.h"

struct gbx_caller;

enum gbx_caller_proof_kind {
        GBX_PROOF_SYSTEM,
        GBX_PROOF_DIRECTORY,
        GBX_PROOF_PEER,
        GBX_PROOF_SIGNATURE,
        GBX_PROOF_CERTIFICATE,
};

#define GBX_OPERATOR "operator" /* who has the directory and says no name: admin and owner, for such a one has the keys */
#define GBX_SYSTEM "system"

/* Belongs to the program. */
const struct gbx_caller *gbx_caller_system(void);

/* By the directory: the caller has opened the site with its keys. `name` NULL: the operator. -EINVAL: no such name can
 * be. Whether there is a user of that name is asked where something is done. */
int gbx_caller_directory(struct gbx_caller **ret, const char *name, struct gbx_error *err);

/* By proof of another kind, for the code that has checked it. */
int gbx_caller_proven(struct gbx_caller **ret, const char *name, enum gbx_caller_proof_kind proof, struct gbx_error *err);

struct gbx_caller *gbx_caller_free(struct gbx_caller *caller);
static inline void gbx_caller_freep(struct gbx_caller **caller) { *caller = gbx_caller_free(*caller); }

/* The name as it stands in the log; lives as long as the caller. */
const char *gbx_caller_name(const struct gbx_caller *caller);
/* "directory", … */
const char *gbx_caller_proof(const struct gbx_caller *caller);
int gbx_caller_is_operator(const struct gbx_caller *caller);
