/* What the files of `gbx audit` share. */
#pragma once

#include "gateway/cli/command.h"
#include "gateway/log/format/checkpoint.h"
#include "gateway/log/format/tree.h"

/* The log's verifier: --vkey, else the site's. */
int gbx_audit_verifier(const struct gbx_cli *cli, struct gbx_note_verifier *ret, struct gbx_error *err);

/* The name of the log that --log or the site has, as `ret->name`; nothing is verified. */
int gbx_audit_origin(const struct gbx_cli *cli, struct gbx_note_verifier *ret, struct gbx_error *err);

/* Opens a log's directory for reading, at the size of its checkpoint, unverified. `message` and `checkpoint` may be
 * NULL. */
int gbx_audit_open_tree(const char *path, struct gbx_tree **ret, struct gbx_buffer *message,
                        struct gbx_checkpoint *checkpoint, struct gbx_error *err);

/* Checks every anchor receipt in the log at `path` against the chain that the node at `url` shows. */
int gbx_audit_check_anchors(const char *path, const char *url, size_t *ret_count, struct gbx_error *err);

int gbx_audit_verify(struct gbx_cli *cli, struct gbx_error *err);
int gbx_audit_prove(struct gbx_cli *cli, struct gbx_error *err);
int gbx_audit_check_proof(struct gbx_cli *cli, struct gbx_error *err);
