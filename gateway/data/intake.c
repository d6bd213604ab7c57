#include "gateway/data/intake.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/store/keys.h"
#include "policy/decision.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX "incoming-"

/* Members of the record that are texts, and where they are kept. */
static const struct {
        const char *member;
        size_t offset, size;
} texts[] = {
#define TEXT(field) { #field, offsetof(struct gbx_intake, field), sizeof((struct gbx_intake *)0)->field }
        TEXT(id),     TEXT(name),   TEXT(owner),         TEXT(caller),   TEXT(ciphertext),
        TEXT(stored), TEXT(schema), TEXT(schema_source), TEXT(manifest),
};

int gbx_intake_name(char ret[static GBX_KEYS_NAME_SIZE], struct gbx_error *err) {
        uint8_t random[8];
        char text[2 * sizeof random + 1];
        int r = gbx_random(random, sizeof random, err);

        if (r < 0)
                return r;
        gbx_hex_encode(random, sizeof random, text);
        (void)snprintf(ret, GBX_KEYS_NAME_SIZE, PREFIX "%s", text);
        return 0;
}

static bool valid_id(const char *id) {
        return strncmp(id, PREFIX, strlen(PREFIX)) == 0 && gbx_name_valid(id);
}

static int make_mac(struct gbx_site *site, const struct gbx_buffer *text, char ret[static 2 * GBX_SHA256_SIZE + 1], struct gbx_error *err) {
        static const char info[] = "glovebox prepared intake v1";
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        uint8_t key[GBX_SHA256_SIZE], mac[GBX_SHA256_SIZE];
        int r = gbx_site_raw_key(site, GBX_KEYS_LOG, &seed, err);

        if (r >= 0)
                r = gbx_hkdf_sha256(seed.data, seed.size, NULL, 0, info, sizeof info - 1, key, sizeof key, err);
        if (r >= 0)
                r = gbx_hmac_sha256(key, sizeof key, text->data, text->size, mac, err);
        explicit_bzero(key, sizeof key);
        if (r >= 0)
                gbx_hex_encode(mac, sizeof mac, ret);
        return r < 0 ? r : 0;
}

int gbx_intake_keep(struct gbx_site *site, const struct gbx_intake *intake, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = json_pack("{s:I, s:I, s:I, s:I}", "before_version", (json_int_t)intake->before_version,
                                                          "before_state", (json_int_t)intake->before_state, "bytes",
                                                          (json_int_t)intake->bytes, "expires", (json_int_t)intake->expires);
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char mac[2 * GBX_SHA256_SIZE + 1], path[GBX_INTAKE_PATH_SIZE];
        int r;

        for (size_t i = 0; i < gbx_array_size(texts); i++)
                if (json_object_set_new(json, texts[i].member, json_string((const char *)intake + texts[i].offset)) < 0)
                        return gbx_fail_memory(err);
        r = gbx_json_canonical(json, &text, err);
        if (r >= 0)
                r = make_mac(site, &text, mac, err);
        if (r >= 0)
                r = gbx_buffer_printf(&text, err, "\n%s\n", mac);
        (void)snprintf(path, sizeof path, "data/%s.json", intake->id);
        return r < 0 ? r : gbx_write_file_durably(site->directory, path, text.data, text.size, 0600, err);
}

/* The record's line and its MAC's. */
static int check_mac(struct gbx_site *site, struct gbx_buffer *text, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer line = {};
        const char *all = gbx_buffer_text(text), *end = strchr(all, '\n');
        char mac[2 * GBX_SHA256_SIZE + 1];
        int r = end ? gbx_buffer_append(&line, all, (size_t)(end - all), err) : -EBADMSG;

        if (r >= 0)
                r = make_mac(site, &line, mac, err);
        if (r >= 0 && (strlen(end + 1) != sizeof mac || strncmp(end + 1, mac, sizeof mac - 1) != 0))
                r = -EBADMSG;
        if (r >= 0)
                text->data[line.size] = '\0', text->size = line.size;
        return r == -EBADMSG ? gbx_fail(err, r, "it is not what this site wrote") : r;
}

static int take_texts(const json_t *json, struct gbx_intake *ret, struct gbx_error *err) {
        for (size_t i = 0; i < gbx_array_size(texts); i++) {
                const char *text = gbx_json_text(json, texts[i].member);

                if (!text || strlen(text) >= texts[i].size)
                        return gbx_fail(err, -EBADMSG, "%s is missing", texts[i].member);
                (void)snprintf((char *)ret + texts[i].offset, texts[i].size, "%s", text);
        }
        return 0;
}

int gbx_intake_load(struct gbx_site *site, const char *id, struct gbx_intake *ret, struct gbx_error *err) {
        enum { LIMIT = 16 * 1024 };
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        struct gbx_intake intake = {};
        char path[GBX_INTAKE_PATH_SIZE];
        int r;

        if (!valid_id(id))
                return gbx_fail(err, -ENOENT, "there is no prepared intake '%.64s'", id);
        (void)snprintf(path, sizeof path, "data/%s.json", id);
        r = gbx_read_file(site->directory, path, LIMIT, &text, err);
        if (r == -ENOENT)
                return gbx_fail(err, r, "there is no prepared intake '%s' (any more); prepare it again", id);
        if (r >= 0)
                r = check_mac(site, &text, err);
        if (r >= 0) {
                json = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
                r = take_texts(json, &intake, err);
        }
        if (r < 0)
                return gbx_context(err, r, "prepared intake '%s'", id);
        intake.before_version = (uint64_t)gbx_json_number(json, "before_version");
        intake.before_state = gbx_json_number(json, "before_state");
        intake.bytes = (uint64_t)gbx_json_number(json, "bytes");
        intake.expires = gbx_json_number(json, "expires");
        if (strcmp(intake.id, id) != 0)
                return gbx_fail(err, -EBADMSG, "the prepared intake '%s' is another one", id);
        if (gbx_time_now() >= intake.expires) {
                gbx_intake_drop(site, id);
                return gbx_fail(err, -ENOENT, "the time of the prepared intake '%s' is over; prepare it again", id);
        }
        *ret = intake;
        return 0;
}

void gbx_intake_drop(struct gbx_site *site, const char *id) {
        gbx_auto(gbx_close_fd) int keys = gbx_open_directory(site->directory, "keys", NULL);
        char path[GBX_INTAKE_PATH_SIZE];

        if (!valid_id(id))
                return;
        if (keys >= 0)
                (void)gbx_keys_destroy(keys, id, NULL);
        (void)snprintf(path, sizeof path, "data/%s", id);
        (void)unlinkat(site->directory, path, 0);
        (void)snprintf(path, sizeof path, "data/%s.json", id);
        (void)unlinkat(site->directory, path, 0);
}

static void sweep(struct gbx_site *site, const char *folder) {
        int fd = gbx_open_directory(site->directory, folder, NULL);
        gbx_auto(gbx_close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (fd >= 0 && !directory)
                (void)close(fd);
        while (directory && (entry = readdir(directory))) {
                char id[GBX_KEYS_NAME_SIZE];
                struct stat status;

                if (!valid_id(entry->d_name) || strlen(entry->d_name) >= sizeof id + strlen(".json") ||
                    fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
                    status.st_mtime + GBX_INTAKE_SECONDS > gbx_time_now())
                        continue;
                (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
                gbx_intake_drop(site, id);
        }
}

void gbx_intake_sweep(struct gbx_site *site) {
        sweep(site, "data");
        sweep(site, "keys"); /* of one that died before its file was there */
}
