/*
 * The format channel and the banner: what a copy says outside of its values
 *
 * Symbols in the order of rows and of JSON members, in invisible characters, in
 * white space. They
 * vanish when a table is sorted or written anew, so they are never counted in
 * an error bound; where they are still there, they tell that the file itself
 * was copied, not only its numbers. What a symbol belongs to is named by the
 * text around it.
 */
#pragma once

#include "watermark/mark.h"
#include "watermark/prf.h"
#include "watermark/record.h"

/* Rewrites a copy. `release_key` is that of the release. */
int gbx_layout_apply(const struct gbx_record *record, const struct gbx_mark_keys *keys,
                     const uint8_t release_key[static 16], struct gbx_buffer *copy, struct gbx_error *err);

/* Puts "# <text>" in front. -EINVAL if the text holds a line break. */
int gbx_layout_banner(const char *text, struct gbx_buffer *copy, struct gbx_error *err);

struct gbx_layout_evidence {
        uint64_t rows, rows_agree;     /* pairs of rows */
        uint64_t zeros, zeros_agree;   /* cells of prose */
        uint64_t spaces, spaces_agree; /* members */
        uint64_t members, members_agree; /* pairs of members */
};

/* A release's symbol, 0 or 1, for a text in one channel. */
int gbx_layout_symbol(const struct gbx_mark_keys *keys, const uint8_t key[static 16], char channel,
                      const struct gbx_buffer *text, unsigned *ret, struct gbx_error *err);

/* Reads a suspect's layout and compares it with a release's. A file that is not laid out so has no evidence. */
int gbx_layout_compare(const struct gbx_record *record, const struct gbx_mark_keys *keys,
                       const uint8_t release_key[static 16], const char *text, size_t size,
                       struct gbx_layout_evidence *ret, struct gbx_error *err);
