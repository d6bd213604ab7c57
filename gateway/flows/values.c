#include "gateway/flows/values.h"

#include "base/cleanup.h"
#include "base/csv.h"
#include "gateway/data/schema.h"
#include "gateway/egress/tokens.h"
#include "gateway/executor/local.h"
#include "gateway/parse/confine.h"
#include "base/json.h"
#include "gateway/store/transaction.h"
#include "policy/schema.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CPU_SECONDS = 600, MEMORY_BYTES = 256 * 1024 * 1024 };

/* For each field of the header, whether its column identifies somebody. A column that the schema does not know might: refused. */
static int choose_columns(const struct gbx_schema *schema, const struct gbx_csv_row *header, bool *chosen, struct gbx_error *err) {
        const struct gbx_schema_column *columns = schema->columns.items;

        for (size_t i = 0; i < header->count; i++) {
                size_t k = 0;

                while (k < schema->columns.count && strcmp(columns[k].name, header->fields[i].data) != 0)
                        k++;
                if (k == schema->columns.count)
                        return gbx_fail(err, -EBADMSG, "column %zu is not in the schema", i + 1);
                chosen[i] = columns[k].class == GBX_CLASS_IDENTIFIER || columns[k].key;
        }
        return 0;
}

static int read_values(const struct gbx_schema *schema, const void *data, size_t size, struct gbx_tokens *tokens, struct gbx_error *err) {
        gbx_auto(gbx_csv_freep) struct gbx_csv *csv = NULL;
        gbx_auto(gbx_free_pointer) bool *chosen = NULL;
        struct gbx_csv_row row;
        int r = gbx_csv_new_memory(&csv, data, size, &(struct gbx_csv_options){}, err);

        if (r >= 0)
                r = gbx_csv_next(csv, &row, err);
        if (r <= 0)
                return r < 0 ? r : gbx_fail(err, -EBADMSG, "no header");
        chosen = calloc(row.count, sizeof *chosen);
        if (!chosen)
                return gbx_fail_memory(err);
        r = choose_columns(schema, &row, chosen, err);
        while (r >= 0 && (r = gbx_csv_next(csv, &row, err)) > 0)
                for (size_t i = 0; i < row.count && r >= 0; i++)
                        if (chosen[i])
                                r = gbx_tokens_add(tokens, row.fields[i].data, row.fields[i].size, err);
        return r;
}

/* --- in a process that can only compute ------------------------------------------ */

struct source {
        const struct gbx_schema *schema;
        void *data;
        size_t size;
        struct gbx_tokens *tokens; /* the child's own copy */
};

static void unmap(struct source *source) {
        if (source->size)
                (void)munmap(source->data, source->size);
}

static int read_confined(void *context, int out, struct gbx_error *err) {
        const struct source *source = context;
        size_t before = gbx_tokens_count(source->tokens);
        int r = read_values(source->schema, source->data, source->size, source->tokens, err);

        return r < 0 ? r : gbx_tokens_export(source->tokens, before, out, err);
}

int gbx_flow_values_read(const struct gbx_schema *schema, int fd, struct gbx_tokens *tokens, struct gbx_error *err) {
        const struct gbx_confine_limits limits = { CPU_SECONDS, MEMORY_BYTES, (GBX_TOKENS_MAX + 1) * sizeof(uint64_t) };
        gbx_auto(gbx_buffer_free) struct gbx_buffer found = {};
        gbx_auto(unmap) struct source source = { .schema = schema, .tokens = tokens };
        struct stat status;
        int r;

        if (fstat(fd, &status) < 0)
                return gbx_fail_errno(err, "cannot look at what was decrypted");
        if (status.st_size > 0) {
                source.data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
                if (source.data == MAP_FAILED)
                        return gbx_fail_errno(err, "cannot map what was decrypted");
                source.size = (size_t)status.st_size;
        }
        r = gbx_confine_run(read_confined, &source, limits, &found, err);
        return r < 0 ? r : gbx_tokens_import(tokens, found.data, found.size, err);
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
