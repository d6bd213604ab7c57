/*
 * Keyed hashes of values for the sketches of match.h
 */
#pragma once

#include "watermark/number.h"
#include "watermark/prf.h"

/* Of number * 10^shift, by sign, three significant digits and magnitude. */
uint32_t gbx_sketch_number(const struct gbx_sip_key *key, struct gbx_number number, int shift);

/* Of a text, without surrounding blanks and case. */
uint32_t gbx_sketch_text(const struct gbx_sip_key *key, const char *text, size_t size);
