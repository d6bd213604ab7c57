/*
 * The certificate of a suppression: who keeps it can check it without a solver
 *
 * One JSON object, described field by field in docs/disclosure.md. It holds the
 * tables as they were given, which cells are suppressed, and the witnesses. The
 * checker derives the equations itself from the tables, so that no list of them
 * has to be believed. It is secret: it contains the suppressed values.
 *
 * There is one form only: the checker writes what it read and compares the
 * bytes. The last field is the SHA-256 of all before it; the digest of the whole
 * is what a release's log entry names.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "gateway/disclosure/suppress.h"

enum {
        GBX_CERTIFICATE_VERSION = 1,
        GBX_CERTIFICATE_MAX_SIZE = 64 * 1024 * 1024,
};

/* Appends the certificate, one line with a newline. `ret` should be a secret buffer. */
int gbx_certificate_write(const struct gbx_disclosure_set *set, const struct gbx_system *system, const struct gbx_suppression *suppression,
                          struct gbx_buffer *ret, struct gbx_error *err);

/* What was checked, for people. */
struct gbx_certificate_facts {
        size_t tables, cells, suppressed, unsafe, equations, witnesses;
};

/* 0: the proof holds. -EBADMSG: it does not, or the bytes are no certificate (the message says what is wrong). `digest`
 * (may be NULL) is what the SHA-256 of all bytes must be. `facts` may be NULL. */
int gbx_certificate_check(const void *data, size_t size, const uint8_t *digest, struct gbx_certificate_facts *facts, struct gbx_error *err);
