/*
 * Signing with OpenSSH's own program
 *
 * People's private keys stay with ssh-keygen, which knows passphrases, agents
 * and security keys; Glovebox only verifies (policy/sshsig.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

/* Signs with the private key file in the namespace "glovebox"; appends the armored signature. */
int gbx_ssh_sign(const char *key_file, const void *message, size_t size, struct gbx_buffer *ret_signature,
                 struct gbx_error *err);

/* Appends the public key line that belongs to a private key file. */
int gbx_ssh_public_key(const char *key_file, struct gbx_buffer *ret_line, struct gbx_error *err);
