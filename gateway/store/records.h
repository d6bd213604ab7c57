/*
 * Sealed records: small secrets of the site, many to a file
 *
 * What later decisions need of a release (its groups and counts) without
 * opening what was released. Records are encrypted (ChaCha20-Poly1305, RFC 8439)
 * under a key derived from the watermark's root key, and appended to
 * releases/records-NNN, 1,024 to a file. The log has the digest of each, so
 * that one that was changed, swapped or lost is found out when it is used.
 *
 * A record that no entry names was written by a process that died before its
 * entry: nobody reads it.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "gateway/store/site.h"

#include <stddef.h>
#include <stdint.h>

enum { GBX_RECORD_LIMIT = 64 * 1024 * 1024 };

/* Appends durably to the file of the release number `number`. Call it in a transaction: one writer at a time. */
int gbx_record_put(struct gbx_site *site, uint64_t number, const void *data, size_t size, char ret_digest[static GBX_SHA256_TEXT_SIZE],
                   struct gbx_error *err);

/* All records of the site, read once. */
struct gbx_records;
int gbx_records_open(struct gbx_records **ret, struct gbx_site *site, struct gbx_error *err);
struct gbx_records *gbx_records_free(struct gbx_records *records);
static inline void gbx_records_freep(struct gbx_records **records) { *records = gbx_records_free(*records); }

/* Appends the record's content. -EBADMSG: there is none with this digest, so it was changed or removed. */
int gbx_records_get(const struct gbx_records *records, const char *digest, struct gbx_buffer *ret, struct gbx_error *err);
