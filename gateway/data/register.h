/*
 * Registering a dataset, in two steps
 *
 *   prepare   the owner's age file is opened with the site's identity, verified chunk by chunk, and kept under a new
 *             header that only a fresh key of this dataset version opens; destroying that key destroys the data. A
 *             manifest (JSON, an object of the site) binds name, version, owner, schema and ciphertext
 *   add       the version is recorded, with the owner's signature over the manifest (SSHSIG), for age proves neither
 *             sender nor name
 *
 * Between the two the owner signs, wherever the private key is; nothing is
 * locked meanwhile. A prepared intake is used once, and swept if nobody comes
 * back for it (intake.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/data/intake.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "policy/problems.h"

#include <jansson.h>

struct gbx_registration {
        const char *name;
        const char *owner;
        const char *schema; /* YAML */
        size_t schema_size;
        const char *schema_label, *data_label; /* what messages call them */
        int data;                              /* age, binary or armored, encrypted to the site; may be a pipe */
        struct gbx_problems *problems;         /* gets those of the schema; may be NULL */
};

/* `ret_id` names the intake, `ret_manifest` gets the bytes to sign. */
int gbx_prepare_dataset(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_registration *registration,
                        char ret_id[static GBX_KEYS_NAME_SIZE], struct gbx_buffer *ret_manifest, struct gbx_error *err);

/* Makes the prepared intake a version of its dataset. `signature` (armored SSHSIG over the manifest) may be NULL: not
 * signed. `ret_row` gets what `gbx data show` shows. Only who prepared it may. */
int gbx_add_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *id, const struct gbx_bytes *signature,
                    json_t **ret_row, struct gbx_error *err);

/* Gives it up. */
int gbx_discard_dataset(struct gbx_site *site, const struct gbx_caller *caller, const char *id, struct gbx_error *err);
