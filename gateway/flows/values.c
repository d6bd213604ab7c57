#include "gateway/flows/values.h"

#include "base/cleanup.h"
#include "base/memfile.h"
#include "gateway/data/schema.h"
#include "gateway/egress/tokens.h"
#include "gateway/executor/local.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/parse.h"
#include "base/json.h"
#include "gateway/store/transaction.h"
#include "policy/schema.h"

#include <fcntl.h>
#include <string.h>

/* For each column of the schema, whether its values identify somebody. */
static int write_question(const struct gbx_schema *schema, const struct gbx_tokens *tokens, int fd, struct gbx_error *err) {
        const struct gbx_schema_column *columns = schema->columns.items;
        int r = gbx_frame_write(fd, GBX_FRAME_KEY, &(struct gbx_bytes){ gbx_tokens_key(tokens), GBX_TOKENS_KEY }, 1, err);

        for (size_t i = 0; i < schema->columns.count && r == 0; i++) {
                const uint8_t wanted = columns[i].class == GBX_CLASS_IDENTIFIER || columns[i].key;
                const struct gbx_bytes parts[] = { { &wanted, 1 }, { columns[i].name, strlen(columns[i].name) } };

                r = gbx_frame_write(fd, GBX_FRAME_COLUMN, parts, gbx_array_size(parts), err);
        }
        return r < 0 ? r : gbx_frame_write_end(fd, 0, "", err);
}

static int take_answer(const struct gbx_buffer *answer, struct gbx_tokens *tokens, struct gbx_error *err) {
        struct gbx_frames frames = { answer->data, answer->size };
        struct gbx_frame found, behind;
        int r = gbx_frames_next(&frames, &found, err);

        if (r < 0)
                return r;
        if (r == 0 || found.kind != GBX_FRAME_VALUES || gbx_frames_next(&frames, &behind, NULL) != 0)
                return gbx_fail(err, -EPROTO, "its reader contradicts itself");
        return gbx_tokens_import(tokens, found.data, found.size, err);
}

int gbx_flow_values_read(const struct gbx_schema *schema, int fd, struct gbx_tokens *tokens, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int question = gbx_memfile("parse-question", NULL, 0, err);
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = {};
        int r = question < 0 ? question : write_question(schema, tokens, question, err);

        if (r == 0)
                r = gbx_parse(&gbx_parse_values, fd, question, &answer, err);
        return r < 0 ? r : take_answer(&answer, tokens, err);
}

static int add_dataset(struct gbx_site *site, const json_t *dataset, const char *id, struct gbx_tokens *tokens, struct gbx_error *err) {
        const char *name = json_string_value(json_object_get(dataset, "name"));
        gbx_auto(gbx_json_freep) json_t *use = json_pack("{s:s, s:s, s:O}", "purpose", "identifiers for the content scan of flows", "run", id,
                                                         "digest", json_object_get(dataset, "manifest"));
        uint64_t bytes = (uint64_t)json_integer_value(json_object_get(dataset, "bytes"));
        gbx_auto(gbx_delivery_freep) struct gbx_delivery *data = NULL;
        gbx_auto(gbx_schema_freep) struct gbx_schema *schema = NULL;
        gbx_auto(gbx_close_fd) int fd = -1;
        int r = gbx_dataset_schema(site->directory, dataset, &schema, err);

        if (r >= 0)
                r = gbx_record_system(site, &(struct gbx_action){ "key.use", name, "done", NULL, use }, err);
        if (r >= 0)
                r = gbx_delivery_new(&data, GBX_DELIVERY_DATA, (struct gbx_delivery_limits){ bytes + 8192, 2 }, err);
        if (r >= 0)
                r = gbx_execution_deliver(site->directory, dataset, data, err);
        if (r < 0)
                return r;
        fd = openat(gbx_delivery_mount_fd(data), name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return gbx_fail_errno(err, "cannot read what was decrypted");
        return gbx_flow_values_read(schema, fd, tokens, err);
}

int gbx_flow_values(struct gbx_site *site, const struct gbx_run_plan *plan, const char *id, struct gbx_error *err) {
        gbx_auto(gbx_tokens_freep) struct gbx_tokens *tokens = NULL;
        const json_t *dataset;
        size_t index;
        int r = gbx_tokens_new(&tokens, err);

        if (r < 0)
                return r;
        json_array_foreach(plan->datasets, index, dataset) {
                r = add_dataset(site, dataset, id, tokens, err);
                if (r < 0)
                        return gbx_context(err, r, "identifiers of dataset '%s'", json_string_value(json_object_get(dataset, "name")));
        }
        return gbx_tokens_write(tokens, err);
}
