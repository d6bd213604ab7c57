/*
 * Whose a dataset is
 *
 * A name belongs to who registered it first, and changes hands only by a
 * transfer that both sign (policy/transfer_statement.h). Versions say who
 * brought them; rights over a dataset are asked of the name.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"

#include <stddef.h>

enum { GBX_OWNER_SIZE = 65 };

/* 0 and the owner of a name; 1: nobody's yet. */
int gbx_dataset_owner(struct gbx_site *site, const char *name, char ret_owner[static GBX_OWNER_SIZE], struct gbx_error *err);

/* 0 if the caller may decide about the dataset: its owner, or an administrator. -ENOENT: there is none of that name. */
int gbx_check_owner(struct gbx_site *site, const struct gbx_caller *caller, const char *name, struct gbx_error *err);

/* The text that both sign. */
int gbx_transfer_statement(struct gbx_site *site, const struct gbx_caller *caller, const char *name, const char *to,
                           struct gbx_buffer *ret_text, struct gbx_error *err);

struct gbx_transfer_signatures {
        const void *statement, *from, *to; /* the text; armored SSHSIGs of the old and of the new owner */
        size_t statement_size, from_size, to_size;
};

/* Who brings the three may be either of the two. A statement counts once. */
int gbx_transfer_dataset(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_transfer_signatures *signed_by,
                         struct gbx_error *err);
