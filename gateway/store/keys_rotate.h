/*
 * Rotation of the site's keys
 *
 *   site.key        a new age identity. What waits under the old one (held outputs, originals of releases) is encrypted
 *                   anew. The log has the digests of the old files; the entry names an object that maps them to the new
 *                   ones (gbx_site_sealed_same). Owners must encrypt to the new recipient from then on.
 *   provenance.key  a new signing key. The log keeps the old public key, so that manifests that were signed before still
 *                   verify (gbx_site_provenance_keys).
 *
 * Each is one entry, `keys.rotate`. What is new is written beside the old; the entry decides; then the new takes the old
 * one's place and the old key is overwritten. After a crash gbx_site_open finishes what the log has, and undoes what it
 * has not.
 *
 * Not rotated:
 *
 *   log.key         its verifier is what the log *is* to whoever kept it: auditors, witnesses (C2SP tlog-witness configures
 *                   one key for an origin, out of band), anchors, journal and view. Checkpoints may carry two signatures
 *                   while both keys are in use; but afterwards everybody with the old verifier alone would find each new
 *                   checkpoint unsigned, and nothing in the formats revokes the old key: who stole it goes on signing
 *                   histories that they accept. A rotation in place would only look like one. If log.key is lost or
 *                   stolen, end the log under a witnessed checkpoint and begin a site with a new origin.
 *   watermark.key   every mark ever made is traced with it.
 *   dataset keys    one for each version: register a new version and destroy the old one.
 */
#pragma once

#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <jansson.h>
#include <stdint.h>

struct gbx_keys_rotation {
        char before[80], after[80]; /* public halves, as text */
        uint64_t files;             /* encrypted anew */
};

/* `key` is "site.key" or "provenance.key". The caller must be allowed "keys rotate". The site is locked meanwhile; for
 * site.key no run may be under way (-EBUSY). -EOPNOTSUPP: a key that is not rotated, or one in a token. */
int gbx_site_keys_rotate(struct gbx_site *site, const struct gbx_caller *caller, const char *key, struct gbx_keys_rotation *ret,
                         struct gbx_error *err);

/* Puts in order what an interrupted rotation has left. Does nothing, and takes no lock, where nothing was left. */
int gbx_site_keys_recover(struct gbx_site *site, struct gbx_error *err);

/* Whether a file with the digest `found` is the one whose digest an entry has, perhaps encrypted anew by rotations since.
 * 0: it is. -EBADMSG: it is not. */
int gbx_site_sealed_same(struct gbx_site *site, const char *logged, const char *found, struct gbx_error *err);

/* All provenance keys that the site ever had, by the log: {"key": 64 digits, "entry": since which entry}, the newest last. */
int gbx_site_provenance_keys(struct gbx_site *site, json_t **ret, struct gbx_error *err);
