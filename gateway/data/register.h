/*
 * Registering a dataset
 *
 * The owner's age file is opened with the site's identity, verified chunk by
 * chunk, and kept under a new header that only a fresh key of this dataset
 * version opens; destroying that key destroys the data. A manifest (JSON, an
 * object of the site) binds name, version, owner, schema and ciphertext; the
 * owner may sign it (SSHSIG), for age proves neither sender nor name.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>

struct gbx_registration {
        const char *name;
        const char *owner;
        const char *schema_file;
        const char *data_file; /* age, binary or armored, encrypted to the site */
        /* Appends the owner's SSHSIG over the manifest; NULL: not signed. */
        int (*sign)(void *userdata, const void *message, size_t size, struct gbx_buffer *ret_signature, struct gbx_error *err);
        void *userdata;
};

/* `ret_row` gets what `gbx data show` shows. */
int gbx_register_dataset(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_registration *registration,
                         json_t **ret_row, struct gbx_error *err);
