#include "watermark/layout_json.h"

#include "base/cleanup.h"
#include "watermark/json.h"

#include <string.h>

struct pass {
        const struct gbx_mark_keys *keys;
        const uint8_t *key;
        const char *text;
        const struct gbx_json *json;
        struct gbx_buffer *out; /* writing; NULL: comparing */
        size_t written;         /* of the text */
        struct gbx_layout_evidence *evidence;
        struct gbx_error *err;
};

static int copy_to(struct pass *pass, size_t end) {
        int r = gbx_buffer_append(pass->out, pass->text + pass->written, end - pass->written, pass->err);

        pass->written = end;
        return r;
}

/* --- order ------------------------------------------------------------------------------- */

struct span {
        size_t from, to;
};

/* A member with a scalar value, from its name's quotation mark on. The input has been read: it is well-formed. */
static struct span member_span(const struct pass *pass, uint32_t node) {
        const struct gbx_json_node *value = &pass->json->nodes[node];
        size_t at = value->raw, slashes;

        while (pass->text[at - 1] != ':')
                at--;
        at--;
        while (pass->text[at - 1] != '"')
                at--;
        at--;
        do { /* back to a quotation mark that is not escaped */
                at--;
                for (slashes = 0; pass->text[at] == '"' && pass->text[at - 1 - slashes] == '\\'; slashes++)
                        ;
        } while (pass->text[at] != '"' || slashes % 2 == 1);
        return (struct span){ at, value->raw + value->raw_size };
}

/* Two members of the object `object`, neighbours. */
static int pass_pair(struct pass *pass, uint32_t object, uint32_t first, uint32_t second) {
        const char *a = gbx_json_name(pass->json, first), *b = gbx_json_name(pass->json, second);
        bool in_order = strcmp(a, b) < 0;
        gbx_auto(gbx_buffer_free) struct gbx_buffer name = {};
        struct span x, y;
        unsigned wanted;
        int r = gbx_buffer_printf(&name, pass->err, "%u %s\n%s", object, in_order ? a : b, in_order ? b : a);

        if (r >= 0)
                r = gbx_layout_symbol(pass->keys, pass->key, 'm', &name, &wanted, pass->err);
        if (r < 0)
                return r;
        if (!pass->out) {
                pass->evidence->members++;
                pass->evidence->members_agree += wanted == in_order;
                return 0;
        }
        if (wanted == in_order)
                return 0;
        x = member_span(pass, first);
        y = member_span(pass, second);
        r = copy_to(pass, x.from);
        if (r >= 0)
                r = gbx_buffer_append(pass->out, pass->text + y.from, y.to - y.from, pass->err);
        if (r >= 0)
                r = gbx_buffer_append(pass->out, pass->text + x.to, y.from - x.to, pass->err);
        if (r >= 0)
                r = gbx_buffer_append(pass->out, pass->text + x.from, x.to - x.from, pass->err);
        pass->written = y.to;
        return r;
}

static bool is_scalar(const struct pass *pass, uint32_t node) { return pass->json->nodes[node].kind < GBX_JSON_ARRAY; }

/* An object's number among all values does not change when scalars within it trade places. */
static int pass_order(struct pass *pass) {
        const struct gbx_json_node *nodes = pass->json->nodes;

        for (uint32_t i = 0; i < pass->json->count; i++) {
                uint32_t first = nodes[i].kind == GBX_JSON_OBJECT ? nodes[i].child : 0, second;

                for (; first && (second = nodes[first].next); first = nodes[second].next) {
                        int r = is_scalar(pass, first) && is_scalar(pass, second) ? pass_pair(pass, i, first, second) : 0;

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* --- blanks ------------------------------------------------------------------------------ */

/* Members with scalar values, named by their number among all values and their name. */
static int pass_blanks(struct pass *pass) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer name = {};
        int r = 0;

        for (uint32_t i = 1; i < pass->json->count && r >= 0; i++) {
                const struct gbx_json_node *node = &pass->json->nodes[i];
                size_t blanks = 0;
                unsigned wanted;

                if (!is_scalar(pass, i) || node->name_size == 0)
                        continue;
                while (node->raw > blanks && strchr(" \t\r\n", pass->text[node->raw - blanks - 1]))
                        blanks++;
                gbx_buffer_clear(&name);
                r = gbx_buffer_printf(&name, pass->err, "%u %s", i, gbx_json_name(pass->json, i));
                if (r >= 0)
                        r = gbx_layout_symbol(pass->keys, pass->key, 's', &name, &wanted, pass->err);
                if (r < 0)
                        return r;
                if (!pass->out) {
                        pass->evidence->spaces++;
                        pass->evidence->spaces_agree += wanted == (blanks > 0);
                        continue;
                }
                r = copy_to(pass, node->raw - blanks);
                if (r >= 0 && wanted)
                        r = gbx_buffer_append_byte(pass->out, ' ', pass->err);
                pass->written = node->raw;
        }
        return r;
}

/* --- all together -------------------------------------------------------------------------- */

static int rewrite(struct pass pass, int (*step)(struct pass *pass), struct gbx_buffer *copy) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer out = { .secret = copy->secret };
        gbx_auto(gbx_json_free) struct gbx_json json = {};
        int r;

        pass.text = gbx_buffer_text(copy);
        pass.json = &json;
        pass.out = &out;
        r = gbx_json_read(&json, pass.text, copy->size, NULL, pass.err);
        if (r >= 0)
                r = step(&pass);
        if (r >= 0)
                r = copy_to(&pass, copy->size);
        if (r < 0)
                return r;
        gbx_buffer_free(copy);
        *copy = out;
        out = (struct gbx_buffer){};
        return 0;
}

int gbx_layout_write_json(unsigned layout, const struct gbx_mark_keys *keys, const uint8_t release_key[static 16],
                          struct gbx_buffer *copy, struct gbx_error *err) {
        const struct pass pass = { .keys = keys, .key = release_key, .err = err };
        int r = 0;

        if (layout & GBX_MARK_JSON_ORDER)
                r = rewrite(pass, pass_order, copy);
        if (r >= 0 && layout & GBX_MARK_JSON_SPACES)
                r = rewrite(pass, pass_blanks, copy);
        return r;
}

int gbx_layout_compare_json(unsigned layout, const struct gbx_mark_keys *keys, const uint8_t release_key[static 16],
                            const char *text, size_t size, struct gbx_layout_evidence *evidence, struct gbx_error *err) {
        gbx_auto(gbx_json_free) struct gbx_json json = {};
        struct pass pass = { .keys = keys, .key = release_key, .text = text, .json = &json, .evidence = evidence, .err = err };
        int r = 0;

        if (!(layout & (GBX_MARK_JSON_ORDER | GBX_MARK_JSON_SPACES)) || gbx_json_read(&json, text, size, NULL, NULL) < 0)
                return 0;
        if (layout & GBX_MARK_JSON_ORDER)
                r = pass_order(&pass);
        if (r >= 0 && layout & GBX_MARK_JSON_SPACES)
                r = pass_blanks(&pass);
        return r;
}
