#include "runtime/vault/manifest.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char type_text[] = "glovebox dataset manifest v1";
static const char *const formats[] = { [GBX_MANIFEST_CSV] = "csv", [GBX_MANIFEST_PARQUET] = "parquet" };

enum kind { NAME, SITE, DIGEST, OPTIONAL_DIGEST, NUMBER, FORMAT, TYPE };

/* Every member of the JSON and of the structure, in the order of their names. */
static const struct member {
        const char *name;
        enum kind kind;
        size_t offset, size; /* in struct gbx_manifest */
} members[] = {
#define MEMBER(name, kind) { #name, kind, offsetof(struct gbx_manifest, name), sizeof(((struct gbx_manifest *)0)->name) }
        MEMBER(bytes, NUMBER),
        MEMBER(chunks, NUMBER),
        MEMBER(ciphertext, DIGEST),
        MEMBER(format, FORMAT),
        MEMBER(header, DIGEST),
        MEMBER(id, NAME),
        MEMBER(owner, NAME),
        MEMBER(policy, OPTIONAL_DIGEST),
        MEMBER(schema, DIGEST),
        MEMBER(site, SITE),
        { "type", TYPE, 0, 0 },
        MEMBER(version, NUMBER),
#undef MEMBER
};

static void free_text(char **text) { free(*text); }

const char *gbx_manifest_format_name(enum gbx_manifest_format format) {
        return (size_t)format < gbx_array_size(formats) ? formats[format] : "?";
}

/* As gbx_sha256_text writes it: lower case. */
static bool digest_valid(const char *text) {
        uint8_t digest[GBX_SHA256_SIZE];

        return gbx_sha256_parse(text, digest, NULL) == 0 && strpbrk(text + 7, "ABCDEF") == NULL;
}

/* A site's origin: printable ASCII without what JSON would escape. */
static bool site_valid(const char *text) {
        for (const char *p = text; *p; p++)
                if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
                        return false;
        return *text != '\0';
}

static bool number_valid(const struct member *member, uint64_t value) {
        return value <= INT64_MAX && (value > 0 || strcmp(member->name, "bytes") == 0);
}

static bool text_valid(enum kind kind, const char *text) {
        switch (kind) {
        case NAME:
                return gbx_name_valid(text);
        case SITE:
                return site_valid(text);
        case OPTIONAL_DIGEST:
        case DIGEST:
                return digest_valid(text);
        default:
                return false;
        }
}

static int bad_member(const struct member *member, struct gbx_error *err) {
        return gbx_fail(err, -EINVAL, "dataset manifest: '%s' is missing or not what it has to be", member->name);
}

static int member_to_json(const struct member *member, const struct gbx_manifest *manifest, json_t *json,
                          struct gbx_error *err) {
        const char *place = (const char *)manifest + member->offset;
        json_t *value = NULL;
        uint64_t number;

        switch (member->kind) {
        case NUMBER:
                memcpy(&number, place, sizeof number);
                if (!number_valid(member, number))
                        return bad_member(member, err);
                value = json_integer((json_int_t)number);
                break;
        case FORMAT:
                if ((size_t)manifest->format >= gbx_array_size(formats))
                        return bad_member(member, err);
                value = json_string(formats[manifest->format]);
                break;
        case TYPE:
                value = json_string(type_text);
                break;
        case OPTIONAL_DIGEST:
                if (place[0] == '\0')
                        return 0;
                __attribute__((fallthrough));
        default:
                if (!memchr(place, '\0', member->size) || !text_valid(member->kind, place))
                        return bad_member(member, err);
                value = json_string(place);
        }
        return json_object_set_new(json, member->name, value) < 0 ? gbx_fail_memory(err) : 0;
}

int gbx_manifest_text(const struct gbx_manifest *manifest, struct gbx_buffer *buffer, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = json_object();
        gbx_auto(free_text) char *text = NULL;

        if (!json)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < gbx_array_size(members); i++) {
                int r = member_to_json(&members[i], manifest, json, err);

                if (r < 0)
                        return r;
        }
        text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        if (!text)
                return gbx_fail_memory(err);
        return gbx_buffer_printf(buffer, err, "%s\n", text);
}

static int member_from_json(const struct member *member, const json_t *json, struct gbx_manifest *manifest,
                            struct gbx_error *err) {
        const json_t *value = json_object_get(json, member->name);
        const char *text = json_string_value(value);
        char *place = (char *)manifest + member->offset;
        uint64_t number = (uint64_t)json_integer_value(value);

        switch (member->kind) {
        case NUMBER:
                if (!json_is_integer(value) || !number_valid(member, number))
                        return bad_member(member, err);
                memcpy(place, &number, sizeof number);
                return 0;
        case FORMAT:
                for (size_t i = 0; text && i < gbx_array_size(formats); i++)
                        if (strcmp(text, formats[i]) == 0) {
                                manifest->format = (enum gbx_manifest_format)i;
                                return 0;
                        }
                return bad_member(member, err);
        case TYPE:
                return text && strcmp(text, type_text) == 0 ? 0 : bad_member(member, err);
        case OPTIONAL_DIGEST:
                if (!value)
                        return 0;
                __attribute__((fallthrough));
        default:
                if (!text || strlen(text) >= member->size || !text_valid(member->kind, text))
                        return bad_member(member, err);
                (void)snprintf(place, member->size, "%s", text);
                return 0;
        }
}

int gbx_manifest_parse(const void *text, size_t size, struct gbx_manifest *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer again = {};
        gbx_auto(gbx_json_freep) json_t *json = NULL;
        struct gbx_manifest manifest = {};
        json_error_t where;
        int r;

        if (size > GBX_MANIFEST_MAX_BYTES)
                return gbx_fail(err, -EINVAL, "dataset manifest: longer than %d bytes", GBX_MANIFEST_MAX_BYTES);
        json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
        if (!json_is_object(json))
                return gbx_fail(err, -EINVAL, "dataset manifest: not a JSON object");
        for (size_t i = 0; i < gbx_array_size(members); i++) {
                r = member_from_json(&members[i], json, &manifest, err);
                if (r < 0)
                        return r;
        }
        r = gbx_manifest_text(&manifest, &again, err);
        if (r < 0)
                return r;
        if (again.size != size || memcmp(again.data, text, size) != 0)
                return gbx_fail(err, -EINVAL, "dataset manifest: unknown members, or not in its canonical form (sorted "
                                              "keys, no spaces, one line feed at the end)");
        *ret = manifest;
        return 0;
}

void gbx_manifest_describe(struct gbx_manifest *manifest, const struct gbx_age_facts *facts) {
        gbx_sha256_text(facts->ciphertext_digest, manifest->ciphertext);
        gbx_sha256_text(facts->header_digest, manifest->header);
        manifest->bytes = facts->plaintext_size;
        manifest->chunks = facts->chunks;
}

int gbx_manifest_check(const struct gbx_manifest *manifest, const struct gbx_age_facts *facts, struct gbx_error *err) {
        struct gbx_manifest found = *manifest;
        const char *what = NULL;

        gbx_manifest_describe(&found, facts);
        if (strcmp(found.ciphertext, manifest->ciphertext) != 0)
                what = "the file's digest";
        if (strcmp(found.header, manifest->header) != 0)
                what = "the header's digest";
        if (found.chunks != manifest->chunks)
                what = "the number of chunks";
        if (found.bytes != manifest->bytes)
                what = "the number of plaintext bytes";
        if (what)
                return gbx_fail(err, -EBADMSG, "the file is not the one that the manifest of dataset '%s' version %llu "
                                               "describes: %s differs", manifest->id,
                                (unsigned long long)manifest->version, what);
        return 0;
}
