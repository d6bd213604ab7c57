/*
 * JSON objects read by table
 *
 * A table names every field an object may have and where its value goes in a
 * struct. Unknown fields, wrong types and values out of range are refused with
 * the field's path ("rules[2].port"); duplicates are refused by jansson when
 * the text is loaded with JSON_REJECT_DUPLICATES. Texts are copied, lists are
 * ended by NULL; gbx_fields_free releases what was read, also after an error.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gbx_field_type {
        GBX_FIELD_TEXT,    /* char * */
        GBX_FIELD_TEXTS,   /* char **, ended by NULL */
        GBX_FIELD_NUMBER,  /* uint64_t, within minimum and maximum */
        GBX_FIELD_BOOLEAN, /* bool */
        GBX_FIELD_CHOICE,  /* int: index of the text in `choices` */
        GBX_FIELD_JSON,    /* const json_t *, borrowed: the caller reads it */
};

struct gbx_field {
        const char *name; /* NULL ends the table */
        enum gbx_field_type type;
        size_t offset;
        bool required;
        bool nullable; /* null is allowed and leaves the value as it is */
        uint64_t minimum, maximum;  /* of a number; of the count of texts (maximum 0: 64) */
        const char *const *choices; /* ended by NULL */
};

enum { GBX_FIELD_TEXT_LIMIT = 256 * 1024 };

/* `path` is the object's own, "" at the top. Fields that are absent are left as they are. */
int gbx_fields_read(const struct gbx_field *table, const json_t *object, const char *path, void *ret,
                    struct gbx_error *err);
void gbx_fields_free(const struct gbx_field *table, void *data);
