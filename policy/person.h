/*
 * One person, one voice; one key, one person
 *
 * Decisions count people. Somebody is recognized by name and by key: whoever
 * signs with a key that another name used is that other person.
 */
#pragma once

#include "base/error.h"
#include "policy/sshsig.h"

#include <stdbool.h>
#include <stddef.h>

enum { GBX_VOICES_MAX = 64 }; /* more are not needed: no decision asks for more than 16 */

struct gbx_person {
        const char *name; /* borrowed; NULL: nobody */
        bool has_key;
        struct gbx_ssh_key key;
};

/* `key_line` may be NULL: no key is known. -EINVAL for a line that is no key; the name is set then too. */
int gbx_person_read(struct gbx_person *ret, const char *name, const char *key_line, struct gbx_error *err);
/* The same name, or the same key. Nobody is the same as nobody. */
bool gbx_person_same(const struct gbx_person *a, const struct gbx_person *b);

/* People whose voices count so far. */
struct gbx_voices {
        struct gbx_person people[GBX_VOICES_MAX];
        size_t count;
};

/* The voice that counts already and is of the same person or key; NULL: none. */
const struct gbx_person *gbx_voices_find(const struct gbx_voices *voices, const struct gbx_person *person);
/* Adds one that was not found; beyond GBX_VOICES_MAX nothing is added. */
void gbx_voices_add(struct gbx_voices *voices, const struct gbx_person *person);
