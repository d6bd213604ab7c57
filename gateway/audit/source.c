#include "gateway/audit/source.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/log/format/entry.h"
#include "gateway/log/format/note.h"
#include "gateway/log/format/proven.h"
#include "gateway/log/witness/anchor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CHECK_TIMEOUT_MS = 10 * 1000 };

int gbx_log_site(const char *path, char **ret_site, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int log = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat here, there;
        char *site;

        if (log < 0 || fstat(log, &here) < 0)
                return gbx_fail(err, -EINVAL, "cannot open the log '%s': %s", path, strerror(errno));
        if (fstatat(log, "../site.json", &there, 0) < 0 || fstatat(log, "../log", &there, 0) < 0 || here.st_ino != there.st_ino ||
            here.st_dev != there.st_dev)
                return 1;
        if (asprintf(&site, "%s/..", path) < 0)
                return gbx_fail_memory(err);
        *ret_site = site;
        return 0;
}

int gbx_log_tree_open(const char *path, struct gbx_tree **ret, struct gbx_buffer *message,
                      struct gbx_checkpoint *checkpoint, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer own = {};
        gbx_auto(gbx_note_free) struct gbx_note note = {};
        struct gbx_checkpoint found = {};
        int r = gbx_tree_open(&tree, AT_FDCWD, path, err);

        if (!message)
                message = &own;
        if (r == 0)
                r = gbx_tree_message(tree, message, err);
        if (r == 0)
                r = gbx_note_parse(gbx_buffer_text(message), message->size, &note, err);
        if (r == 0)
                r = gbx_checkpoint_parse(note.text, note.text_size, &found, err);
        if (r < 0)
                return gbx_context(err, r, "log '%s'", path);
        gbx_tree_set_size(tree, found.size);
        if (checkpoint)
                *checkpoint = found;
        *ret = gbx_take_ptr(tree);
        return 0;
}

/* --- checking anchors ----------------------------------------------------- */

/* The checkpoint that the log must have had at `size`, from its tiles, which the caller has verified. */
static int checkpoint_at(struct gbx_tree *tree, const char *origin, uint64_t size, struct gbx_checkpoint *ret, struct gbx_error *err) {
        struct gbx_merkle_edge edge;
        int r = size > gbx_tree_size(tree) ? gbx_fail(err, -EBADMSG, "the receipt is of more entries than the log has")
                                           : gbx_merkle_edge_load(gbx_tree_hash, tree, size, &edge, err);

        if (r < 0)
                return r;
        *ret = (struct gbx_checkpoint){ .size = size };
        (void)snprintf(ret->origin, sizeof ret->origin, "%s", origin);
        gbx_merkle_edge_root(&edge, &ret->root);
        return 0;
}

static int check_receipt(struct gbx_tree *tree, const char *origin, const char *url, const json_t *entry, struct gbx_error *err) {
        struct gbx_checkpoint checkpoint = {};
        struct gbx_anchor anchor;
        int r = gbx_anchor_from_details(json_object_get(entry, "details"), &anchor, err);

        if (r == 0)
                r = checkpoint_at(tree, origin, anchor.size, &checkpoint, err);
        return r < 0 ? r : gbx_anchor_check(url, &anchor, &checkpoint, CHECK_TIMEOUT_MS, err);
}

int gbx_log_check_anchors(const char *path, const char *url, size_t *ret_count, struct gbx_error *err) {
        gbx_auto(gbx_tree_freep) struct gbx_tree *tree = NULL;
        gbx_auto(gbx_proven_freep) struct gbx_proven *proven = NULL;
        struct gbx_checkpoint checkpoint;
        size_t count = 0;
        int r = gbx_log_tree_open(path, &tree, NULL, &checkpoint, err);

        if (r == 0)
                r = gbx_proven_new(&proven, tree, err);
        if (r == 0)
                r = gbx_proven_trust_checkpoint(proven, &checkpoint, err);
        for (uint64_t i = 0; r == 0 && i < gbx_tree_size(tree); i++) {
                gbx_auto(gbx_json_freep) json_t *entry = NULL;
                struct gbx_bytes bytes;
                const char *action;

                r = gbx_proven_entry(proven, i, &bytes, err);
                if (r < 0)
                        break;
                if (!memmem(bytes.data, bytes.size, "anchor.receipt", 14) || gbx_entry_parse(bytes.data, bytes.size, &entry, NULL) < 0)
                        continue;
                action = json_string_value(json_object_get(entry, "action"));
                if (!action || strcmp(action, "anchor.receipt") != 0)
                        continue;
                r = check_receipt(tree, checkpoint.origin, url, entry, err);
                if (r < 0)
                        return gbx_context(err, r, "entry %llu", (unsigned long long)i);
                count++;
        }
        if (r == 0)
                *ret_count = count;
        return r;
}

