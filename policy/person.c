#include "policy/person.h"

#include <string.h>

int gbx_person_read(struct gbx_person *ret, const char *name, const char *key_line, struct gbx_error *err) {
        int r;

        *ret = (struct gbx_person){ .name = name };
        if (!key_line)
                return 0;
        r = gbx_ssh_key_parse(key_line, &ret->key, err);
        ret->has_key = r >= 0;
        return r < 0 ? gbx_context(err, r, "the key of '%s'", name) : 0;
}

bool gbx_person_same(const struct gbx_person *a, const struct gbx_person *b) {
        if (a->name && b->name && strcmp(a->name, b->name) == 0)
                return true;
        return a->has_key && b->has_key && memcmp(a->key.ed25519, b->key.ed25519, sizeof a->key.ed25519) == 0;
}

const struct gbx_person *gbx_voices_find(const struct gbx_voices *voices, const struct gbx_person *person) {
        for (size_t i = 0; i < voices->count; i++)
                if (gbx_person_same(&voices->people[i], person))
                        return &voices->people[i];
        return NULL;
}

void gbx_voices_add(struct gbx_voices *voices, const struct gbx_person *person) {
        if (voices->count < GBX_VOICES_MAX)
                voices->people[voices->count++] = *person;
}
