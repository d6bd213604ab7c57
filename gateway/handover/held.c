#include "gateway/handover/held.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "gateway/gate/check.h"
#include "gateway/store/keys.h"
#include "gateway/store/keys_rotate.h"
#include "policy/decision.h"
#include "runtime/vault/age.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 64, HELD_LIMIT = 256 * 1024 * 1024 };

static void held_path(const char *run, char path[static PATH_SIZE]) {
        (void)snprintf(path, PATH_SIZE, "held/%.40s.age", run);
}

/* Beside it, until the log names it. */
static void next_path(const char *run, char path[static PATH_SIZE]) {
        (void)snprintf(path, PATH_SIZE, "held/%.40s.next.age", run);
}

static json_t *column_json(const struct gbx_gate_column *column) {
        return json_pack("{s:s, s:s, s:s, s:s?}", "name", column->name, "type", gbx_column_type_name(column->type), "role",
                         gbx_column_role_name(column->role), "unit", column->unit);
}

static json_t *result_json(const struct gbx_gate_result *result) {
        json_t *tables = json_array(), *findings = NULL;

        if (gbx_findings_to_json(&result->findings, &findings, NULL) < 0)
                return NULL;
        for (size_t i = 0; i < result->table_count; i++) {
                const struct gbx_gate_table *table = &result->tables[i];
                json_t *columns = json_array();

                for (size_t k = 0; k < table->column_count; k++)
                        (void)json_array_append_new(columns, column_json(&table->columns[k]));
                (void)json_array_append_new(tables, json_pack("{s:s, s:o, s:I, s:o, s:s}", "name", table->name, "columns", columns, "rows",
                                                              (json_int_t)table->rows, "csv",
                                                              json_stringn(gbx_buffer_text(&table->csv), table->csv.size), "digest",
                                                              table->digest));
        }
        return json_pack("{s:o, s:o, s:I, s:b}", "findings", findings, "tables", tables, "opaque", (json_int_t)result->opaque_count,
                         "declared_counts", result->declared_counts);
}

static void wipe_text(char **text) {
        if (*text)
                OPENSSL_cleanse(*text, strlen(*text));
        free(*text);
}

int gbx_held_keep(struct gbx_site *site, const char *run, const struct gbx_gate_result *result,
                  char ret_sealed[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = result_json(result);
        gbx_auto(wipe_text) char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        char path[PATH_SIZE];
        int r = text ? gbx_site_identity(site, &identity, err) : gbx_fail_memory(err);

        if (r >= 0)
                r = gbx_age_encrypt_buffer(text, strlen(text), (struct gbx_age_recipients){ gbx_age_identity_recipient(identity), 1 },
                                           &sealed, err);
        if (r < 0)
                return r;
        next_path(run, path);
        r = gbx_write_file_durably(site->directory, path, sealed.data, sealed.size, 0600, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(sealed.data, sealed.size, ret_sealed);
        return 0;
}

static char *copy_text(const json_t *object, const char *field) {
        const char *text = json_string_value(json_object_get(object, field));

        return text ? strdup(text) : NULL;
}

static enum gbx_column_role parse_role(const char *name) {
        for (int role = GBX_COLUMN_KEY; role <= GBX_COLUMN_VALUE; role++)
                if (name && strcmp(gbx_column_role_name((enum gbx_column_role)role), name) == 0)
                        return (enum gbx_column_role)role;
        return GBX_COLUMN_VALUE;
}

static int load_table(const json_t *json, struct gbx_gate_table *table, struct gbx_error *err) {
        const json_t *columns = json_object_get(json, "columns");
        const char *digest = json_string_value(json_object_get(json, "digest"));
        size_t index;
        json_t *column;

        table->name = copy_text(json, "name");
        table->rows = (size_t)json_integer_value(json_object_get(json, "rows"));
        table->columns = calloc(json_array_size(columns) + 1, sizeof *table->columns);
        if (!table->name || !table->columns || !digest)
                return gbx_fail_memory(err);
        (void)snprintf(table->digest, sizeof table->digest, "%s", digest);
        json_array_foreach(columns, index, column) {
                int type = gbx_column_type_parse(json_string_value(json_object_get(column, "type")));

                table->columns[index].name = copy_text(column, "name");
                table->columns[index].unit = copy_text(column, "unit");
                table->columns[index].type = type < 0 ? GBX_TYPE_TEXT : (enum gbx_type)type;
                table->columns[index].role = parse_role(json_string_value(json_object_get(column, "role")));
                table->column_count++;
        }
        table->csv.secret = true;
        return gbx_buffer_append(&table->csv, json_string_value(json_object_get(json, "csv")),
                                 json_string_length(json_object_get(json, "csv")), err);
}

/* The digest that goes on is of the bytes that are here, not of what stands beside them. */
static void digest_table(struct gbx_gate_table *table) {

        gbx_sha256_text_of(table->csv.data, table->csv.size, table->digest);
}

static int parse_held(const struct gbx_buffer *text, struct gbx_gate_result *result, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *json = json_loadb(gbx_buffer_text(text), text->size, JSON_REJECT_DUPLICATES, NULL);
        const json_t *tables = json_object_get(json, "tables");
        size_t index;
        json_t *table;
        int r;

        if (!json_is_array(tables))
                return gbx_fail(err, -EBADMSG, "the held outputs are malformed");
        r = gbx_findings_from_json(json_object_get(json, "findings"), &result->findings, err);
        if (r < 0)
                return r;
        result->opaque_count = (size_t)json_integer_value(json_object_get(json, "opaque"));
        result->declared_counts = json_is_true(json_object_get(json, "declared_counts"));
        result->tables = calloc(json_array_size(tables) + 1, sizeof *result->tables);
        if (!result->tables)
                return gbx_fail_memory(err);
        json_array_foreach(tables, index, table) {
                result->table_count++;
                r = load_table(table, &result->tables[index], err);
                if (r < 0)
                        return r;
                digest_table(&result->tables[index]);
        }
        return 0;
}

/* Whether the file's bytes are those that the log names. */
static int check_sealed(struct gbx_site *site, const json_t *run, const struct gbx_buffer *sealed, struct gbx_error *err) {
        char file[GBX_SHA256_TEXT_SIZE];

        gbx_sha256_text_of(sealed->data, sealed->size, file);
        if (gbx_site_sealed_same(site, gbx_json_text(run, "sealed"), file, err) < 0)
                return gbx_fail(err, -EBADMSG, "the file is not what the log says was held: it was replaced");
        return 0;
}

/* The file that the log names: in its place, or still beside it. `ret_next` (may be NULL): it is the latter. */
static int read_sealed(struct gbx_site *site, const json_t *run, struct gbx_buffer *ret, bool *ret_next, struct gbx_error *err) {
        char place[PATH_SIZE], next[PATH_SIZE];
        struct gbx_error ignored = {};
        int r, other;

        held_path(gbx_json_text(run, "id"), place);
        next_path(gbx_json_text(run, "id"), next);
        if (ret_next)
                *ret_next = false;
        r = gbx_read_file(site->directory, place, HELD_LIMIT, ret, err);
        if (r == -ENOENT)
                r = gbx_fail(err, -EBADMSG, "the file '%s' is gone, though nobody decided about it", place);
        if (r >= 0)
                r = check_sealed(site, run, ret, err);
        if (r != -EBADMSG)
                return r;
        gbx_buffer_clear(ret);
        other = gbx_read_file(site->directory, next, HELD_LIMIT, ret, &ignored);
        if (other >= 0)
                other = check_sealed(site, run, ret, &ignored);
        if (other >= 0 && ret_next)
                *ret_next = true;
        return other >= 0 ? 0 : r;
}

/* What was read must be what the log says was held: the tables and findings in it. */
static int check_held(const json_t *run, const struct gbx_gate_result *result, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *findings = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        char output[GBX_SHA256_TEXT_SIZE], found[GBX_SHA256_TEXT_SIZE];
        int r = gbx_output_digest(result, output, err);

        if (r >= 0)
                r = gbx_findings_to_json(&result->findings, &findings, err);
        if (r >= 0)
                r = gbx_json_canonical(findings, &text, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(text.data, text.size, found);
        if (strcmp(output, gbx_json_text(run, "output")) != 0 || strcmp(found, gbx_json_text(run, "findings")) != 0)
                return gbx_fail(err, -EBADMSG, "the file is not what the log says was held: it was replaced");
        return 0;
}

int gbx_held_load(struct gbx_site *site, const json_t *run, struct gbx_gate_result *ret, struct gbx_error *err) {
        gbx_auto(gbx_gate_result_free) struct gbx_gate_result result = {};
        gbx_auto(gbx_age_identity_freep) struct gbx_age_identity *identity = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {}, text = { .secret = true };
        int r = gbx_site_identity(site, &identity, err);

        if (r < 0)
                return r;
        if (!gbx_json_text(run, "output") || !gbx_json_text(run, "findings") || !gbx_json_text(run, "sealed"))
                return gbx_fail(err, -EBADMSG, "the log does not say what was held of %s", gbx_json_text(run, "id"));
        r = read_sealed(site, run, &sealed, NULL, err);
        if (r >= 0)
                r = gbx_age_decrypt_buffer(sealed.data, sealed.size,
                                           (struct gbx_age_identities){ (const struct gbx_age_identity *const *)&identity, 1 }, HELD_LIMIT,
                                           &text, err);
        if (r >= 0)
                r = parse_held(&text, &result, err);
        if (r >= 0)
                r = check_held(run, &result, err);
        if (r < 0)
                return gbx_context(err, r == -EINVAL ? -EBADMSG : r, "held outputs of %s", gbx_json_text(run, "id"));
        *ret = result;
        result = (struct gbx_gate_result){};
        return 0;
}

static int remove_file(struct gbx_site *site, const char *path, struct gbx_error *err) {
        return unlinkat(site->directory, path, 0) < 0 && errno != ENOENT ? gbx_fail_errno(err, "cannot remove '%s'", path) : 0;
}

int gbx_held_settle(struct gbx_site *site, const json_t *run, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        char place[PATH_SIZE], next[PATH_SIZE];
        bool is_next;
        int r;

        held_path(gbx_json_text(run, "id"), place);
        next_path(gbx_json_text(run, "id"), next);
        if (faccessat(site->directory, next, F_OK, 0) < 0 && errno == ENOENT)
                return 0;
        r = read_sealed(site, run, &sealed, &is_next, err);
        if (r < 0)
                return gbx_context(err, r, "held outputs of %s", gbx_json_text(run, "id"));
        if (!is_next)
                return remove_file(site, next, err);
        if (renameat(site->directory, next, site->directory, place) < 0)
                return gbx_fail_errno(err, "cannot put '%s' in place", place);
        return gbx_sync_parent(site->directory, place, err);
}

int gbx_held_drop(struct gbx_site *site, const char *run, struct gbx_error *err) {
        char place[PATH_SIZE], next[PATH_SIZE];
        int r;

        held_path(run, place);
        next_path(run, next);
        r = remove_file(site, place, err);
        return r < 0 ? r : remove_file(site, next, err);
}
