/*
 * Tracing a suspect file over all releases of a site
 *
 * Gathers the candidates (every table ever released, with the record of its
 * mark and the kept original) and asks watermark/trace.h. A trace is an entry
 * of the log: the digest of the suspect, the verdict, the accused.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/store/caller.h"
#include "gateway/store/site.h"
#include "watermark/trace.h"

struct gbx_suspects {
        struct gbx_trace_candidate *list;
        size_t count;
        struct gbx_suspect_memory *memory; /* what the candidates point into */
};

int gbx_suspects_load(struct gbx_site *site, struct gbx_suspects *ret, struct gbx_error *err);
void gbx_suspects_free(struct gbx_suspects *suspects);

/* Traces and records. `ret_trace` is the caller's to gbx_trace_clear. */
int gbx_trace_suspect(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_buffer *file, const struct gbx_suspects *suspects,
                      struct gbx_trace *ret_trace, struct gbx_error *err);
