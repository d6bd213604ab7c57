/* The bytes of a certificate, for its writer and its checker. Private to this room. */
#pragma once

#include "base/buffer.h"
#include "gateway/disclosure/witness.h"

int gbx_certificate_form(const struct gbx_disclosure_set *set, const struct gbx_system *system, const bool *open,
                         const struct gbx_witness *witnesses, size_t witness_count, struct gbx_buffer *ret, struct gbx_error *err);
