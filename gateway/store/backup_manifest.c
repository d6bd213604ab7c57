#include "gateway/store/backup_manifest.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "gateway/log/format/note.h"

#include <stdio.h>
#include <string.h>

static const char *const places[] = { "site.json", "witness-policy", "objects/", "data/", "releases/", "held/", "log/" };

static bool path_is_good(const char *path) {
        bool known = false;

        for (size_t i = 0; i < gbx_array_size(places); i++) {
                size_t length = strlen(places[i]);

                known = known || (places[i][length - 1] == '/' ? strncmp(path, places[i], length) == 0 : strcmp(path, places[i]) == 0);
        }
        for (const char *part = path; known && part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
                size_t length = strcspn(part, "/");

                known = length > 0 && part[0] != '.';
        }
        for (const char *byte = path; known && *byte; byte++)
                known = *byte > ' ' && *byte < 0x7f && *byte != '\\';
        return known && strncmp(path, "log/.", 5) != 0;
}

int gbx_backup_manifest_add(struct gbx_buffer *manifest, const struct gbx_backup_file *file, struct gbx_error *err) {
        char digits[2 * GBX_SHA256_SIZE + 1];

        if (!path_is_good(file->path))
                return gbx_fail(err, -EINVAL, "a file of the site has a name that no site gives: '%.200s'", file->path);
        gbx_hex_encode(file->digest, sizeof file->digest, digits);
        return gbx_buffer_printf(manifest, err, "%s %llu %s\n", digits, (unsigned long long)file->size, file->path);
}

int gbx_backup_manifest_next(struct gbx_bytes *manifest, struct gbx_backup_file *ret, struct gbx_error *err) {
        const char *line = manifest->data, *end = manifest->size ? memchr(line, '\n', manifest->size) : NULL;
        char text[sizeof(struct gbx_backup_file) + 128], digest[GBX_SHA256_TEXT_SIZE], *size, *path;
        struct gbx_backup_file file = {};

        if (manifest->size == 0)
                return 0;
        if (!end || (size_t)(end - line) >= sizeof text || end - line < 68 || line[64] != ' ')
                return gbx_fail(err, -EBADMSG, "the manifest has a line that is none");
        memcpy(text, line, (size_t)(end - line));
        text[end - line] = '\0';
        text[64] = '\0';
        size = text + 65;
        path = strchr(size, ' ');
        if (!path || strlen(path + 1) >= sizeof file.path || strlen(size) != (size_t)(end - line) - 65)
                return gbx_fail(err, -EBADMSG, "the manifest has a line that is none");
        *path++ = '\0';
        (void)snprintf(digest, sizeof digest, "sha256:%.64s", text);
        if (gbx_sha256_parse(digest, file.digest, NULL) < 0 || gbx_parse_u64(size, &file.size, NULL) < 0 || !path_is_good(path))
                return gbx_fail(err, -EBADMSG, "the manifest names a file that no site has: '%.200s'", path);
        memcpy(file.path, path, strlen(path) + 1);
        *manifest = (struct gbx_bytes){ end + 1, manifest->size - (size_t)(end + 1 - line) };
        *ret = file;
        return 1;
}

static int make_text(const struct gbx_buffer *manifest, const struct gbx_checkpoint *checkpoint, struct gbx_buffer *ret,
                     struct gbx_error *err) {
        char root[GBX_SHA256_TEXT_SIZE], files[GBX_SHA256_TEXT_SIZE];

        gbx_sha256_text_of(manifest->data, manifest->size, files);
        gbx_sha256_text(checkpoint->root.bytes, root);
        return gbx_buffer_printf(ret, err, "glovebox backup v1\n%s\n%llu\n%s\n%s\n", checkpoint->origin,
                                 (unsigned long long)checkpoint->size, root, files);
}

static int make_signer(const struct gbx_checkpoint *checkpoint, const struct gbx_secret *seed, struct gbx_note_signer *ret,
                       struct gbx_error *err) {
        return gbx_note_signer_from_seed(checkpoint->origin, GBX_NOTE_ED25519, seed->data, ret, err);
}

int gbx_backup_note_sign(const struct gbx_buffer *manifest, const struct gbx_checkpoint *checkpoint, const struct gbx_secret *seed,
                         struct gbx_buffer *ret_note, struct gbx_error *err) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = make_text(manifest, checkpoint, &text, err);

        if (r == 0)
                r = make_signer(checkpoint, seed, &signer, err);
        return r < 0 ? r : gbx_note_sign(gbx_buffer_text(&text), text.size, &signer, ret_note, err);
}

int gbx_backup_note_check(const struct gbx_buffer *note, const struct gbx_buffer *manifest, const struct gbx_checkpoint *checkpoint,
                          const struct gbx_secret *seed, struct gbx_error *err) {
        gbx_auto(gbx_note_signer_clear) struct gbx_note_signer signer = {};
        gbx_auto(gbx_note_free) struct gbx_note parsed = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = make_text(manifest, checkpoint, &text, err);

        if (r == 0)
                r = make_signer(checkpoint, seed, &signer, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(note), note->size, &parsed, err);
        if (r == 0)
                r = gbx_note_check(&parsed, &signer.verifier, NULL, err);
        if (r > 0)
                return gbx_fail(err, -EBADMSG, "the backup is not signed by the site's provenance key");
        if (r == 0 && (parsed.text_size != text.size || memcmp(parsed.text, text.data, text.size) != 0))
                return gbx_fail(err, -EBADMSG, "what is signed is about another manifest or another log");
        return r == -EINVAL ? gbx_context(err, -EBADMSG, "manifest.note") : r;
}
