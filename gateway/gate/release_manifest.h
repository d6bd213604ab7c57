/*
 * The release manifest: what a job says its outputs are
 *
 * /out/release.json, specified in docs/release-manifest.md:
 *
 *   {"version":1,"outputs":[
 *     {"file":"default-rate.csv","kind":"table","columns":[
 *       {"name":"job","type":"text","role":"key"},
 *       {"name":"applicants","type":"integer","role":"count"},
 *       {"name":"default_rate","type":"decimal","role":"value","unit":"0.001"}]},
 *     {"file":"notes.txt","kind":"opaque"}]}
 *
 * Hostile: strict, with limits, and for parsing in a sandbox.
 */
#pragma once

#include "base/error.h"
#include "gateway/gate/gate.h"

#include <stddef.h>

enum {
        GBX_RELEASE_MANIFEST_MAX_BYTES = 256 * 1024,
        GBX_RELEASE_MANIFEST_MAX_OUTPUTS = 64,
        GBX_RELEASE_MANIFEST_MAX_COLUMNS = 1000,
        GBX_RELEASE_MANIFEST_UNIT_DIGITS = 9, /* behind the point */
};

#define GBX_RELEASE_MANIFEST_FILE "release.json"

struct gbx_release_output {
        char *file;   /* gbx_name_valid, not the manifest itself; a table's ends with ".csv" */
        bool table;   /* otherwise opaque */
        struct gbx_gate_column *columns; /* names are identifiers, no two the same; units are valid */
        size_t column_count;
};

struct gbx_release_manifest {
        struct gbx_release_output *outputs; /* no two of one file */
        size_t count;
};

/* Errors: -EINVAL, and the message says which output and column. */
int gbx_release_manifest_parse(const void *data, size_t size, struct gbx_release_manifest *ret, struct gbx_error *err);
void gbx_release_manifest_free(struct gbx_release_manifest *manifest);
