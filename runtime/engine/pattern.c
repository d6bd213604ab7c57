#include "runtime/engine/pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum kind {
        SINGLE,   /* one byte of the set, repeated as `repeat` says */
        OPEN,     /* "(" */
        POSITION, /* "()" */
        CLOSE,    /* ")" */
        BACK,     /* %1 to %9: the text of that capture once more */
        BALANCE,  /* %bxy */
        FRONTIER, /* %f[set] */
        TEXT_END, /* "$" at the end of the pattern */
        END,
};

struct gbx_pattern_item {
        enum kind kind;
        char repeat;   /* SINGLE: 0, '*', '+', '-' or '?' */
        uint8_t index; /* capture of OPEN, POSITION, CLOSE, BACK */
        uint8_t x, y;  /* BALANCE */
        uint64_t set[4];
};

size_t gbx_pattern_space(size_t size) {
        size_t items = size + 1 < GBX_PATTERN_ITEMS ? size + 1 : GBX_PATTERN_ITEMS;

        return items * sizeof(struct gbx_pattern_item);
}

/* --- compiling ------------------------------------------------------------------ */

struct compiler {
        const char *pattern;
        size_t size;
        size_t at;
        struct gbx_pattern_item *items;
        size_t count;
        size_t captures;
        bool open[GBX_PATTERN_CAPTURES];
        struct gbx_error *err;
};

static int fail(const struct compiler *c, const char *message) { return gbx_fail(c->err, -EINVAL, "%s", message); }

static void set_add(uint64_t set[4], unsigned char byte) { set[byte >> 6] |= UINT64_C(1) << (byte & 63); }

static bool set_has(const uint64_t set[4], unsigned char byte) { return set[byte >> 6] >> (byte & 63) & 1; }

static int is_zero(int byte) { return byte == 0; }

/* The classes of the manual, and %z of older versions. */
static const struct {
        char letter;
        int (*test)(int);
} classes[] = {
        { 'a', isalpha }, { 'c', iscntrl }, { 'd', isdigit }, { 'g', isgraph }, { 'l', islower },  { 'p', ispunct },
        { 's', isspace }, { 'u', isupper }, { 'w', isalnum }, { 'x', isxdigit }, { 'z', is_zero },
};

enum { CLASSES = sizeof classes / sizeof classes[0] };

static const uint64_t *class_set(size_t class) {
        static uint64_t sets[CLASSES][4];
        static bool filled;

        for (size_t i = 0; !filled && i < CLASSES; i++)
                for (int byte = 0; byte < 256; byte++)
                        if (classes[i].test(byte))
                                set_add(sets[i], (unsigned char)byte);
        filled = true;
        return sets[class];
}

/* Adds what "%letter" stands for: a class, its complement for a capital, or the byte itself. */
static void set_add_escape(uint64_t set[4], unsigned char letter) {
        for (size_t i = 0; i < CLASSES; i++) {
                const uint64_t *class;

                if (tolower(letter) != classes[i].letter)
                        continue;
                class = class_set(i);
                for (size_t k = 0; k < 4; k++)
                        set[k] |= islower(letter) ? class[k] : ~class[k];
                return;
        }
        set_add(set, letter);
}

/* Reads a set from behind '[' and leaves `at` behind ']'. */
static int compile_set(struct compiler *c, uint64_t set[4]) {
        const unsigned char *p = (const unsigned char *)c->pattern;
        bool complement = c->at < c->size && p[c->at] == '^';
        size_t i = c->at + complement, end = i;

        /* The closing bracket is the first one that is neither first nor escaped. */
        do {
                if (end >= c->size)
                        return fail(c, "malformed pattern (missing ']')");
                if (p[end++] == '%')
                        end++;
        } while (end >= c->size || p[end] != ']');
        while (i < end) {
                if (p[i] == '%' && i + 1 < end) {
                        set_add_escape(set, p[i + 1]);
                        i += 2;
                } else if (i + 2 < end && p[i + 1] == '-') {
                        for (unsigned byte = p[i]; byte <= p[i + 2]; byte++)
                                set_add(set, (unsigned char)byte);
                        i += 3;
                } else
                        set_add(set, p[i++]);
        }
        for (size_t k = 0; complement && k < 4; k++)
                set[k] = ~set[k];
        c->at = end + 1;
        return 0;
}

/* One byte's worth of pattern at `at`: '.', a set, an escape or a plain byte. */
static int compile_single(struct compiler *c, uint64_t set[4]) {
        unsigned char byte = (unsigned char)c->pattern[c->at++];

        switch (byte) {
        case '.':
                memset(set, 0xff, 4 * sizeof set[0]);
                return 0;
        case '[':
                return compile_set(c, set);
        case '%':
                if (c->at == c->size)
                        return fail(c, "malformed pattern (ends with '%')");
                set_add_escape(set, (unsigned char)c->pattern[c->at++]);
                return 0;
        default:
                set_add(set, byte);
                return 0;
        }
}

static int compile_parenthesis(struct compiler *c, struct gbx_pattern_item *item) {
        size_t index = c->captures;

        if (c->pattern[c->at++] == '(') {
                bool position = c->at < c->size && c->pattern[c->at] == ')';

                if (index == GBX_PATTERN_CAPTURES)
                        return fail(c, "too many captures");
                c->at += position;
                c->open[index] = !position;
                c->captures++;
                item->kind = position ? POSITION : OPEN;
        } else {
                while (index > 0 && !c->open[index - 1])
                        index--;
                if (index == 0)
                        return fail(c, "invalid pattern capture");
                c->open[--index] = false;
                item->kind = CLOSE;
        }
        item->index = (uint8_t)index;
        return 0;
}

static int compile_back_reference(struct compiler *c, struct gbx_pattern_item *item) {
        int index = c->pattern[c->at + 1] - '1';

        if (index < 0 || (size_t)index >= c->captures || c->open[index])
                return gbx_fail(c->err, -EINVAL, "invalid capture index %%%d", index + 1);
        item->kind = BACK;
        item->index = (uint8_t)index;
        c->at += 2;
        return 0;
}

static int compile_item(struct compiler *c, struct gbx_pattern_item *item) {
        char next = (char)(c->at + 1 < c->size ? c->pattern[c->at + 1] : '\0');
        int r;

        switch (c->pattern[c->at]) {
        case '(':
        case ')':
                return compile_parenthesis(c, item);
        case '$':
                if (c->at + 1 < c->size)
                        break;
                item->kind = TEXT_END;
                c->at++;
                return 0;
        case '%':
                if (c->at + 1 == c->size)
                        break;
                if (isdigit((unsigned char)next))
                        return compile_back_reference(c, item);
                if (next == 'b') {
                        if (c->size - c->at < 4)
                                return fail(c, "malformed pattern (missing arguments to '%b')");
                        *item = (struct gbx_pattern_item){ .kind = BALANCE,
                                                           .x = (uint8_t)c->pattern[c->at + 2],
                                                           .y = (uint8_t)c->pattern[c->at + 3] };
                        c->at += 4;
                        return 0;
                }
                if (next == 'f') {
                        c->at += 2;
                        if (c->at == c->size || c->pattern[c->at] != '[')
                                return fail(c, "missing '[' after '%f' in pattern");
                        item->kind = FRONTIER;
                        return compile_single(c, item->set);
                }
                break;
        default:
                break;
        }
        item->kind = SINGLE;
        r = compile_single(c, item->set);
        if (r >= 0 && c->at < c->size && c->pattern[c->at] && strchr("*+-?", c->pattern[c->at]))
                item->repeat = c->pattern[c->at++];
        return r;
}

int gbx_pattern_compile(struct gbx_pattern *ret, const char *pattern, size_t size, bool anchor, void *space,
                        struct gbx_error *err) {
        bool anchored = anchor && size > 0 && pattern[0] == '^';
        struct compiler c = { .pattern = pattern, .size = size, .at = anchored, .items = space, .err = err };
        int r;

        while (c.at < size) {
                if (c.count == GBX_PATTERN_ITEMS - 1)
                        return fail(&c, "pattern too complex");
                c.items[c.count] = (struct gbx_pattern_item){};
                r = compile_item(&c, &c.items[c.count]);
                if (r < 0)
                        return r;
                c.count++;
        }
        for (size_t i = 0; i < c.captures; i++)
                if (c.open[i])
                        return fail(&c, "unfinished capture");
        c.items[c.count] = (struct gbx_pattern_item){ .kind = END };
        *ret = (struct gbx_pattern){ .items = c.items, .captures = c.captures, .anchored = anchored };
        return 0;
}

/* --- matching ------------------------------------------------------------------- */

struct matcher {
        struct gbx_pattern *pattern;
        const char *subject;
        size_t size;
        struct gbx_pattern_match *match;
};

static int charge(struct gbx_pattern *pattern, uint64_t steps) {
        int r = 0;

        pattern->steps += steps;
        if (pattern->steps >= GBX_PATTERN_CHARGE_INTERVAL) {
                if (pattern->charge)
                        r = pattern->charge(pattern->context, pattern->steps);
                pattern->steps = 0;
        }
        return r;
}

static int match_items(struct matcher *m, const struct gbx_pattern_item *item, size_t at);

static bool fits(const struct matcher *m, const struct gbx_pattern_item *item, size_t at) {
        return at < m->size && set_has(item->set, (unsigned char)m->subject[at]);
}

/* As many as possible, then fewer, down to `least`. */
static int match_most(struct matcher *m, const struct gbx_pattern_item *item, size_t at, size_t least) {
        size_t count = 0;
        int r;

        while (fits(m, item, at + count))
                count++;
        r = charge(m->pattern, count / 8);
        if (r)
                return r;
        for (; count + 1 > least; count--) {
                r = match_items(m, item + 1, at + count);
                if (r)
                        return r;
                if (count == 0)
                        break;
        }
        return 0;
}

/* As few as possible, then more. */
static int match_least(struct matcher *m, const struct gbx_pattern_item *item, size_t at) {
        for (;; at++) {
                int r = match_items(m, item + 1, at);

                if (r)
                        return r;
                if (!fits(m, item, at))
                        return 0;
        }
}

static int match_optional(struct matcher *m, const struct gbx_pattern_item *item, size_t at) {
        if (fits(m, item, at)) {
                int r = match_items(m, item + 1, at + 1);

                if (r)
                        return r;
        }
        return match_items(m, item + 1, at);
}

/* 1 with `ret_end` behind the closing byte, 0 if there is none, negative from `charge`. */
static int find_balance(struct matcher *m, const struct gbx_pattern_item *item, size_t at, size_t *ret_end) {
        size_t depth = 1;

        if (at >= m->size || (uint8_t)m->subject[at] != item->x)
                return 0;
        for (size_t i = at + 1; i < m->size; i++) {
                uint8_t byte = (uint8_t)m->subject[i];

                if (byte == item->y) {
                        if (--depth == 0) {
                                *ret_end = i + 1;
                                return charge(m->pattern, (i - at) / 8) ?: 1;
                        }
                } else if (byte == item->x)
                        depth++;
        }
        return charge(m->pattern, (m->size - at) / 8);
}

static bool at_frontier(const struct matcher *m, const struct gbx_pattern_item *item, size_t at) {
        unsigned char before = at == 0 ? '\0' : (unsigned char)m->subject[at - 1];
        unsigned char here = at == m->size ? '\0' : (unsigned char)m->subject[at];

        return !set_has(item->set, before) && set_has(item->set, here);
}

static bool repeats(const struct matcher *m, const struct gbx_pattern_item *item, size_t at, size_t *ret_size) {
        const struct gbx_pattern_capture *capture = &m->match->captures[item->index];
        size_t size = capture->size;

        if (capture->position || m->size - at < size || memcmp(m->subject + capture->start, m->subject + at, size) != 0)
                return false;
        *ret_size = size;
        return true;
}

static int match_single(struct matcher *m, const struct gbx_pattern_item *item, size_t at) {
        switch (item->repeat) {
        case '*':
                return match_most(m, item, at, 0);
        case '+':
                return match_most(m, item, at, 1);
        case '-':
                return match_least(m, item, at);
        default:
                return match_optional(m, item, at);
        }
}

/* Matches `item` and all behind it at `at`. 1: `match->end` and the captures hold. The recursion
 * is never deeper than the pattern has items. */
static int match_items(struct matcher *m, const struct gbx_pattern_item *item, size_t at) {
        for (;; item++) {
                struct gbx_pattern_capture *capture = &m->match->captures[item->index];
                size_t end = at;
                int r = charge(m->pattern, 1);

                if (r)
                        return r;
                switch (item->kind) {
                case SINGLE:
                        if (item->repeat)
                                return match_single(m, item, at);
                        if (!fits(m, item, at))
                                return 0;
                        at++;
                        break;
                case OPEN:
                case POSITION:
                        *capture = (struct gbx_pattern_capture){ .start = at, .position = item->kind == POSITION };
                        break;
                case CLOSE:
                        capture->size = at - capture->start;
                        break;
                case BACK:
                        if (!repeats(m, item, at, &end))
                                return 0;
                        r = charge(m->pattern, end / 8);
                        if (r)
                                return r;
                        at += end;
                        break;
                case BALANCE:
                        r = find_balance(m, item, at, &end);
                        if (r <= 0)
                                return r;
                        at = end;
                        break;
                case FRONTIER:
                        if (!at_frontier(m, item, at))
                                return 0;
                        break;
                case TEXT_END:
                        if (at != m->size)
                                return 0;
                        break;
                case END:
                        m->match->end = at;
                        return 1;
                }
        }
}

int gbx_pattern_find(struct gbx_pattern *pattern, const char *subject, size_t size, size_t from, bool only_here,
                     struct gbx_pattern_match *ret) {
        struct gbx_pattern_match match;
        struct matcher m = { .pattern = pattern, .subject = subject, .size = size, .match = &match };

        for (size_t start = from; start <= size; start++) {
                int r = match_items(&m, pattern->items, start);

                if (r < 0)
                        return r;
                if (r > 0) {
                        match.start = start;
                        match.count = pattern->captures;
                        *ret = match;
                        return 1;
                }
                if (only_here || pattern->anchored)
                        break;
        }
        return 0;
}
