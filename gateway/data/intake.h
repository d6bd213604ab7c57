/*
 * A prepared intake: data that lies in the site and is nobody's dataset yet
 *
 * Made by gbx_prepare_dataset, used once by gbx_add_dataset, whatever comes of
 * it. Three files: the ciphertext under its own key, data/ID; that key,
 * keys/ID; and what is known of it, data/ID.json, with a MAC under a key of the
 * site, so that nobody else writes one. What nobody came back for is swept
 * after GBX_INTAKE_SECONDS.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"
#include "gateway/store/site.h"
#include "runtime/vault/keys.h"

#include <stdint.h>

enum {
        GBX_INTAKE_SECONDS = 24 * 3600,
        GBX_INTAKE_NAME_SIZE = 65,
        GBX_INTAKE_PATH_SIZE = sizeof "data/" + GBX_KEYS_NAME_SIZE + sizeof ".json",
};

struct gbx_intake {
        char id[GBX_KEYS_NAME_SIZE];       /* "incoming-<16 digits>" */
        char name[GBX_INTAKE_NAME_SIZE];   /* of the dataset */
        char owner[GBX_INTAKE_NAME_SIZE];
        char caller[GBX_INTAKE_NAME_SIZE]; /* who prepared it, and may come back for it */
        uint64_t before_version;           /* the name's last version then; 0: none */
        int64_t before_state;              /* the entry that said its state last; -1: none */
        uint64_t bytes;                    /* of plaintext */
        int64_t expires;                   /* seconds since 1970 */
        char ciphertext[GBX_SHA256_TEXT_SIZE]; /* as the owner sent it */
        char stored[GBX_SHA256_TEXT_SIZE];     /* as the site keeps it */
        char schema[GBX_SHA256_TEXT_SIZE];     /* the engine's form, an object */
        char schema_source[GBX_SHA256_TEXT_SIZE];
        char manifest[GBX_SHA256_TEXT_SIZE];   /* an object */
};

/* A name that no other attempt has, however many there are at once. */
int gbx_intake_name(char ret[static GBX_KEYS_NAME_SIZE], struct gbx_error *err);

/* Writes what is known of it, durably. */
int gbx_intake_keep(struct gbx_site *site, const struct gbx_intake *intake, struct gbx_error *err);

/* -ENOENT: there is none of that name, or its time is over; -EBADMSG: it is not what the site wrote. */
int gbx_intake_load(struct gbx_site *site, const char *id, struct gbx_intake *ret, struct gbx_error *err);

/* Removes all three, as far as they are there. */
void gbx_intake_drop(struct gbx_site *site, const char *id);

/* Removes those that nobody came back for. */
void gbx_intake_sweep(struct gbx_site *site);
