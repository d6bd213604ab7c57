/*
 * The view's seal: nothing but applying entries changes a row
 *
 * Beside its rows the view keeps, for each table and each stretch of 256
 * entries, the exclusive or of a keyed code (HMAC-SHA-256) of every row, and one
 * code over all of these, the tables' definitions and the number of entries
 * applied. The key is derived
 * from the log's key, so whoever can edit the file and lacks the keys can
 * neither change, add nor remove a row, nor put an older row back. A whole older
 * view with its own seal is harmless: the entries it lacks are applied again.
 *
 * Triggers of the writing connection keep the sums; they are temporary, so that
 * the file holds no code.
 */
#pragma once

#include "base/crypto.h"
#include "base/error.h"

#include <sqlite3.h>
#include <stdint.h>

enum { GBX_SEAL_KEY_SIZE = GBX_SHA256_SIZE };

/* Registers the functions on a connection. `key` must outlive it. */
int gbx_seal_open(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], struct gbx_error *err);

/* On the writing connection: keeps the sums from now on. */
int gbx_seal_watch(sqlite3 *view, struct gbx_error *err);

/* Closes the seal over what the view holds now; within the transaction that changed it. */
int gbx_seal_close(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], struct gbx_error *err);

/* -EBADMSG unless the code over all sums is right. Reads no rows. */
int gbx_seal_check_root(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], struct gbx_error *err);

/* -EBADMSG, naming the table, unless the root is right and the rows of `table` (NULL: of every table) give its sums. */
int gbx_seal_check(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], const char *table, struct gbx_error *err);

/* The same for the stretch of one table that holds the row made by entry `seq`. */
int gbx_seal_check_row(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], const char *table, uint64_t seq, struct gbx_error *err);
