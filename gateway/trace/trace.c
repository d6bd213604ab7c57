#include "gateway/trace/trace.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "gateway/store/keys_rotate.h"
#include "gateway/store/objects.h"
#include "gateway/store/transaction.h"
#include "runtime/vault/age.h"
#include "runtime/vault/keys.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 256, ORIGINAL_LIMIT = 256 * 1024 * 1024 };

struct gbx_suspect_memory {
        char *mark_id, *recipient, *family, *canonical;
        struct gbx_buffer record, original;
};

void gbx_suspects_free(struct gbx_suspects *suspects) {
        for (size_t i = 0; suspects->memory && i < suspects->count; i++) {
                struct gbx_suspect_memory *memory = &suspects->memory[i];

                free(memory->mark_id);
                free(memory->recipient);
                free(memory->family);
                free(memory->canonical);
                gbx_buffer_free(&memory->record);
                gbx_buffer_free(&memory->original);
        }
        free(suspects->memory);
        free(suspects->list);
        *suspects = (struct gbx_suspects){};
}

/* The table before marking, kept encrypted to the site: the file must be the one whose digest the log has, and hold the
 * table whose digest it has. */
static int load_original(struct gbx_site *site, const struct gbx_age_identity *identity, const char *release, const json_t *output,
                         struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        char path[PATH_SIZE], text[GBX_SHA256_TEXT_SIZE];
        int r;

        (void)snprintf(path, sizeof path, "releases/%s/%s.original.age", release, gbx_json_text(output, "file"));
        r = gbx_read_file(site->directory, path, ORIGINAL_LIMIT, &sealed, err);
        if (r < 0)
                return r == -ENOENT ? gbx_fail(err, -EBADMSG, "'%s', which the log names, is gone", path) : r;
        gbx_sha256_text_of(sealed.data, sealed.size, text);
        if (gbx_site_sealed_same(site, gbx_json_text(output, "original"), text, err) < 0)
                return gbx_fail(err, -EBADMSG, "'%s' is not the file that the log names: it was replaced", path);
        return gbx_age_decrypt_buffer(sealed.data, sealed.size, (struct gbx_age_identities){ &identity, 1 }, ORIGINAL_LIMIT, ret, err);
}

/* Copies of one table share the original: each is opened once, however many recipients there are. */
static const struct gbx_suspect_memory *find_same(const struct gbx_suspects *suspects, const char *canonical) {
        for (size_t i = 0; i + 1 < suspects->count; i++)
                if (strcmp(suspects->memory[i].canonical, canonical) == 0)
                        return &suspects->memory[i];
        return NULL;
}

static int add(struct gbx_site *site, const struct gbx_age_identity *identity, const json_t *release, const json_t *output,
               struct gbx_suspects *suspects, struct gbx_error *err) {
        struct gbx_suspect_memory *memory = &suspects->memory[suspects->count];
        struct gbx_trace_candidate *candidate = &suspects->list[suspects->count];
        const char *id = json_string_value(json_object_get(release, "id"));
        const char *recipient = json_string_value(json_object_get(release, "recipient"));
        const char *family = json_string_value(json_object_get(output, "family"));
        const struct gbx_suspect_memory *same;
        int r;

        suspects->count++;
        memory->original.secret = true;
        memory->mark_id = strdup(json_string_value(json_object_get(output, "mark_id")));
        memory->recipient = strdup(recipient);
        memory->family = strdup(family);
        memory->canonical = strdup(gbx_json_text(output, "canonical"));
        if (!memory->mark_id || !memory->recipient || !memory->family || !memory->canonical)
                return gbx_fail_memory(err);
        same = find_same(suspects, memory->canonical);
        r = gbx_object_get(site->directory, json_string_value(json_object_get(output, "record")), &memory->record, err);
        if (r >= 0 && !same)
                r = load_original(site, identity, id, output, &memory->original, err);
        if (r < 0)
                return gbx_context(err, r, "%s", id);
        *candidate = (struct gbx_trace_candidate){ memory->mark_id, memory->recipient, memory->family, gbx_buffer_text(&memory->record),
                                                   NULL, 0 };
        if (!same)
                same = memory;
        candidate->original = same->original.size ? same->original.data : NULL;
        candidate->original_size = same->original.size;
        return 0;
}

int gbx_suspects_load(struct gbx_site *site, struct gbx_suspects *ret, struct gbx_error *err) {
        gbx_auto(gbx_suspects_free) struct gbx_suspects suspects = {};
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        size_t index, total = 0;
        json_t *row;
        int r = gbx_site_identity(site, &identity, err);

        if (r >= 0)
                r = gbx_fact_rows(site, &rows, err, "release", "1", NULL);
        if (r < 0)
                return r;
        json_array_foreach(rows, index, row) {
                json_t *outputs = json_loads(json_string_value(json_object_get(row, "outputs")), 0, NULL);

                total += json_array_size(outputs);
                (void)json_object_set_new(row, "outputs", outputs);
        }
        suspects.memory = calloc(total + 1, sizeof *suspects.memory);
        suspects.list = calloc(total + 1, sizeof *suspects.list);
        if (!suspects.memory || !suspects.list)
                return gbx_fail_memory(err);
        json_array_foreach(rows, index, row) {
                size_t place;
                json_t *output;

                json_array_foreach(json_object_get(row, "outputs"), place, output) {
                        r = add(site, identity, row, output, &suspects, err);
                        if (r < 0)
                                return r;
                }
        }
        *ret = suspects;
        suspects = (struct gbx_suspects){};
        return 0;
}

static int record(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_buffer *file, const struct gbx_suspects *suspects,
                  const struct gbx_trace *trace, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL, *accused = json_array();
        char text[GBX_SHA256_TEXT_SIZE];

        gbx_sha256_text_of(file->data, file->size, text);
        for (size_t i = 0; i < trace->accused; i++)
                (void)json_array_append_new(accused, json_string(suspects->list[trace->results[i].candidate].release));
        details = json_pack("{s:s, s:I, s:O}", "verdict", gbx_trace_verdict_text(trace->verdict), "tested", (json_int_t)trace->tested,
                            "accused", accused);
        return gbx_record(site, caller, "trace", &(struct gbx_action){ "trace.run", text, gbx_trace_verdict_text(trace->verdict), NULL, details },
                          err);
}

int gbx_trace_suspect(struct gbx_site *site, const struct gbx_caller *caller, const struct gbx_buffer *file, const struct gbx_suspects *suspects,
                      struct gbx_trace *ret_trace, struct gbx_error *err) {
        gbx_auto(gbx_secret_free) struct gbx_secret root = {};
        gbx_auto(gbx_trace_clear) struct gbx_trace trace = {};
        int r = gbx_site_raw_key(site, GBX_KEYS_WATERMARK, &root, err);

        if (r >= 0)
                r = gbx_trace(root.data, file->data, file->size, suspects->list, suspects->count, NULL, &trace, err);
        if (r >= 0)
                r = record(site, caller, file, suspects, &trace, err);
        if (r < 0)
                return r;
        *ret_trace = trace;
        trace = (struct gbx_trace){};
        return 0;
}
