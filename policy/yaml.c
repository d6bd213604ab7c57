#include "policy/yaml.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>
#include <yaml.h>

struct parser {
        yaml_parser_t yaml;
        struct gbx_problems *problems;
        size_t nodes;
        size_t depth;
        struct gbx_error *err;
};

/* What one step of the parser comes to. Positive: the document is beyond reading, and a problem says why. */
enum { STEP_OK = 0, STEP_STOP = 1 };

static void free_event(yaml_event_t *event) {
        yaml_event_delete(event);
}

struct gbx_yaml_node *gbx_yaml_free(struct gbx_yaml_node *node) {
        if (!node)
                return NULL;
        for (size_t i = 0; i < node->count; i++)
                gbx_yaml_free(node->children[i]);
        free(node->children);
        free(node->key);
        free(node->text);
        free(node);
        return NULL;
}

const struct gbx_yaml_node *gbx_yaml_get(const struct gbx_yaml_node *mapping, const char *key) {
        for (size_t i = 0; mapping && mapping->kind == GBX_YAML_MAPPING && i < mapping->count; i++)
                if (strcmp(mapping->children[i]->key, key) == 0)
                        return mapping->children[i];
        return NULL;
}

#define PROBLEM(parser, mark, ...) \
        gbx_problems_add((parser)->problems, (mark).line + 1, (mark).column + 1, (parser)->err, __VA_ARGS__)

static int next_event(struct parser *parser, yaml_event_t *event) {
        int r;

        if (yaml_parser_parse(&parser->yaml, event))
                return STEP_OK;
        *event = (yaml_event_t){};
        if (parser->yaml.error == YAML_MEMORY_ERROR)
                return gbx_fail_memory(parser->err);
        /* Errors of the byte reader have no mark. */
        r = PROBLEM(parser, parser->yaml.problem_mark, "%s%s%s",
                    parser->yaml.problem ? parser->yaml.problem : "this is not YAML",
                    parser->yaml.context ? ", " : "", parser->yaml.context ? parser->yaml.context : "");
        return r < 0 ? r : STEP_STOP;
}

/* What is YAML but not in our subset: named once, and reading goes on. */
static int check_subset(struct parser *parser, const yaml_event_t *event, const yaml_char_t *anchor,
                        const yaml_char_t *tag, bool implicit) {
        if (anchor)
                return PROBLEM(parser, event->start_mark, "anchors are not allowed: write the value out");
        if (tag || !implicit)
                return PROBLEM(parser, event->start_mark, "tags are not allowed: the format says how a value is read");
        return 0;
}

static int check_scalar(struct parser *parser, const yaml_event_t *event) {
        const char *text = (const char *)event->data.scalar.value;
        size_t length = event->data.scalar.length;
        yaml_scalar_style_t style = event->data.scalar.style;

        if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE)
                return PROBLEM(parser, event->start_mark, "block scalars are not allowed: write the text on one line");
        if (event->start_mark.line != event->end_mark.line)
                return PROBLEM(parser, event->start_mark, "a value must stand on one line");
        if (!gbx_utf8_valid(text, length))
                return PROBLEM(parser, event->start_mark, "the text is not UTF-8");
        for (const char *at = text; at < text + length;) { /* by an escape: in the file they are refused */
                uint32_t character = gbx_utf8_next(&at);

                if (gbx_character_hidden(character))
                        return PROBLEM(parser, event->start_mark, "the text holds a %s",
                                       character < 0x80 ? "control character" : "character that does not show");
        }
        return 0;
}

static int new_node(struct parser *parser, const yaml_event_t *event, enum gbx_yaml_kind kind,
                    struct gbx_yaml_node **ret) {
        struct gbx_yaml_node *node;
        int r;

        if (++parser->nodes > GBX_YAML_MAX_NODES) {
                r = PROBLEM(parser, event->start_mark, "more than %d values", GBX_YAML_MAX_NODES);
                return r < 0 ? r : STEP_STOP;
        }
        node = calloc(1, sizeof *node);
        if (!node)
                return gbx_fail_memory(parser->err);
        node->kind = kind;
        node->line = event->start_mark.line + 1;
        node->column = event->start_mark.column + 1;
        *ret = node;
        return STEP_OK;
}

static int add_child(struct parser *parser, struct gbx_yaml_node *node, struct gbx_yaml_node *child) {
        if ((node->count & (node->count - 1)) == 0) { /* grow at powers of two */
                struct gbx_yaml_node **grown =
                        reallocarray(node->children, node->count ? 2 * node->count : 1, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(parser->err);
                node->children = grown;
        }
        node->children[node->count++] = child;
        return STEP_OK;
}

static int parse_node(struct parser *parser, const yaml_event_t *event, struct gbx_yaml_node **ret);

static int parse_scalar(struct parser *parser, const yaml_event_t *event, struct gbx_yaml_node **ret) {
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *node = NULL;
        int r = check_subset(parser, event, event->data.scalar.anchor, event->data.scalar.tag,
                             event->data.scalar.plain_implicit || event->data.scalar.quoted_implicit);

        if (r >= 0)
                r = check_scalar(parser, event);
        if (r >= 0)
                r = new_node(parser, event, GBX_YAML_SCALAR, &node);
        if (r != STEP_OK)
                return r;
        node->text = strndup((const char *)event->data.scalar.value, event->data.scalar.length);
        if (!node->text)
                return gbx_fail_memory(parser->err);
        *ret = gbx_take_ptr(node);
        return STEP_OK;
}

static int enter(struct parser *parser, const yaml_event_t *event) {
        int r;

        if (++parser->depth <= GBX_YAML_MAX_DEPTH)
                return STEP_OK;
        r = PROBLEM(parser, event->start_mark, "nested deeper than %d levels", GBX_YAML_MAX_DEPTH);
        return r < 0 ? r : STEP_STOP;
}

static int parse_sequence(struct parser *parser, const yaml_event_t *start, struct gbx_yaml_node **ret) {
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *node = NULL;
        int r = check_subset(parser, start, start->data.sequence_start.anchor, start->data.sequence_start.tag,
                             start->data.sequence_start.implicit);

        if (r >= 0)
                r = enter(parser, start);
        if (r == STEP_OK)
                r = new_node(parser, start, GBX_YAML_SEQUENCE, &node);
        while (r == STEP_OK) {
                gbx_auto(free_event) yaml_event_t event = {};
                gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *child = NULL;

                r = next_event(parser, &event);
                if (r != STEP_OK)
                        break;
                if (event.type == YAML_SEQUENCE_END_EVENT) {
                        parser->depth--;
                        *ret = gbx_take_ptr(node);
                        return STEP_OK;
                }
                r = parse_node(parser, &event, &child);
                if (r == STEP_OK && child)
                        r = add_child(parser, node, child);
                if (r == STEP_OK)
                        child = NULL;
        }
        return r;
}

/* Reads a key; `*ret_key` stays NULL if it cannot be one (a problem is added). */
static int parse_key(struct parser *parser, const yaml_event_t *event, struct gbx_yaml_node **ret_key) {
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *key = NULL;
        int r = parse_node(parser, event, &key);

        if (r != STEP_OK)
                return r;
        if (!key) /* an alias; it was named already */
                return STEP_OK;
        if (key->kind != GBX_YAML_SCALAR)
                return PROBLEM(parser, event->start_mark, "a key must be plain text");
        if (strcmp(key->text, "<<") == 0)
                return PROBLEM(parser, event->start_mark, "merge keys are not allowed: write the keys out");
        *ret_key = gbx_take_ptr(key);
        return STEP_OK;
}

/* Files `child` under `key`, unless the mapping has that key already. Takes both over. */
static int add_pair(struct parser *parser, struct gbx_yaml_node *node, struct gbx_yaml_node *key,
                    struct gbx_yaml_node *child) {
        const struct gbx_yaml_node *first = gbx_yaml_get(node, key->text);
        int r;

        child->key = gbx_take_ptr(key->text);
        child->key_line = key->line;
        child->key_column = key->column;
        gbx_yaml_free(key);
        if (first) {
                r = gbx_problems_add(parser->problems, child->key_line, child->key_column, parser->err,
                                     "the key '%s' stands twice (first in line %zu)", child->key, first->key_line);
                gbx_yaml_free(child);
                return r;
        }
        r = add_child(parser, node, child);
        if (r != STEP_OK)
                gbx_yaml_free(child);
        return r;
}

static int parse_mapping(struct parser *parser, const yaml_event_t *start, struct gbx_yaml_node **ret) {
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *node = NULL;
        int r = check_subset(parser, start, start->data.mapping_start.anchor, start->data.mapping_start.tag,
                             start->data.mapping_start.implicit);

        if (r >= 0)
                r = enter(parser, start);
        if (r == STEP_OK)
                r = new_node(parser, start, GBX_YAML_MAPPING, &node);
        while (r == STEP_OK) {
                gbx_auto(free_event) yaml_event_t key_event = {}, event = {};
                gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *key = NULL, *child = NULL;

                r = next_event(parser, &key_event);
                if (r != STEP_OK)
                        break;
                if (key_event.type == YAML_MAPPING_END_EVENT) {
                        parser->depth--;
                        *ret = gbx_take_ptr(node);
                        return STEP_OK;
                }
                r = parse_key(parser, &key_event, &key);
                if (r == STEP_OK)
                        r = next_event(parser, &event);
                if (r == STEP_OK)
                        r = parse_node(parser, &event, &child);
                if (r == STEP_OK && key && child)
                        r = add_pair(parser, node, gbx_take_ptr(key), gbx_take_ptr(child));
        }
        return r;
}

/* Parses the node that `event` begins. `*ret` stays NULL for an alias. */
static int parse_node(struct parser *parser, const yaml_event_t *event, struct gbx_yaml_node **ret) {
        int r;

        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return parse_scalar(parser, event, ret);
        case YAML_SEQUENCE_START_EVENT:
                return parse_sequence(parser, event, ret);
        case YAML_MAPPING_START_EVENT:
                return parse_mapping(parser, event, ret);
        case YAML_ALIAS_EVENT:
                return PROBLEM(parser, event->start_mark, "aliases are not allowed: write the value out");
        default:
                r = PROBLEM(parser, event->start_mark, "a value is missing");
                return r < 0 ? r : STEP_STOP;
        }
}

static int parse_document(struct parser *parser, struct gbx_yaml_node **ret) {
        for (;;) {
                gbx_auto(free_event) yaml_event_t event = {};
                int r = next_event(parser, &event);

                if (r != STEP_OK)
                        return r;
                switch (event.type) {
                case YAML_STREAM_START_EVENT:
                case YAML_DOCUMENT_END_EVENT:
                        break;
                case YAML_STREAM_END_EVENT:
                        if (!*ret && parser->problems->count == 0)
                                return PROBLEM(parser, event.start_mark, "the file is empty");
                        return STEP_OK;
                case YAML_DOCUMENT_START_EVENT:
                        if (*ret)
                                r = PROBLEM(parser, event.start_mark, "a second document is not allowed");
                        else if (event.data.document_start.version_directive ||
                                 event.data.document_start.tag_directives.start !=
                                         event.data.document_start.tag_directives.end)
                                r = PROBLEM(parser, event.start_mark, "directives are not allowed");
                        if (r < 0 || *ret)
                                return r;
                        break;
                default:
                        r = parse_node(parser, &event, ret);
                        if (r != STEP_OK)
                                return r;
                }
        }
}

/* What no reader of the file sees: libyaml takes some of these for line ends, so that a comment could hold keys. */
static int check_hidden(const void *data, size_t size, struct gbx_problems *problems, struct gbx_error *err) {
        struct gbx_text_place place = {};
        int r = 0, found = 0;

        while (r >= 0 && gbx_text_hidden(data, size, &place)) {
                found = 1;
                r = gbx_problems_add(problems, place.line, place.column, err,
                                     "U+%04X does not show: only visible characters, tabs and line ends are allowed", place.character);
        }
        return r < 0 ? r : found;
}

int gbx_yaml_parse(struct gbx_yaml_node **ret, const void *data, size_t size, struct gbx_problems *problems,
                   struct gbx_error *err) {
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        struct parser parser = { .problems = problems, .err = err };
        static const char byte_order_mark[] = "\xef\xbb\xbf";
        size_t skip = 0;
        int r;

        if (size > GBX_YAML_MAX_BYTES) {
                r = gbx_problems_add(problems, 1, 1, err, "the file is larger than %d bytes", GBX_YAML_MAX_BYTES);
                return r < 0 ? r : gbx_problems_result(problems, err);
        }
        r = check_hidden(data, size, problems, err);
        if (r != 0)
                return r < 0 ? r : gbx_problems_result(problems, err);
        if (!yaml_parser_initialize(&parser.yaml))
                return gbx_fail_memory(err);
        yaml_parser_set_encoding(&parser.yaml, YAML_UTF8_ENCODING);
        if (size >= sizeof byte_order_mark - 1 && memcmp(data, byte_order_mark, sizeof byte_order_mark - 1) == 0)
                skip = sizeof byte_order_mark - 1; /* libyaml takes it for text, since it is told the encoding */
        yaml_parser_set_input_string(&parser.yaml, (const unsigned char *)data + skip, size - skip);
        r = parse_document(&parser, &root);
        yaml_parser_delete(&parser.yaml);
        if (r < 0)
                return r;
        if (r == STEP_STOP || !root)
                return gbx_problems_result(problems, err);
        *ret = gbx_take_ptr(root);
        return 0;
}
