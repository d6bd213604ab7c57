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
#include <stdarg.h>
#include <stdint.h>

/* The condition of a row of the table run that somebody is at work on, or was when he died: it will have another state. */
#define GBX_VIEW_RUN_OPEN "state IN ('allowed','running','hold','release','approved') OR (state='ended' AND outcome='done')"

/* Names of the tables that the view is made of, ended by NULL. */
extern const char *const gbx_view_tables[];

/* Opens or creates the view in `path` for writing (":memory:" for a throw-away one). `seal_key` NULL: without a seal. */
int gbx_view_open(sqlite3 **ret, const char *path, const uint8_t *seal_key, struct gbx_error *err);

/* Opens it for reading: never waits for a writer. GBX_VIEW_MISSING: there is none yet, or one of another version. */
enum { GBX_VIEW_MISSING = 1 };
int gbx_view_open_read(sqlite3 **ret, const char *path, const uint8_t *seal_key, struct gbx_error *err);
static inline void gbx_view_closep(sqlite3 **view) { (void)sqlite3_close(*view); }

/* Between the two, a reader sees one moment of the view. */
int gbx_view_begin_read(sqlite3 *view, struct gbx_error *err);
void gbx_view_end_read(sqlite3 *view);

/* Records what SQLite says went wrong. -EBADMSG for a damaged file. */
int gbx_view_error(sqlite3 *view, struct gbx_error *err, const char *what);

/* How many entries the view holds. */
int gbx_view_applied(sqlite3 *view, uint64_t *ret_count, struct gbx_error *err);

/* Applies entry number `index`, which must be the next one; `entry` is its JSON text. */
int gbx_view_apply(sqlite3 *view, const uint8_t *seal_key, uint64_t index, const char *entry, size_t size, struct gbx_error *err);

/* Applies all entries below `until` that the view lacks, many at a time; `read` appends one. */
typedef int gbx_view_read(void *context, uint64_t index, struct gbx_buffer *ret, struct gbx_error *err);
int gbx_view_catch_up(sqlite3 *view, const uint8_t *seal_key, gbx_view_read *read, void *context, uint64_t until, struct gbx_error *err);

/* Runs a query with text parameters (ended by NULL) and appends a JSON object a row to a new array. For lists that
 * people look at; what a decision rests on comes from fact.h. */
int gbx_view_query(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, ...)
        __attribute__((sentinel));
int gbx_view_query_list(sqlite3 *view, json_t **ret_rows, struct gbx_error *err, const char *sql, va_list parameters);

/* The same for one row: 0 and the row, 1 if there is none. */
int gbx_view_query_one(sqlite3 *view, json_t **ret_row, struct gbx_error *err, const char *sql, ...)
        __attribute__((sentinel));

/* A digest of all rows of all tables, equal for equal content whatever the file looks like. */
int gbx_view_digest(sqlite3 *view, uint8_t ret_digest[static GBX_SHA256_SIZE], struct gbx_error *err);
