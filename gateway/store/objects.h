/*
 * Objects: content by its SHA-256
 *
 * Algorithms, policies, schemas, approval statements, signatures, requests and
 * findings are kept under objects/xx/yyyy…, so that a log entry needs only the
 * digest. An object is on disk before an entry names it, also one that was there
 * already: another process may have put it in place a moment ago and not have
 * flushed it yet. It is checked against its name whenever it is read.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

enum { GBX_OBJECT_LIMIT = 64 * 1024 * 1024 };

/* Keeps `size` bytes below the directory `site`; `ret_digest` gets "sha256:…". On return the object is durable. One that
 * is there already is compared and flushed with its directories; a damaged one is replaced by these bytes. */
int gbx_object_put(int site, const void *data, size_t size, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                   struct gbx_error *err);

/* Appends the object's bytes to `buffer`. -EBADMSG if they do not match the digest, -ENOENT if there is none. */
int gbx_object_get(int site, const char *digest, struct gbx_buffer *buffer, struct gbx_error *err);

/* Finds the one digest that begins with `prefix` (with or without "sha256:", at least 6 digits) among
 * candidates given by the caller; used for digests that people abbreviate. */
bool gbx_digest_has_prefix(const char *digest, const char *prefix);
