/*
 * Signatures of people: SSHSIG, as `ssh-keygen -Y sign` makes them
 *
 * Format: PROTOCOL.sshsig of OpenSSH (armored). Keys: ssh-ed25519 only; the
 * namespace is always checked; message hashes sha256 and sha512. Parsing is
 * strict: no bytes behind the signature, none left over inside.
 */
#pragma once

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"

#include <stddef.h>

#define GBX_SSHSIG_NAMESPACE "glovebox"

enum {
        GBX_SSHSIG_MAX_BYTES = 16 * 1024, /* of an armored signature */
        GBX_SSH_KEY_MAX_BYTES = 4096,     /* of a public key line */
        GBX_SSH_FINGERPRINT_SIZE = 7 + 43 + 1, /* "SHA256:", base64 without padding, zero byte */
};

struct gbx_ssh_key {
        uint8_t ed25519[GBX_ED25519_PUBLIC_SIZE];
        char fingerprint[GBX_SSH_FINGERPRINT_SIZE]; /* as ssh-keygen -l shows it */
};

/* Reads a public key line, "ssh-ed25519 AAAA… comment" (options in front are refused). Errors: -EINVAL; a key of
 * another kind is named. */
int gbx_ssh_key_parse(const char *line, struct gbx_ssh_key *ret, struct gbx_error *err);

/* 0: `signature` (armored) is good for exactly these bytes, this namespace and this key. Errors: -EINVAL for something
 * that is not such a signature, -EBADMSG for one of another key, namespace or message. */
int gbx_sshsig_verify(const struct gbx_ssh_key *key, const char *namespace, const void *message, size_t message_size,
                      const char *signature, size_t signature_size, struct gbx_error *err);
