/*
 * The record of a mark: one line of JSON that a later trace works from
 *
 *   {"v":1,"scheme":"keyed-cell-v1","layout":"table","claim":"traceable","code":"tardos","coalition":5,
 *    "gamma":1,"cells_per_row":5,"capacity":5000,"floor":30,"layout_marks":0,"digest":"sha256:…","content":"sha256:…",
 *    "columns":[{"name":"income","type":"decimal","role":"value","unit":"0.01","weight":1,"sketch":"…","spikes":"…"}],
 *    "layers":[{"virtual":false,"keys":[[0,""]],"marks":[1]}]}
 *
 * It tells how the mark was made, not where it is: places and symbols need
 * the root key. Sketches and spikes are keyed hashes of a column's values.
 */
#pragma once

#include "base/crypto.h"
#include "watermark/layer.h"

#include <stdbool.h>

struct gbx_record {
        bool json;    /* layout: numeric leaves of JSON, not a table */
        unsigned layout; /* marks in the layout: sum of GBX_MARK_ROW_ORDER, … */
        bool rounded_any;
        bool *rounded; /* one for each column: carries keyed rounding */
        enum gbx_mark_claim claim;
        struct gbx_code code;
        uint64_t capacity, floor;
        uint8_t digest[GBX_SHA256_SIZE];
        uint8_t content[GBX_SHA256_SIZE];
        bool has_content;
        struct gbx_plan plan;
};

/* Appends the line, without a line feed. */
int gbx_record_write(const struct gbx_record *record, const char *scheme, struct gbx_buffer *buffer,
                     struct gbx_error *err);
/* Errors: -EINVAL. The plan's derived fields still need gbx_plan_finish. */
int gbx_record_read(struct gbx_record *record, const char *text, struct gbx_error *err);
void gbx_record_free(struct gbx_record *record);
