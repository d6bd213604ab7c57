/*
 * The view: what the log says, as SQLite tables
 *
 * A projection and nothing more. Each action of the log has one SQL statement
 * that carries its effect (view.c); applying the entries of a log in order to
 * an empty view always gives the same rows. `meta.applied` counts the entries
 * applied, in the same transaction as their effect.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdint.h>

/* Opens or creates the view in `path` (":memory:" for a throw-away one). */
int gbx_view_open(sqlite3 **ret, const char *path, struct gbx_error *err);
static inline void gbx_view_closep(sqlite3 **view) { (void)sqlite3_close(*view); }

/* How many entries the view holds. */
int gbx_view_applied(sqlite3 *view, uint64_t *ret_count, struct gbx_error *err);

/* Applies entry number `index`, which must be the next one; `entry` is its JSON text. */
int gbx_view_apply(sqlite3 *view, uint64_t index, const char *entry, size_t size, struct gbx_error *err);

/* Runs a query with text parameters (ended by NULL) and appends a JSON object a row to a new array. */
int gbx_view_query(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, ...)
        __attribute__((sentinel));

/* The same for one row: 0 and the row, 1 if there is none. */
int gbx_view_query_one(sqlite3 *view, json_t **ret_row, struct gbx_error *err, const char *sql, ...)
        __attribute__((sentinel));

/* A digest of all rows of all tables, equal for equal content whatever the file looks like. */
int gbx_view_digest(sqlite3 *view, uint8_t ret_digest[static GBX_SHA256_SIZE], struct gbx_error *err);

