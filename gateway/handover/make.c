#include "gateway/handover/make.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "gateway/handover/earlier.h"
#include "gateway/handover/predicate.h"
#include "gateway/handover/provenance.h"
#include "gateway/store/fact.h"
#include "gateway/store/keys.h"
#include "gateway/store/objects.h"
#include "gateway/store/records.h"
#include "gateway/handover/tolerance.h"
#include "runtime/vault/age.h"
#include "runtime/vault/keys.h"
#include "watermark/mark.h"

#include <stdio.h>
#include <string.h>

enum { ID_SIZE = 40, MARK_ID_SIZE = ID_SIZE + 12, PATH_SIZE = 160, MARK_TRIES = 32 };

struct gbx_draft {
        struct gbx_site *site;
        const struct gbx_run_plan *plan;
        char run[GBX_RUN_ID_SIZE];
        char id[ID_SIZE];
        char folder[PATH_SIZE];
        struct gbx_secret root;
        struct gbx_age_identity *identity; /* of the site: for the copies kept for tracing */
        struct gbx_age_recipient recipient;
        json_t *outputs; /* array: what the log keeps of each table */
        struct gbx_provenance_subject *subjects;
        json_t *marks; /* object: mark of each table, for the manifest */
        struct gbx_buffer earlier; /* for the sealed record (earlier.h) */
        char provenance[GBX_SHA256_TEXT_SIZE];
        bool recorded; /* from here on the files belong to the log's release */
};

/* Files of a draft that was not recorded are nobody's. */
static void remove_files(struct gbx_draft *draft) {
        gbx_auto(gbx_close_fd) int folder = gbx_open_directory(draft->site->directory, draft->folder, NULL);
        gbx_auto(gbx_close_directory) DIR *listing = folder < 0 ? NULL : fdopendir(gbx_take_fd(&folder));
        const struct dirent *entry;

        while (listing && (entry = readdir(listing)))
                if (entry->d_name[0] != '.')
                        (void)unlinkat(dirfd(listing), entry->d_name, 0);
        (void)unlinkat(draft->site->directory, draft->folder, AT_REMOVEDIR);
}

struct gbx_draft *gbx_draft_free(struct gbx_draft *draft) {
        if (!draft)
                return NULL;
        if (!draft->recorded && draft->folder[0])
                remove_files(draft);
        gbx_secret_free(&draft->root);
        draft->identity = gbx_age_identity_free(draft->identity);
        json_decref(draft->outputs);
        json_decref(draft->marks);
        gbx_buffer_free(&draft->earlier);
        free(draft->subjects);
        free(draft);
        return NULL;
}

static int load_recipient(struct gbx_draft *draft, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        const char *name = draft->plan->request.requester, *age;
        int r = gbx_fact_one(draft->site, &row, err, "user", "name=?1 AND state='active'", name, NULL);

        if (r < 0)
                return r;
        age = r > 0 ? NULL : json_string_value(json_object_get(row, "age"));
        if (!age)
                return gbx_fail(err, -EKEYREJECTED, "'%s' has no age recipient to release to; gbx user add %s --age …", name, name);
        return gbx_age_recipient_parse(age, &draft->recipient, err);
}

/* A release has the number of its run. */
static int start(struct gbx_draft *draft, struct gbx_error *err) {
        int r;

        (void)snprintf(draft->id, sizeof draft->id, "release-%s", draft->run + strlen("run-"));
        (void)snprintf(draft->folder, sizeof draft->folder, "releases/%s", draft->id);
        draft->outputs = json_array();
        draft->marks = json_object();
        r = load_recipient(draft, err);
        if (r >= 0)
                r = gbx_make_directories(draft->site->directory, draft->folder, 0700, err);
        if (r >= 0)
                r = gbx_site_raw_key(draft->site, GBX_KEYS_WATERMARK, &draft->root, err);
        return r < 0 ? r : gbx_site_identity(draft->site, &draft->identity, err);
}

/* One text for all releases of the same table: what the datasets, the algorithm and the parameters make of it. */
static int family_text(const struct gbx_draft *draft, const struct gbx_gate_table *table, char ret[static GBX_SHA256_TEXT_SIZE],
                       struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        const struct gbx_run_request *request = &draft->plan->request;
        int r = gbx_buffer_printf(&text, err, "%s\n%s\n", request->algorithm, table->name);

        for (size_t i = 0; i < request->dataset_count && r >= 0; i++)
                r = gbx_buffer_printf(&text, err, "%s %s\n", request->datasets[i].name, request->datasets[i].digest);
        for (size_t i = 0; i < table->column_count && r >= 0; i++)
                r = gbx_buffer_printf(&text, err, "%s\n", table->columns[i].name);
        if (r >= 0)
                r = gbx_json_canonical(request->parameters, &text, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(text.data, text.size, ret);
        return 0;
}

static bool has_column(const struct gbx_gate_table *table, const char *name) {
        for (size_t i = 0; i < table->column_count; i++)
                if (strcmp(table->columns[i].name, name) == 0)
                        return true;
        return false;
}

/* What the policy says of a column's marks. Where the column that decides it is not in this table, it stays exact: rows
 * that belong together could not be marked alike. */
static void constrain(const struct gbx_policy_column *column, const struct gbx_gate_table *table, struct gbx_mark_column *mark) {
        mark->mark_text = column->mark;
        mark->prose = column->prose;
        mark->exact = column->exact;
        mark->weight = (unsigned)column->weight;
        mark->minimum = column->minimum;
        mark->maximum = column->maximum;
        mark->keep_total = column->keep_total;
        mark->sum_group = column->sum_group;
        if (column->per && has_column(table, column->per))
                mark->per = column->per;
        else if (column->per)
                mark->exact = true;
}

/* What the mark may do to a column of the gate's, by what the policy says of it. */
static struct gbx_mark_column markable(const struct gbx_policy_release *release, const struct gbx_gate_table *table,
                                       const struct gbx_gate_column *column) {
        static const enum gbx_mark_type types[] = { [GBX_TYPE_INTEGER] = GBX_MARK_INTEGER, [GBX_TYPE_DECIMAL] = GBX_MARK_DECIMAL,
                                                    [GBX_TYPE_COUNT] = GBX_MARK_TEXT };
        static const enum gbx_mark_role roles[] = { [GBX_COLUMN_KEY] = GBX_MARK_KEY, [GBX_COLUMN_COUNT] = GBX_MARK_COUNT,
                                                    [GBX_COLUMN_VALUE] = GBX_MARK_VALUE };
        struct gbx_mark_column mark = { .name = column->name, .type = types[column->type], .role = roles[column->role] };
        const struct gbx_policy_column *columns = release->columns.items;

        if (release->watermark == GBX_WATERMARK_OFF)
                return mark;
        mark.unit = column->unit;
        for (size_t i = 0; i < release->columns.count; i++)
                if (strcmp(columns[i].name, column->name) == 0)
                        constrain(&columns[i], table, &mark);
        return mark;
}

static unsigned markable_layout(const struct gbx_policy_release *release) {
        if (release->watermark == GBX_WATERMARK_OFF)
                return 0;
        return GBX_MARK_ZERO_WIDTH | (release->row_order_mark ? (unsigned)GBX_MARK_ROW_ORDER : 0); /* the former in prose only */
}

/* A table of the gate's, and what a mark may do to it: however often it is marked, this is found out once. */
struct subject {
        const struct gbx_gate_table *table;
        struct gbx_mark_column *columns;
        char family[GBX_SHA256_TEXT_SIZE];
};

static void free_subject(struct subject *subject) {
        free(subject->columns);
}

static int make_subject(const struct gbx_draft *draft, const struct gbx_gate_table *table, struct subject *ret, struct gbx_error *err) {
        int r;

        ret->table = table;
        ret->columns = calloc(table->column_count + 1, sizeof *ret->columns);
        if (!ret->columns)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < table->column_count; i++)
                ret->columns[i] = markable(&draft->plan->policy->release, table, &table->columns[i]);
        r = gbx_tolerance_apply(draft->site, draft->plan->datasets, ret->columns, table->column_count, err);
        return r < 0 ? r : family_text(draft, table, ret->family, err);
}

static int mark_table(const struct gbx_draft *draft, const struct subject *subject, const char *mark_id, const char *banner,
                      struct gbx_buffer *ret_marked, struct gbx_mark *ret_mark, struct gbx_error *err) {
        const struct gbx_policy_release *release = &draft->plan->policy->release;
        const struct gbx_gate_table *table = subject->table;
        struct gbx_mark_request request = { .root = draft->root.data, .family = subject->family, .release = mark_id,
                                            .recipient = draft->plan->request.requester, .columns = subject->columns,
                                            .column_count = table->column_count,
                                            .options = { .banner = banner, .layout = markable_layout(release),
                                                         .coalition = (unsigned)release->coalition } };

        return gbx_mark_table(&request, table->csv.data, table->csv.size, ret_marked, ret_mark, err);
}

/* Whether somebody else was given these very bytes before. */
static int given_before(struct gbx_site *site, const char *recipient, const char *digest, bool *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_fact_one(site, &row, err, "release", "recipient<>?1 AND instr(outputs, ?2)>0", recipient, digest, NULL);

        if (r >= 0)
                *ret = r == 0;
        return r < 0 ? r : 0;
}

static int is_taken(const struct gbx_draft *draft, const struct gbx_mark *mark, bool *ret, struct gbx_error *err) {
        char digest[GBX_SHA256_TEXT_SIZE];

        gbx_sha256_text(mark->digest, digest);
        return given_before(draft->site, draft->plan->request.requester, digest, ret, err);
}

/* Marks until the copy is nobody else's: of a small table two marks may be the same by chance, and then the copies
 * could not be told apart. `ret_id` is what the mark was made with, and what a trace needs. */
static int mark_apart(const struct gbx_draft *draft, const struct subject *subject,
                      char ret_id[static MARK_ID_SIZE], struct gbx_buffer *ret_marked, struct gbx_mark *ret_mark,
                      struct gbx_error *err) {
        bool taken = true;
        int r = 0;

        (void)snprintf(ret_id, MARK_ID_SIZE, "%s", draft->id);
        for (unsigned n = 0; n < MARK_TRIES && taken && r >= 0; n++) {
                gbx_buffer_clear(ret_marked);
                gbx_mark_clear(ret_mark);
                if (n > 0)
                        (void)snprintf(ret_id, MARK_ID_SIZE, "%.*s.%u", ID_SIZE - 1, draft->id, n % MARK_TRIES);
                r = mark_table(draft, subject, ret_id, NULL, ret_marked, ret_mark, err);
                if (r >= 0)
                        r = is_taken(draft, ret_mark, &taken, err);
        }
        return r;
}

/* Puts the banner in front, if the policy asks for one. `plain` gets the digest without it, which tells whether two
 * copies are alike but for whom they name. */
static int add_banner(const struct gbx_draft *draft, const struct subject *subject, const char *mark_id,
                      struct gbx_buffer *marked, struct gbx_mark *mark, char plain[static GBX_SHA256_TEXT_SIZE],
                      struct gbx_error *err) {
        char banner[256];

        gbx_sha256_text(mark->digest, plain);
        if (!draft->plan->policy->release.banner)
                return 0;
        (void)snprintf(banner, sizeof banner, "copy for %s, %s", draft->plan->request.requester, draft->id);
        gbx_buffer_clear(marked);
        gbx_mark_clear(mark);
        return mark_table(draft, subject, mark_id, banner, marked, mark, err);
}

/* Encrypts to one recipient and puts the file into the release's folder. `ret_digest`: of its bytes. */
static int put_sealed(const struct gbx_draft *draft, const char *name, const char *suffix, const struct gbx_age_recipient *recipient,
                      const struct gbx_buffer *bytes, char ret_digest[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer sealed = {};
        char path[2 * PATH_SIZE];
        int r = gbx_age_encrypt_buffer(bytes->data, bytes->size, (struct gbx_age_recipients){ recipient, 1 }, &sealed, err);

        if (r < 0)
                return r;
        gbx_sha256_text_of(sealed.data, sealed.size, ret_digest);
        (void)snprintf(path, sizeof path, "%s/%s%s", draft->folder, name, suffix);
        return gbx_write_file_durably(draft->site->directory, path, sealed.data, sealed.size, 0600, err);
}

static json_t *mark_json(const struct gbx_mark *mark) {
        return json_pack("{s:s, s:I, s:I, s:s, s:s, s:i}", "scheme", mark->scheme, "capacity_cells", (json_int_t)mark->capacity_cells,
                         "floor_cells", (json_int_t)mark->floor_cells, "claim", gbx_mark_claim_text(mark->claim), "code",
                         gbx_mark_code_text(mark->code), "coalition", (int)mark->coalition);
}

/* What the log keeps of a table that left: digests of the bytes as they were made, marked and sealed, and what a trace and
 * a comparison need. */
struct entry_parts {
        char record[GBX_SHA256_TEXT_SIZE], digest[GBX_SHA256_TEXT_SIZE], plain[GBX_SHA256_TEXT_SIZE];
        char sealed[GBX_SHA256_TEXT_SIZE], original[GBX_SHA256_TEXT_SIZE], mark_id[MARK_ID_SIZE];
};

static json_t *output_json(const struct gbx_gate_table *table, const struct subject *subject, const struct entry_parts *parts, size_t bytes) {
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "file", table->name, "canonical", table->digest, "digest",
                         parts->digest, "plain", parts->plain, "sealed", parts->sealed, "original", parts->original, "record", parts->record,
                         "family", subject->family, "mark_id", parts->mark_id, "bytes", (json_int_t)bytes, "columns",
                         gbx_earlier_columns(table));
}

static int add_table(struct gbx_draft *draft, const struct gbx_gate_table *table, size_t index, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer marked = {};
        gbx_auto(gbx_mark_clear) struct gbx_mark mark = {};
        gbx_auto(free_subject) struct subject subject = {};
        const struct gbx_age_recipient *own = gbx_age_identity_recipient(draft->identity);
        struct entry_parts parts;
        int r = make_subject(draft, table, &subject, err);

        if (r >= 0)
                r = mark_apart(draft, &subject, parts.mark_id, &marked, &mark, err);
        if (r >= 0)
                r = add_banner(draft, &subject, parts.mark_id, &marked, &mark, parts.plain, err);
        if (r >= 0)
                r = gbx_object_put(draft->site->directory, mark.record, strlen(mark.record), parts.record, err);
        if (r >= 0)
                r = put_sealed(draft, table->name, ".age", &draft->recipient, &marked, parts.sealed, err);
        if (r >= 0)
                r = put_sealed(draft, table->name, ".original.age", own, &table->csv, parts.original, err);
        if (r < 0)
                return r;
        gbx_sha256_text(mark.digest, parts.digest);
        draft->subjects[index].name = table->name;
        memcpy(draft->subjects[index].digest, mark.digest, sizeof mark.digest);
        (void)json_object_set_new(draft->marks, table->name, mark_json(&mark));
        return json_array_append_new(draft->outputs, output_json(table, &subject, &parts, marked.size)) < 0 ? gbx_fail_memory(err) : 0;
}

/* Signs the manifest and puts it beside the tables. */
static int sign(struct gbx_draft *draft, const struct gbx_gate_result *result, const char *findings, const json_t *reviews,
                struct gbx_error *err) {
        const struct gbx_predicate_parts parts = { draft->plan, draft->site->origin, draft->run, draft->id, findings, draft->marks,
                                                   reviews, &result->findings };
        gbx_auto(gbx_json_freep) json_t *predicate = NULL;
        gbx_auto(gbx_secret_free) struct gbx_secret seed = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer envelope = {};
        char path[PATH_SIZE + 32];
        int r = gbx_predicate_make(&parts, &predicate, err);

        if (r >= 0)
                r = gbx_site_raw_key(draft->site, GBX_KEYS_PROVENANCE, &seed, err);
        if (r >= 0)
                r = gbx_provenance_sign(draft->subjects, result->table_count, predicate, seed.data, &envelope, err);
        if (r < 0)
                return r;
        gbx_sha256_text_of(envelope.data, envelope.size, draft->provenance);
        (void)snprintf(path, sizeof path, "%s/provenance.intoto.json", draft->folder);
        return gbx_write_file_durably(draft->site->directory, path, envelope.data, envelope.size, 0600, err);
}

int gbx_draft_make(struct gbx_draft **ret, struct gbx_site *site, const char *run, const struct gbx_run_plan *plan,
                   const struct gbx_gate_result *result, const char *findings, const json_t *reviews, struct gbx_error *err) {
        gbx_auto(gbx_draft_freep) struct gbx_draft *draft = calloc(1, sizeof *draft);
        int r;

        if (!draft)
                return gbx_fail_memory(err);
        draft->site = site;
        draft->plan = plan;
        (void)snprintf(draft->run, sizeof draft->run, "%s", run);
        draft->subjects = calloc(result->table_count + 1, sizeof *draft->subjects);
        if (!draft->subjects)
                return gbx_fail_memory(err);
        r = start(draft, err);
        for (size_t i = 0; i < result->table_count && r >= 0; i++)
                r = add_table(draft, &result->tables[i], i, err);
        if (r >= 0)
                r = sign(draft, result, findings, reviews, err);
        draft->earlier.secret = true;
        if (r >= 0)
                r = gbx_earlier_record(result, &draft->earlier, err);
        if (r >= 0)
                *ret = gbx_take_ptr(draft);
        return r;
}

/* Two drafts at once may have come to the same bytes for two recipients, and a recipient may have a new key. */
int gbx_draft_check(const struct gbx_draft *draft, struct gbx_error *err) {
        struct gbx_draft now = { .site = draft->site, .plan = draft->plan };
        bool taken = false;
        size_t i;
        const json_t *output;
        int r = load_recipient(&now, err);

        if (r < 0)
                return r;
        if (memcmp(&now.recipient, &draft->recipient, sizeof now.recipient) != 0)
                return GBX_DRAFT_STALE;
        json_array_foreach(draft->outputs, i, output) {
                r = given_before(draft->site, draft->plan->request.requester, gbx_json_text(output, "plain"), &taken, err);
                if (r < 0 || taken)
                        return r < 0 ? r : GBX_DRAFT_STALE;
        }
        return 0;
}

int gbx_draft_record(struct gbx_transaction *transaction, struct gbx_draft *draft, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *details = NULL;
        char record[GBX_SHA256_TEXT_SIZE];
        uint64_t number;
        int r = gbx_fact_count(draft->site, "release", &number, err);

        if (r >= 0)
                r = gbx_record_put(draft->site, number, draft->earlier.data, draft->earlier.size, record, err);
        if (r < 0)
                return r;
        draft->recorded = true; /* also when it cannot be told whether the entry is in the log: recovery looks */
        details = json_pack("{s:s, s:s, s:O, s:O, s:s, s:s}", "run", draft->run, "recipient", draft->plan->request.requester, "outputs",
                            draft->outputs, "mark", draft->marks, "provenance", draft->provenance, "record", record);
        return gbx_transaction_record_system(transaction, &(struct gbx_action){ "release.create", draft->id, "done", NULL, details }, NULL, err);
}
