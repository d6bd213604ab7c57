/*
 * The format channel in JSON: which of two neighbouring members comes first, and blanks behind colons
 *
 * The members of an object are taken two by two; only pairs of scalars trade
 * places, so that everything else stays where it is.
 */
#pragma once

#include "watermark/layout.h"

/* `layout`: sum of GBX_MARK_JSON_ORDER and GBX_MARK_JSON_SPACES; others do nothing here. */
int gbx_layout_write_json(unsigned layout, const struct gbx_mark_keys *keys, const uint8_t release_key[static 16],
                          struct gbx_buffer *copy, struct gbx_error *err);

/* Adds to `evidence`. What is no JSON has none. */
int gbx_layout_compare_json(unsigned layout, const struct gbx_mark_keys *keys, const uint8_t release_key[static 16],
                            const char *text, size_t size, struct gbx_layout_evidence *evidence, struct gbx_error *err);
