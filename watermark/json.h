/*
 * JSON (RFC 8259) as a tree that remembers where everything stood
 *
 * Unlike usual libraries it keeps the text of every number and its place in
 * the input, so that a number can be marked without touching a byte around
 * it. Strict: UTF-8, no trailing commas, no duplicate member names (checked
 * up to 64 members an object), nesting up to 64.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum gbx_json_kind {
        GBX_JSON_NULL,
        GBX_JSON_FALSE,
        GBX_JSON_TRUE,
        GBX_JSON_NUMBER,
        GBX_JSON_STRING,
        GBX_JSON_ARRAY,
        GBX_JSON_OBJECT,
};

enum {
        GBX_JSON_MAX_DEPTH = 64,
        GBX_JSON_MAX_BYTES = 512 << 20,
};

/* Nodes are named by index; 0 is the root, and as a link it means "none". */
struct gbx_json_node {
        uint8_t kind;
        uint32_t name, name_size; /* of a member: in the arena */
        uint32_t text, text_size; /* of a string (decoded) or number: in the arena */
        uint32_t raw, raw_size;   /* of a scalar: in the input */
        uint32_t child;           /* first element or member */
        uint32_t next;            /* in the same array or object */
        uint32_t count;           /* elements or members */
};

struct gbx_json {
        struct gbx_json_node *nodes;
        size_t count, capacity;
        struct gbx_buffer arena;
};

/* Reads one value; `ret_end` (may be NULL: nothing may follow) gets the place behind it. Errors: -EINVAL with line
 * and column. */
int gbx_json_read(struct gbx_json *json, const char *text, size_t size, size_t *ret_end, struct gbx_error *err);

static inline const char *gbx_json_name(const struct gbx_json *json, uint32_t node) {
        return (const char *)json->arena.data + json->nodes[node].name;
}
static inline const char *gbx_json_text(const struct gbx_json *json, uint32_t node) {
        return (const char *)json->arena.data + json->nodes[node].text;
}

/* The member of an object, 0 if there is none. */
uint32_t gbx_json_member(const struct gbx_json *json, uint32_t object, const char *name);

/* Appends `text` as a JSON string. */
int gbx_json_write_string(struct gbx_buffer *buffer, const char *text, size_t size, struct gbx_error *err);

void gbx_json_free(struct gbx_json *json);
