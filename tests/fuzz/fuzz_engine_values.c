/* Typed values: what is read and written without a unit is read again as the same value; with
 * any unit, what is written is a value of its type. The input: a type, a size and bytes of a unit, a text. */
#include "runtime/engine/release.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_value(enum gbx_value_type type, const char *text, size_t size, struct gbx_value *ret) {
        *ret = (struct gbx_value){ .type = type, .missing = size == 0 };
        if (size == 0)
                return true;
        switch (type) {
        case GBX_VALUE_INTEGER:
                return gbx_typed_integer(text, size, &ret->integer);
        case GBX_VALUE_DECIMAL:
                return gbx_typed_decimal(text, size, &ret->decimal);
        case GBX_VALUE_BOOLEAN:
                return gbx_typed_boolean(text, size, &ret->boolean);
        case GBX_VALUE_DATE:
        case GBX_VALUE_TEXT:
        case GBX_VALUE_COUNT_:
                break;
        }
        ret->text.data = text;
        ret->text.size = size;
        return type == GBX_VALUE_TEXT || gbx_typed_date(text, size);
}

static bool same(const struct gbx_value *a, const struct gbx_value *b) {
        if (a->missing || b->missing)
                return a->missing == b->missing;
        switch (a->type) {
        case GBX_VALUE_INTEGER:
                return a->integer == b->integer;
        case GBX_VALUE_DECIMAL:
                return a->decimal == b->decimal;
        case GBX_VALUE_BOOLEAN:
                return a->boolean == b->boolean;
        default:
                return a->text.size == b->text.size && memcmp(a->text.data, b->text.data, a->text.size) == 0;
        }
}

static void check(const struct gbx_value *value, const struct gbx_unit *unit) {
        struct gbx_buffer written = {};
        struct gbx_value back;

        if (gbx_release_format(value, unit, &written, NULL) == 0 && value->type != GBX_VALUE_TEXT) {
                if (!read_value(value->type, gbx_buffer_text(&written), written.size, &back))
                        abort();
                if (unit->steps == 0 && !same(value, &back))
                        abort();
        }
        gbx_buffer_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_unit unit = {}, none = {};
        struct gbx_value value;
        size_t unit_size;
        char *text;

        if (size < 2)
                return 0;
        unit_size = data[1] % 24;
        if (size < 2 + unit_size)
                return 0;
        text = strndup((const char *)data + 2, unit_size);
        if (!text)
                abort();
        (void)gbx_unit_parse(text, &unit, NULL);
        free(text);
        size -= 2 + unit_size;
        text = malloc(size + 1);
        if (!text)
                abort();
        memcpy(text, data + 2 + unit_size, size);
        text[size] = '\0';
        if (read_value((enum gbx_value_type)(data[0] % GBX_VALUE_COUNT_), text, size, &value)) {
                check(&value, &none);
                check(&value, &unit);
        }
        free(text);
        return 0;
}
