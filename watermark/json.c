#include "watermark/json.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { CHECKED_MEMBERS = 64 };

struct reader {
        struct gbx_json *json;
        const char *text;
        size_t size, at;
        struct gbx_error *err;
};

static int bad(const struct reader *reader, const char *what) {
        size_t line = 1, column = 1;

        for (size_t i = 0; i < reader->at && i < reader->size; i++) {
                column = reader->text[i] == '\n' ? 1 : column + 1;
                line += reader->text[i] == '\n';
        }
        return gbx_fail(reader->err, -EINVAL, "line %zu, column %zu: %s", line, column, what);
}

static void skip_blanks(struct reader *reader) {
        while (reader->at < reader->size && strchr(" \t\r\n", reader->text[reader->at]) && reader->text[reader->at])
                reader->at++;
}

static char peek(const struct reader *reader) {
        if (reader->at >= reader->size)
                return '\0';
        return reader->text[reader->at];
}

static int new_node(struct reader *reader, enum gbx_json_kind kind, uint32_t *ret) {
        struct gbx_json *json = reader->json;

        if (json->count == json->capacity) {
                size_t capacity = json->capacity ? 2 * json->capacity : 64;
                struct gbx_json_node *grown = capacity > UINT32_MAX / 2 ? NULL : reallocarray(json->nodes, capacity, sizeof *grown);

                if (!grown)
                        return gbx_fail_memory(reader->err);
                json->nodes = grown;
                json->capacity = capacity;
        }
        json->nodes[json->count] = (struct gbx_json_node){ .kind = (uint8_t)kind, .raw = (uint32_t)reader->at };
        *ret = (uint32_t)json->count++;
        return 0;
}

static int hex4(struct reader *reader, uint32_t *ret) {
        uint32_t value = 0;

        if (reader->size - reader->at < 4)
                return bad(reader, "the \\u escape is cut short");
        for (int i = 0; i < 4; i++) {
                char c = reader->text[reader->at++];

                if (c >= '0' && c <= '9')
                        value = 16 * value + (uint32_t)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        value = 16 * value + (uint32_t)((c | 0x20) - 'a' + 10);
                else
                        return bad(reader, "the \\u escape is not hexadecimal");
        }
        *ret = value;
        return 0;
}

static int append_code_point(struct reader *reader, uint32_t c) {
        uint8_t bytes[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        if (n == 1)
                bytes[0] = (uint8_t)c;
        for (size_t i = n; n > 1 && i-- > 1; c >>= 6)
                bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
        if (n > 1)
                bytes[0] = (uint8_t)((0xf00 >> n) | c);
        return gbx_buffer_append(&reader->json->arena, bytes, n, reader->err);
}

static int read_escape(struct reader *reader) {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        char c = peek(reader);
        const char *found = c ? strchr(from, c) : NULL;
        uint32_t high = 0, low = 0;
        int r;

        reader->at++;
        if (found)
                return gbx_buffer_append_byte(&reader->json->arena, (uint8_t)to[found - from], reader->err);
        if (c != 'u')
                return bad(reader, "unknown escape");
        r = hex4(reader, &high);
        if (r < 0)
                return r;
        if (high == 0)
                return bad(reader, "NUL in a string");
        if (high >= 0xdc00 && high < 0xe000)
                return bad(reader, "half of a surrogate pair");
        if (high < 0xd800 || high >= 0xe000)
                return append_code_point(reader, high);
        if (reader->size - reader->at < 6 || memcmp(reader->text + reader->at, "\\u", 2) != 0)
                return bad(reader, "half of a surrogate pair");
        reader->at += 2;
        r = hex4(reader, &low);
        if (r < 0)
                return r;
        if (low < 0xdc00 || low >= 0xe000)
                return bad(reader, "half of a surrogate pair");
        return append_code_point(reader, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
}

/* From behind the opening quote to behind the closing one; the decoded text goes to the arena. */
static int read_string(struct reader *reader, uint32_t *ret_text, uint32_t *ret_size) {
        struct gbx_buffer *arena = &reader->json->arena;
        size_t start = arena->size;
        int r;

        for (;;) {
                size_t from = reader->at;

                while (reader->at < reader->size && reader->text[reader->at] != '"' && reader->text[reader->at] != '\\' &&
                       (uint8_t)reader->text[reader->at] >= 0x20)
                        reader->at++;
                r = gbx_buffer_append(arena, reader->text + from, reader->at - from, reader->err);
                if (r < 0)
                        return r;
                if (reader->at == reader->size)
                        return bad(reader, "the string is not closed");
                if ((uint8_t)peek(reader) < 0x20)
                        return bad(reader, "control character in a string");
                if (reader->text[reader->at++] == '"')
                        break;
                r = read_escape(reader);
                if (r < 0)
                        return r;
        }
        if (!gbx_utf8_valid((const char *)arena->data + start, arena->size - start))
                return bad(reader, "the string is not UTF-8");
        *ret_text = (uint32_t)start;
        *ret_size = (uint32_t)(arena->size - start);
        return gbx_buffer_append_byte(arena, 0, reader->err);
}

static size_t digits(struct reader *reader) {
        size_t from = reader->at;

        while (peek(reader) >= '0' && peek(reader) <= '9')
                reader->at++;
        return reader->at - from;
}

static int read_number(struct reader *reader, struct gbx_json_node *node) {
        size_t from = reader->at;
        bool zero;
        int r;

        reader->at += peek(reader) == '-';
        zero = peek(reader) == '0';
        if (zero)
                reader->at++;
        else if (digits(reader) == 0)
                return bad(reader, "not a JSON value");
        if (peek(reader) == '.') {
                reader->at++;
                if (digits(reader) == 0)
                        return bad(reader, "a digit must follow the point");
        }
        if (peek(reader) == 'e' || peek(reader) == 'E') {
                reader->at++;
                reader->at += peek(reader) == '+' || peek(reader) == '-';
                if (digits(reader) == 0)
                        return bad(reader, "a digit must follow the exponent sign");
        }
        node->text = (uint32_t)reader->json->arena.size;
        node->text_size = node->raw_size = (uint32_t)(reader->at - from);
        r = gbx_buffer_append(&reader->json->arena, reader->text + from, node->text_size, reader->err);
        return r < 0 ? r : gbx_buffer_append_byte(&reader->json->arena, 0, reader->err);
}

static int read_word(struct reader *reader, struct gbx_json_node *node) {
        static const struct {
                const char *word;
                enum gbx_json_kind kind;
        } words[] = { { "null", GBX_JSON_NULL }, { "false", GBX_JSON_FALSE }, { "true", GBX_JSON_TRUE } };

        for (size_t i = 0; i < gbx_array_size(words); i++) {
                size_t n = strlen(words[i].word);

                if (reader->size - reader->at >= n && memcmp(reader->text + reader->at, words[i].word, n) == 0) {
                        node->kind = (uint8_t)words[i].kind;
                        node->raw_size = (uint32_t)n;
                        reader->at += n;
                        return 0;
                }
        }
        return bad(reader, "not a JSON value");
}

/* A scalar, or the opening bracket of an array or object. */
static int read_value(struct reader *reader, uint32_t *ret) {
        struct gbx_json_node node;
        uint32_t index = 0, text = 0, size = 0;
        int r = new_node(reader, GBX_JSON_NULL, &index);

        if (r < 0)
                return r;
        node = reader->json->nodes[index];
        switch (peek(reader)) {
        case '{':
        case '[':
                node.kind = peek(reader) == '{' ? GBX_JSON_OBJECT : GBX_JSON_ARRAY;
                reader->at++;
                break;
        case '"':
                node.kind = GBX_JSON_STRING;
                reader->at++;
                r = read_string(reader, &text, &size);
                if (r < 0)
                        return r;
                node.text = text;
                node.text_size = size;
                node.raw_size = (uint32_t)reader->at - node.raw;
                break;
        case 'n':
        case 'f':
        case 't':
                r = read_word(reader, &node);
                break;
        default:
                node.kind = GBX_JSON_NUMBER;
                r = read_number(reader, &node);
        }
        reader->json->nodes[index] = node;
        *ret = index;
        return r < 0 ? r : 0;
}

struct frame {
        uint32_t node, last;
};

static int read_member_name(struct reader *reader, const struct frame *frame, uint32_t *ret_name, uint32_t *ret_size) {
        struct gbx_json *json = reader->json;
        size_t checked = 0;
        int r;

        if (peek(reader) != '"')
                return bad(reader, "a member name must stand here");
        reader->at++;
        r = read_string(reader, ret_name, ret_size);
        if (r < 0)
                return r;
        for (uint32_t i = json->nodes[frame->node].child; i && checked < CHECKED_MEMBERS; i = json->nodes[i].next, checked++)
                if (json->nodes[i].name_size == *ret_size &&
                    memcmp(json->arena.data + json->nodes[i].name, json->arena.data + *ret_name, *ret_size) == 0)
                        return bad(reader, "the member name stands twice");
        skip_blanks(reader);
        if (peek(reader) != ':')
                return bad(reader, "':' must follow a member name");
        reader->at++;
        skip_blanks(reader);
        return 0;
}

/* One element or member, or the closing bracket. Returns 1 if the container is closed. */
static int read_item(struct reader *reader, struct frame *frame, uint32_t *ret_child) {
        struct gbx_json *json = reader->json;
        bool object = json->nodes[frame->node].kind == GBX_JSON_OBJECT;
        uint32_t name = 0, name_size = 0, child;
        int r;

        skip_blanks(reader);
        if (peek(reader) == (object ? '}' : ']')) {
                reader->at++;
                return 1;
        }
        if (json->nodes[frame->node].count > 0) {
                if (peek(reader) != ',')
                        return bad(reader, object ? "',' or '}' must stand here" : "',' or ']' must stand here");
                reader->at++;
                skip_blanks(reader);
        }
        r = object ? read_member_name(reader, frame, &name, &name_size) : 0;
        if (r >= 0)
                r = read_value(reader, &child);
        if (r < 0)
                return r;
        json->nodes[child].name = name;
        json->nodes[child].name_size = name_size;
        if (json->nodes[frame->node].count++ == 0)
                json->nodes[frame->node].child = child;
        else
                json->nodes[frame->last].next = child;
        frame->last = child;
        *ret_child = child;
        return 0;
}

int gbx_json_read(struct gbx_json *json, const char *text, size_t size, size_t *ret_end, struct gbx_error *err) {
        struct reader reader = { json, text, size, 0, err };
        struct frame stack[GBX_JSON_MAX_DEPTH];
        size_t depth = 0;
        uint32_t node;
        int r;

        if (size > GBX_JSON_MAX_BYTES)
                return gbx_fail(err, -EFBIG, "the JSON text is larger than %d MiB", GBX_JSON_MAX_BYTES >> 20);
        json->count = 0;
        skip_blanks(&reader);
        r = read_value(&reader, &node);
        if (r >= 0 && json->nodes[node].kind >= GBX_JSON_ARRAY)
                stack[depth++] = (struct frame){ node, 0 };
        while (r >= 0 && depth > 0) {
                r = read_item(&reader, &stack[depth - 1], &node);
                if (r > 0) {
                        depth--;
                } else if (r == 0 && json->nodes[node].kind >= GBX_JSON_ARRAY) {
                        if (depth == GBX_JSON_MAX_DEPTH)
                                return bad(&reader, "nested deeper than 64");
                        stack[depth++] = (struct frame){ node, 0 };
                }
        }
        if (r < 0)
                return r;
        skip_blanks(&reader);
        if (ret_end)
                *ret_end = reader.at;
        else if (reader.at < size)
                return bad(&reader, "something follows the JSON value");
        return 0;
}

uint32_t gbx_json_member(const struct gbx_json *json, uint32_t object, const char *name) {
        if (json->nodes[object].kind != GBX_JSON_OBJECT)
                return 0;
        for (uint32_t i = json->nodes[object].child; i; i = json->nodes[i].next)
                if (strcmp(gbx_json_name(json, i), name) == 0)
                        return i;
        return 0;
}

int gbx_json_write_string(struct gbx_buffer *buffer, const char *text, size_t size, struct gbx_error *err) {
        int r = gbx_buffer_append_byte(buffer, '"', err);

        for (size_t i = 0; i < size && r >= 0; i++) {
                uint8_t c = (uint8_t)text[i];

                if (c == '"' || c == '\\')
                        r = gbx_buffer_printf(buffer, err, "\\%c", c);
                else if (c < 0x20)
                        r = gbx_buffer_printf(buffer, err, "\\u%04x", c);
                else
                        r = gbx_buffer_append_byte(buffer, c, err);
        }
        return r < 0 ? r : gbx_buffer_append_byte(buffer, '"', err);
}

void gbx_json_free(struct gbx_json *json) {
        free(json->nodes);
        gbx_buffer_free(&json->arena);
        *json = (struct gbx_json){};
}
