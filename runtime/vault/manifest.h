/*
 * Dataset manifests: which file is which dataset, said and signed by its owner
 *
 * age proves neither who made a file nor what it is called, and anybody who
 * knows the site's recipient can make one. So the owner signs a manifest with
 * an SSH key (SSHSIG, policy/sshsig.h). What is signed is one line of JSON with
 * sorted keys and no spaces, and a line feed behind it:
 *
 *   {"bytes":412345,"chunks":7,"ciphertext":"sha256:…","format":"csv",
 *    "header":"sha256:…","id":"credit","owner":"fund","schema":"sha256:…",
 *    "site":"gbx.example/demo-1f2e","type":"glovebox dataset manifest v1","version":1}
 *
 * `ciphertext` and `header` are SHA-256 of the binary file as the owner made it
 * and of its header; `bytes` and `chunks` count its plaintext; `policy`, where
 * it is there, is the digest of the only policy under which the owner allows
 * use; `site` is the origin of the site it is meant for.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "runtime/vault/age.h"

#include <stdint.h>

enum { GBX_MANIFEST_MAX_BYTES = 8 * 1024, GBX_MANIFEST_SITE_SIZE = 256 };

enum gbx_manifest_format { GBX_MANIFEST_CSV, GBX_MANIFEST_PARQUET };

struct gbx_manifest {
        char id[65];      /* gbx_name_valid */
        uint64_t version; /* from 1 */
        char owner[65];   /* a principal */
        char site[GBX_MANIFEST_SITE_SIZE];
        enum gbx_manifest_format format;
        char schema[GBX_SHA256_TEXT_SIZE];     /* of the schema file's bytes */
        char policy[GBX_SHA256_TEXT_SIZE];     /* "" for none */
        char ciphertext[GBX_SHA256_TEXT_SIZE];
        char header[GBX_SHA256_TEXT_SIZE];
        uint64_t bytes;
        uint64_t chunks;
};

/* Takes over what reading the owner's file to its end has shown (gbx_age_reader_facts, gbx_age_rewrap's ret_original). */
void gbx_manifest_describe(struct gbx_manifest *manifest, const struct gbx_age_facts *facts);

/* Appends the text that is signed. -EINVAL for parts that cannot stand in a manifest, naming the part. */
int gbx_manifest_text(const struct gbx_manifest *manifest, struct gbx_buffer *buffer, struct gbx_error *err);

/* Accepts nothing but what gbx_manifest_text writes. -EINVAL. */
int gbx_manifest_parse(const void *text, size_t size, struct gbx_manifest *ret, struct gbx_error *err);

/* 0: the file with these facts is the one described. -EBADMSG: it is not, and the message says in what. */
int gbx_manifest_check(const struct gbx_manifest *manifest, const struct gbx_age_facts *facts, struct gbx_error *err);

const char *gbx_manifest_format_name(enum gbx_manifest_format format);
