#include "policy/yaml.h"

#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/text.h"
#include "policy/decimal.h"

#include <string.h>

enum { TEXT_MAX = 1024, WORD_MAX = 64, LIST_MAX = 1000 };

struct reader {
        struct gbx_problems *problems;
        struct gbx_error *err;
};

/* Where a value stands and what it is for, for messages. */
struct place {
        const char *key;
        size_t line, column;
};

#define PROBLEM(reader, place, ...) \
        gbx_problems_add((reader)->problems, (place)->line, (place)->column, (reader)->err, __VA_ARGS__)

static void *member(void *target, const struct gbx_yaml_field *field) {
        return (char *)target + field->offset;
}

/* --- scalars ------------------------------------------------------------------ */

static bool is_word(const char *text) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
        size_t length = strlen(text);

        return length > 0 && length <= WORD_MAX && strchr(letters, text[0]) &&
               strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") == length;
}

/* What kind of text a field takes; NULL if `text` is of that kind. */
static const char *text_complaint(const struct gbx_yaml_field *field, const char *text) {
        struct gbx_decimal decimal;
        uint8_t digest[GBX_SHA256_SIZE];
        size_t length = strlen(text);

        switch (field->type) {
        case GBX_YAML_NAME:
        case GBX_YAML_NAMES:
                return gbx_name_valid(text) ? NULL : "a name (lower-case letters, digits, '.', '_' and '-', at most 64)";
        case GBX_YAML_WORD:
                return is_word(text) ? NULL : "an identifier (letters, digits and '_', at most 64)";
        case GBX_YAML_DECIMAL:
                return gbx_decimal_parse(text, &decimal, NULL) >= 0 ? NULL : "a number such as 12 or -0.05";
        case GBX_YAML_DATE:
                return gbx_date_valid(text) ? NULL : "a date such as 2026-11-25";
        case GBX_YAML_DIGEST:
                return gbx_sha256_parse(text, digest, NULL) >= 0 ? NULL : "a digest, sha256: and 64 digits";
        case GBX_YAML_TEXT:
                return length > 0 && length >= field->min && length <= (field->max ? field->max : TEXT_MAX) ?
                               NULL :
                               "a text of the allowed length";
        default:
                return length > 0 && length <= TEXT_MAX ? NULL : "a text of 1 to 1,024 bytes";
        }
}

static int read_text(struct reader *reader, const struct gbx_yaml_field *field, const char *text,
                     const struct place *place, char **ret) {
        const char *complaint = text_complaint(field, text);
        char *copy;

        if (complaint)
                return PROBLEM(reader, place, "%s: '%.60s' is not %s", place->key, text, complaint);
        copy = strdup(text);
        if (!copy)
                return gbx_fail_memory(reader->err);
        free(*ret);
        *ret = copy;
        return 0;
}

static int read_number(struct reader *reader, const struct gbx_yaml_field *field, const char *text,
                       const struct place *place, uint64_t *ret) {
        struct gbx_error problem = {};
        uint64_t value = 0;
        int r;

        switch (field->type) {
        case GBX_YAML_SIZE:
                r = gbx_parse_size(text, &value, &problem);
                break;
        case GBX_YAML_DURATION:
                r = gbx_parse_duration(text, &value, &problem);
                break;
        default:
                r = gbx_parse_u64(text, &value, &problem);
        }
        if (r < 0)
                return PROBLEM(reader, place, "%s: %s", place->key, problem.message);
        if (value < field->min || (field->max && value > field->max))
                return PROBLEM(reader, place, "%s: '%.40s' is out of range (%llu to %llu%s)", place->key, text,
                               (unsigned long long)field->min, (unsigned long long)field->max,
                               field->type == GBX_YAML_SIZE       ? " bytes" :
                               field->type == GBX_YAML_DURATION ? " ms" :
                                                                  "");
        *ret = value;
        return 0;
}

static int find_choice(struct reader *reader, const struct gbx_yaml_field *field, const char *text,
                       const struct place *place, unsigned *ret_index) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer words = {};
        int r = 0;

        for (unsigned i = 0; field->words[i]; i++)
                if (strcmp(field->words[i], text) == 0) {
                        *ret_index = i;
                        return 1;
                }
        for (unsigned i = 0; r >= 0 && field->words[i]; i++)
                r = gbx_buffer_printf(&words, reader->err, "%s%s", i ? ", " : "", field->words[i]);
        return r < 0 ? r : PROBLEM(reader, place, "%s: '%.60s' is not one of: %s", place->key, text, gbx_buffer_text(&words));
}

static int read_scalar(struct reader *reader, const struct gbx_yaml_field *field, const char *text,
                       const struct place *place, void *target) {
        int r;

        switch (field->type) {
        case GBX_YAML_INTEGER:
        case GBX_YAML_SIZE:
        case GBX_YAML_DURATION:
                return read_number(reader, field, text, place, member(target, field));
        case GBX_YAML_BOOLEAN:
                if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
                        return PROBLEM(reader, place, "%s: '%.60s' is neither yes nor no", place->key, text);
                *(bool *)member(target, field) = text[0] == 'y';
                return 0;
        case GBX_YAML_CHOICE:
                r = find_choice(reader, field, text, place, member(target, field));
                return r < 0 ? r : 0;
        default:
                return read_text(reader, field, text, place, member(target, field));
        }
}

/* --- lists -------------------------------------------------------------------- */

bool gbx_texts_contain(const struct gbx_texts *texts, const char *text) {
        for (size_t i = 0; i < texts->count; i++)
                if (strcmp(texts->items[i], text) == 0) /* NOLINT(clang-analyzer-core.NonNullParamChecker): none is NULL */
                        return true;
        return false;
}

static int check_list(struct reader *reader, const struct gbx_yaml_field *field, const struct gbx_yaml_node *node,
                      const struct place *place, const char *what) {
        uint64_t max = field->max ? field->max : LIST_MAX;

        if (node->kind != GBX_YAML_SEQUENCE)
                return PROBLEM(reader, place, "%s: a list of %s is wanted, say [a, b]", place->key, what);
        if (node->count < field->min || node->count > max)
                return PROBLEM(reader, place, "%s: %zu elements, but %llu to %llu are allowed", place->key, node->count,
                               (unsigned long long)field->min, (unsigned long long)max);
        return 1;
}

/* A scalar element of a list, or NULL with a problem added. */
static int element(struct reader *reader, const struct gbx_yaml_node *child, const struct place *place,
                   const char **ret_text) {
        *ret_text = child->text;
        return child->kind == GBX_YAML_SCALAR ? 0 : PROBLEM(reader, place, "%s: a list holds plain values only", place->key);
}

static int read_texts(struct reader *reader, const struct gbx_yaml_field *field, const struct gbx_yaml_node *node,
                      const struct place *place, struct gbx_texts *ret) {
        int r = check_list(reader, field, node, place, field->type == GBX_YAML_NAMES ? "names" : "texts");

        if (r <= 0)
                return r;
        ret->items = calloc(node->count ? node->count : 1, sizeof *ret->items);
        if (!ret->items)
                return gbx_fail_memory(reader->err);
        for (size_t i = 0; i < node->count; i++) {
                struct place at = { place->key, node->children[i]->line, node->children[i]->column };
                const char *text;
                char *copy = NULL;

                r = element(reader, node->children[i], &at, &text);
                if (r >= 0 && text && gbx_texts_contain(ret, text))
                        r = PROBLEM(reader, &at, "%s: '%.60s' stands twice", place->key, text);
                else if (r >= 0 && text)
                        r = read_text(reader, field, text, &at, &copy);
                if (r < 0)
                        return r;
                if (copy)
                        ret->items[ret->count++] = copy;
        }
        return 0;
}

static int read_choices(struct reader *reader, const struct gbx_yaml_field *field, const struct gbx_yaml_node *node,
                        const struct place *place, unsigned *ret_bits) {
        int r = check_list(reader, field, node, place, "words");

        if (r <= 0)
                return r;
        for (size_t i = 0; i < node->count; i++) {
                struct place at = { place->key, node->children[i]->line, node->children[i]->column };
                const char *text;
                unsigned index = 0;

                r = element(reader, node->children[i], &at, &text);
                if (r >= 0 && text)
                        r = find_choice(reader, field, text, &at, &index);
                if (r < 0)
                        return r;
                if (r > 0 && *ret_bits & 1U << index)
                        r = PROBLEM(reader, &at, "%s: '%s' stands twice", place->key, text);
                else if (r > 0)
                        *ret_bits |= 1U << index;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_records(struct reader *reader, const struct gbx_yaml_field *field, const struct gbx_yaml_node *node,
                        const struct place *place, struct gbx_records *ret) {
        int r = check_list(reader, field, node, place, "mappings");

        if (r <= 0)
                return r;
        ret->items = calloc(node->count ? node->count : 1, field->size);
        if (!ret->items)
                return gbx_fail_memory(reader->err);
        for (size_t i = 0; i < node->count; i++) {
                void *item = (char *)ret->items + ret->count++ * field->size;

                r = gbx_yaml_read(node->children[i], field->fields, item, reader->problems, reader->err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- mappings ----------------------------------------------------------------- */

static int read_field(struct reader *reader, const struct gbx_yaml_field *field, const struct gbx_yaml_node *node,
                      void *target) {
        struct place place = { field->key, node->line, node->column };

        switch (field->type) {
        case GBX_YAML_CHOICES:
                return read_choices(reader, field, node, &place, member(target, field));
        case GBX_YAML_NAMES:
        case GBX_YAML_TEXTS:
                return read_texts(reader, field, node, &place, member(target, field));
        case GBX_YAML_RECORD:
                return gbx_yaml_read(node, field->fields, member(target, field), reader->problems, reader->err);
        case GBX_YAML_RECORDS:
                return read_records(reader, field, node, &place, member(target, field));
        default:
                if (node->kind != GBX_YAML_SCALAR)
                        return PROBLEM(reader, &place, "%s: a plain value is wanted, not a %s", field->key,
                                       node->kind == GBX_YAML_MAPPING ? "mapping" : "list");
                return read_scalar(reader, field, node->text, &place, target);
        }
}

/* Gives a key that is absent its fallback; records that are absent get those of their fields. */
static int read_fallback(struct reader *reader, const struct gbx_yaml_field *field, const struct place *place,
                         void *target) {
        int r = 0;

        if (field->type == GBX_YAML_RECORD)
                for (const struct gbx_yaml_field *inner = field->fields; r >= 0 && inner->key; inner++)
                        r = read_fallback(reader, inner, place, member(target, field));
        else if (field->fallback)
                r = read_scalar(reader, field, field->fallback, place, target);
        return r;
}

static int report_unknown(struct reader *reader, const struct gbx_yaml_node *child,
                          const struct gbx_yaml_field *fields) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer known = {};
        struct place place = { child->key, child->key_line, child->key_column };
        int r = 0;

        for (const struct gbx_yaml_field *field = fields; r >= 0 && field->key; field++)
                r = gbx_buffer_printf(&known, reader->err, "%s%s", field == fields ? "" : ", ", field->key);
        return r < 0 ? r : PROBLEM(reader, &place, "unknown key '%.60s'; known here: %s", child->key, gbx_buffer_text(&known));
}

int gbx_yaml_read(const struct gbx_yaml_node *mapping, const struct gbx_yaml_field *fields, void *target,
                  struct gbx_problems *problems, struct gbx_error *err) {
        struct reader reader = { problems, err };
        struct place place = { mapping->key ? mapping->key : "", mapping->line, mapping->column };
        int r = 0;

        if (mapping->kind != GBX_YAML_MAPPING)
                return PROBLEM(&reader, &place, "%s%sa mapping (key: value) is wanted", place.key, *place.key ? ": " : "");
        for (size_t i = 0; r >= 0 && i < mapping->count; i++) {
                const struct gbx_yaml_field *field = fields;

                while (field->key && strcmp(field->key, mapping->children[i]->key) != 0)
                        field++;
                r = field->key ? read_field(&reader, field, mapping->children[i], target) :
                                 report_unknown(&reader, mapping->children[i], fields);
        }
        for (const struct gbx_yaml_field *field = fields; r >= 0 && field->key; field++) {
                if (gbx_yaml_get(mapping, field->key))
                        continue;
                r = field->required ? PROBLEM(&reader, &place, "the key '%s' is missing", field->key) :
                                      read_fallback(&reader, field, &place, target);
        }
        return r < 0 ? r : 0;
}

static void release_texts(struct gbx_texts *texts) {
        for (size_t i = 0; i < texts->count; i++)
                free(texts->items[i]);
        free(texts->items);
        *texts = (struct gbx_texts){};
}

static void release_records(const struct gbx_yaml_field *field, struct gbx_records *records) {
        for (size_t i = 0; i < records->count; i++)
                gbx_yaml_release(field->fields, (char *)records->items + i * field->size);
        free(records->items);
        *records = (struct gbx_records){};
}

void gbx_yaml_release(const struct gbx_yaml_field *fields, void *target) {
        for (const struct gbx_yaml_field *field = fields; field->key; field++)
                switch (field->type) {
                case GBX_YAML_TEXT:
                case GBX_YAML_NAME:
                case GBX_YAML_WORD:
                case GBX_YAML_DECIMAL:
                case GBX_YAML_DATE:
                case GBX_YAML_DIGEST:
                        free(*(char **)member(target, field));
                        *(char **)member(target, field) = NULL;
                        break;
                case GBX_YAML_NAMES:
                case GBX_YAML_TEXTS:
                        release_texts(member(target, field));
                        break;
                case GBX_YAML_RECORD:
                        gbx_yaml_release(field->fields, member(target, field));
                        break;
                case GBX_YAML_RECORDS:
                        release_records(field, member(target, field));
                        break;
                default: /* numbers own nothing */
                        break;
                }
}
