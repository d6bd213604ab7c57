#include "gateway/store/keys.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "gateway/log/writer/log.h"
#include "gateway/store/view.h"
#include "runtime/vault/keys.h"

#include <string.h>

static int load_signer(int directory, const char *origin, struct gbx_note_signer *ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(directory, "keys", err);
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        int r;

        if (keys < 0)
                return keys;
        r = gbx_keys_load_raw(keys, GBX_KEYS_LOG, &seed, err);
        return r < 0 ? r : gbx_note_signer_from_seed(origin, GBX_NOTE_ED25519, seed.data, ret, err);
}

/* The public halves of the keys in `keys`; the log's key is named by the origin. */
static int public_keys(int directory, int keys, const char *origin, json_t **ret_keys, struct gbx_error *err) {
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer verifier = {};
        char recipient[GBX_AGE_RECIPIENT_TEXT_SIZE], provenance[2 * GBX_ED25519_PUBLIC_SIZE + 1];
        uint8_t public_key[GBX_ED25519_PUBLIC_SIZE];
        int r = gbx_keys_load_identity(keys, GBX_KEYS_SITE, &identity, err);

        if (r >= 0)
                r = gbx_keys_load_raw(keys, GBX_KEYS_PROVENANCE, &seed, err);
        if (r >= 0)
                r = gbx_ed25519_public(seed.data, public_key, err);
        if (r >= 0)
                r = load_signer(directory, origin, &signer, err);
        if (r >= 0)
                r = gbx_note_verifier_format(&signer.verifier, &verifier, err);
        if (r < 0)
                return r;
        gbx_age_recipient_format(gbx_age_identity_recipient(identity), recipient);
        gbx_hex_encode(public_key, sizeof public_key, provenance);
        *ret_keys = json_pack("{s:s, s:s, s:s, s:s}", "origin", origin, "recipient", recipient, "log",
                              gbx_buffer_text(&verifier), "provenance", provenance);
        return *ret_keys ? 0 : gbx_fail_memory(err);
}

int gbx_site_keys_create(int directory, const char *origin, const char *token, json_t **ret_details,
                         struct gbx_error *err) {
        static const char *const raw[] = { GBX_KEYS_LOG, GBX_KEYS_PROVENANCE, GBX_KEYS_WATERMARK };
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_close_fd) int keys = -1;
        int r = gbx_make_directories(directory, "keys", 0700, err);

        if (r < 0)
                return r;
        keys = gbx_open_directory(directory, "keys", err);
        if (keys < 0)
                return keys;
        r = token ? gbx_keys_create_token_identity(keys, GBX_KEYS_SITE, token, &identity, err)
                  : gbx_keys_create_identity(keys, GBX_KEYS_SITE, &identity, err);
        if (r < 0) { /* a wrong PIN, say: nothing is there yet, so that one can simply try again */
                (void)unlinkat(directory, "keys", AT_REMOVEDIR);
                return r;
        }
        for (size_t i = 0; i < gbx_array_size(raw) && r >= 0; i++) {
                gbx_auto(gbx_secret_free) struct gbx_secret key = {};

                r = gbx_keys_create_raw(keys, raw[i], &key, err);
        }
        if (r >= 0)
                r = load_signer(directory, origin, &signer, err);
        if (r >= 0)
                r = gbx_log_create(directory, "log", origin, &signer, err);
        return r < 0 ? r : public_keys(directory, keys, origin, ret_details, err);
}

int gbx_site_keys_open_log(struct gbx_site *site, struct gbx_log **ret, uint8_t ret_seal_key[static GBX_SHA256_SIZE], struct gbx_error *err) {
        static const char info[] = "glovebox view seal v1";
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        int r = load_signer(site->directory, site->origin, &signer, err);

        if (r < 0)
                return r;
        r = gbx_hkdf_sha256(signer.seed, sizeof signer.seed, NULL, 0, info, strlen(info), ret_seal_key, GBX_SHA256_SIZE, err);
        if (r < 0)
                return r;
        r = gbx_log_open(ret, site->directory, "log", site->origin, &signer, NULL, err);
        return r < 0 ? gbx_context(err, r, "the action log of '%s'", site->path) : 0;
}

int gbx_site_log_verifier(const char *path, struct gbx_note_verifier *ret, struct gbx_error *err) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_close_fd) int directory = gbx_open_directory(AT_FDCWD, path, err);
        gbx_auto(gbx_buffer_free) struct gbx_buffer config = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        const char *origin;
        int r;

        if (directory < 0)
                return directory;
        r = gbx_read_file(directory, "site.json", 64UL * 1024, &config, err);
        if (r < 0)
                return gbx_context(err, r, "'%s' is not a site", path);
        json = json_loadb(gbx_buffer_text(&config), config.size, JSON_REJECT_DUPLICATES, NULL);
        origin = json_string_value(json_object_get(json, "origin"));
        if (!origin)
                return gbx_fail(err, -EBADMSG, "'%s/site.json' names no origin", path);
        r = load_signer(directory, origin, &signer, err);
        if (r == 0)
                *ret = signer.verifier;
        return r;
}

int gbx_site_identity(const struct gbx_site *site, struct gbx_age_identity **ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);

        return keys < 0 ? keys : gbx_keys_load_identity(keys, GBX_KEYS_SITE, ret, err);
}

int gbx_site_raw_key(const struct gbx_site *site, const char *name, struct gbx_secret *ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);

        return keys < 0 ? keys : gbx_keys_load_raw(keys, name, ret, err);
}

int gbx_site_records_key(const struct gbx_site *site, struct gbx_secret *ret, struct gbx_error *err) {
        static const char info[] = "glovebox sealed records v1";
        gbx_auto(gbx_secret_free) struct gbx_secret root = {}, key = {};
        int r = gbx_site_raw_key(site, GBX_KEYS_WATERMARK, &root, err);

        if (r >= 0)
                r = gbx_secret_new(&key, GBX_KEYS_RAW_SIZE, err);
        if (r >= 0)
                r = gbx_hkdf_sha256(root.data, root.size, NULL, 0, info, strlen(info), key.data, key.size, err);
        if (r < 0)
                return r;
        *ret = key;
        key = (struct gbx_secret){};
        return 0;
}

int gbx_site_public_keys(const struct gbx_site *site, json_t **ret_keys, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", err);

        return keys < 0 ? keys : public_keys(site->directory, keys, site->origin, ret_keys, err);
}
