/*
 * Entries of the action log: canonical JSON, one schema for each action
 *
 *   {"action":"algo.submit","actor":"bank-a","details":{...},"object":"sha256:...",
 *    "outcome":"done","proof":"peer","reasons":[...],"time":"2026-11-25T01:57:37Z","v":1}
 *
 * Canonical: UTF-8, keys sorted by bytes, no white space, integers only, no
 * duplicate keys; one text for one content. The table in entry_schema.c lists
 * the actions and, for each, the fields of `details`; docs/log-format.md is
 * the same for readers. Entries name data by digest and never carry it.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        GBX_ENTRY_VERSION = 1,
        GBX_ENTRY_TEXT_MAX = 4096, /* bytes of one text */
        GBX_ENTRY_LIST_MAX = 1024, /* members of one list or map */
        GBX_ENTRY_DEPTH_MAX = 6,
};

enum gbx_entry_type {
        GBX_ENTRY_TEXT,    /* any UTF-8 without control characters */
        GBX_ENTRY_NAME,    /* gbx_name_valid */
        GBX_ENTRY_DIGEST,  /* sha256:<64 digits> */
        GBX_ENTRY_TIME,    /* RFC 3339, UTC, no fraction */
        GBX_ENTRY_COUNT,   /* integer >= 0 */
        GBX_ENTRY_INTEGER,
        GBX_ENTRY_BOOLEAN,
        GBX_ENTRY_TEXTS,   /* list of texts */
        GBX_ENTRY_NAMES,   /* list of names */
        GBX_ENTRY_DIGESTS, /* list of digests */
        GBX_ENTRY_MAP,     /* an object with any keys; values of the types above, or objects, or lists */
        GBX_ENTRY_LIST,    /* a list of objects or of values */
};

struct gbx_entry_field {
        const char *name;
        enum gbx_entry_type type;
        bool required;
};

struct gbx_entry_action {
        const char *name;
        const char *summary;                  /* one line, for the documentation and --help */
        const struct gbx_entry_field *fields; /* of `details`; ends with a NULL name */
};

/* The action of that name, or NULL. */
const struct gbx_entry_action *gbx_entry_action_find(const char *name);
/* The whole table, ended by a NULL name. */
const struct gbx_entry_action *gbx_entry_actions(void);
const char *gbx_entry_type_name(enum gbx_entry_type type);

/* A new entry at time `now` (seconds since 1970). `object` and `details` (taken over, also on failure) may be
 * NULL. Add reasons with gbx_entry_add_reason. */
int gbx_entry_new(json_t **ret, const char *action, const char *actor, const char *object, const char *outcome,
                  int64_t now, json_t *details, struct gbx_error *err);
/* How it was proven that the actor acts: "directory", "peer", "signature", "certificate", or "system". */
int gbx_entry_set_proof(json_t *entry, const char *proof, struct gbx_error *err);
int gbx_entry_add_reason(json_t *entry, const char *reason, struct gbx_error *err);

/* 0 if the entry follows its action's schema; -EINVAL names the field that does not. */
int gbx_entry_check(const json_t *entry, struct gbx_error *err);

/* Checks and appends the canonical text. -EMSGSIZE above 65,535 bytes. */
int gbx_entry_format(const json_t *entry, struct gbx_buffer *ret, struct gbx_error *err);

/* Reads and checks an entry; a text that is not the canonical one is refused (-EINVAL). */
int gbx_entry_parse(const void *data, size_t size, json_t **ret, struct gbx_error *err);
