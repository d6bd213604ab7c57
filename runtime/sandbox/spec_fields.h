/*
 * Strict reading of a JSON object by a table of its fields
 *
 * A table lists the fields that an object may have. Reading refuses unknown
 * fields and missing mandatory ones, and hands each present field to its
 * function with the field's path ("limits.pids") for messages. The tables
 * call each other for inner objects, so the tables are the grammar.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GBX_FIELD_PATH_SIZE = 160 };

struct gbx_field {
        const char *name;
        bool mandatory;
        int (*read)(void *target, const json_t *value, const char *path, struct gbx_error *err);
};

int gbx_fields_read(const struct gbx_field *fields, size_t count, void *target, const json_t *object, const char *path,
                    struct gbx_error *err);

/* Checked values. `path` names the field in messages; all errors are -EINVAL. */
int gbx_field_text(const json_t *value, const char *path, const char **ret, struct gbx_error *err);
int gbx_field_bool(const json_t *value, const char *path, bool *ret, struct gbx_error *err);
int gbx_field_number(const json_t *value, const char *path, uint64_t minimum, uint64_t maximum, uint64_t *ret,
                     struct gbx_error *err);
/* The number of an open descriptor. */
int gbx_field_descriptor(const json_t *value, const char *path, int *ret, struct gbx_error *err);
/* An absolute path without empty, "." or ".." components and without a slash at its end ("/" itself only where
 * `allow_root`). */
int gbx_field_absolute_path(const json_t *value, const char *path, bool allow_root, const char **ret,
                            struct gbx_error *err);
