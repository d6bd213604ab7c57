#include "gateway/log/verify/export.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/csv.h"
#include "base/text.h"
#include "gateway/log/verify/lineage.h"

#include <string.h>

struct gbx_log_export {
        enum gbx_log_format format;
        struct gbx_lineage *lineage;
};


/* --- filters -------------------------------------------------------------- */

static const char *text_of(const json_t *entry, const char *field) {
        const char *text = json_string_value(json_object_get(entry, field));

        return text ? text : "";
}

static bool action_matches(const char *wanted, const char *action) {
        size_t length = strlen(wanted);

        return strncmp(action, wanted, length) == 0 && (action[length] == '\0' || action[length] == '.');
}

bool gbx_log_filter_matches(const struct gbx_log_filter *filter, const json_t *entry) {
        int64_t time;

        if ((filter->actor && strcmp(filter->actor, text_of(entry, "actor")) != 0) ||
            (filter->object && strcmp(filter->object, text_of(entry, "object")) != 0) ||
            (filter->outcome && strcmp(filter->outcome, text_of(entry, "outcome")) != 0) ||
            (filter->action && !action_matches(filter->action, text_of(entry, "action"))))
                return false;
        if (filter->since == 0 && filter->until == 0)
                return true;
        return gbx_time_parse(text_of(entry, "time"), &time, NULL) == 0 && time >= filter->since &&
               (filter->until == 0 || time < filter->until);
}

/* --- formats -------------------------------------------------------------- */

static const struct {
        const char *name;
        enum gbx_log_format format;
} formats[] = { { "jsonl", GBX_LOG_JSON_LINES }, { "csv", GBX_LOG_CSV }, { "openlineage", GBX_LOG_OPENLINEAGE } };

int gbx_log_format_parse(const char *text, enum gbx_log_format *ret, struct gbx_error *err) {
        for (size_t i = 0; i < gbx_array_size(formats); i++)
                if (strcmp(text, formats[i].name) == 0) {
                        *ret = formats[i].format;
                        return 0;
                }
        return gbx_fail(err, -EINVAL, "'%.40s' is not a format; one of: jsonl, csv, openlineage", text);
}

int gbx_log_export_new(struct gbx_log_export **ret, enum gbx_log_format format, const char *origin,
                       struct gbx_error *err) {
        gbx_auto(gbx_log_export_freep) struct gbx_log_export *export = calloc(1, sizeof *export);
        int r;

        if (!export)
                return gbx_fail_memory(err);
        export->format = format;
        r = gbx_lineage_new(&export->lineage, origin, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(export);
        return 0;
}

struct gbx_log_export *gbx_log_export_free(struct gbx_log_export *export) {
        if (!export)
                return NULL;
        gbx_lineage_free(export->lineage);
        free(export);
        return NULL;
}

static int append_json(const json_t *json, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

        return text ? gbx_buffer_append_text(ret, text, err) : gbx_fail_memory(err);
}

static int write_json_line(uint64_t index, const json_t *entry, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *line = json_deep_copy(entry);
        int r;

        if (!line || json_object_set_new(line, "index", json_integer((json_int_t)index)) < 0)
                return gbx_fail_memory(err);
        r = append_json(line, ret, err);
        return r < 0 ? r : gbx_buffer_append_byte(ret, '\n', err);
}

static const char *const csv_fields[] = { "time", "actor", "action", "object", "outcome" };

/* A field that a spreadsheet would take for a formula gets an apostrophe in front. */
static int write_field(struct gbx_buffer *ret, const char *text, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer safe = {};
        int r = text[0] && strchr("=+-@\t", text[0]) ? gbx_buffer_append_byte(&safe, '\'', err) : 0;

        if (r == 0)
                r = gbx_buffer_append_text(&safe, text, err);
        return r < 0 ? r : gbx_csv_write_field(ret, gbx_buffer_text(&safe), safe.size, false, err);
}

static int write_csv_row(uint64_t index, const json_t *entry, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer reasons = {}, details = {};
        const json_t *list = json_object_get(entry, "reasons");
        int r = gbx_buffer_printf(ret, err, "%llu,", (unsigned long long)index);

        for (size_t i = 0; r == 0 && i < gbx_array_size(csv_fields); i++) {
                r = write_field(ret, text_of(entry, csv_fields[i]), err);
                if (r == 0)
                        r = gbx_buffer_append_byte(ret, ',', err);
        }
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
                r = gbx_buffer_printf(&reasons, err, "%s%s", i ? "; " : "", json_string_value(json_array_get(list, i)));
        if (r == 0)
                r = write_field(ret, gbx_buffer_text(&reasons), err);
        if (r == 0)
                r = gbx_buffer_append_byte(ret, ',', err);
        if (r == 0)
                r = append_json(json_object_get(entry, "details"), &details, err);
        if (r == 0)
                r = write_field(ret, gbx_buffer_text(&details), err);
        return r < 0 ? r : gbx_buffer_append_text(ret, "\r\n", err);
}

int gbx_log_export_begin(struct gbx_log_export *export, struct gbx_buffer *ret, struct gbx_error *err) {
        if (export->format != GBX_LOG_CSV)
                return 0;
        return gbx_buffer_append_text(ret, "index,time,actor,action,object,outcome,reasons,details\r\n", err);
}

int gbx_log_export_entry(struct gbx_log_export *export, uint64_t index, const json_t *entry, bool matches,
                         struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *event = NULL;
        int r;

        switch (export->format) {
        case GBX_LOG_JSON_LINES:
                return matches ? write_json_line(index, entry, ret, err) : 0;
        case GBX_LOG_CSV:
                return matches ? write_csv_row(index, entry, ret, err) : 0;
        case GBX_LOG_OPENLINEAGE:
                break;
        }
        r = gbx_lineage_event(export->lineage, index, entry, &event, err);
        if (r < 0 || !event || !matches)
                return r;
        r = append_json(event, ret, err);
        return r < 0 ? r : gbx_buffer_append_byte(ret, '\n', err);
}
