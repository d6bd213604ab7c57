/* How a value of a released table is written, and how it is rounded to its column's unit. */
#include "runtime/engine/release.h"

#include "base/csv.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

static const int64_t powers_of_ten[GBX_UNIT_DECIMALS_MAX + 1] = { 1,      10,      100,      1000,      10000,
                                                                  100000, 1000000, 10000000, 100000000, 1000000000 };

int gbx_unit_parse(const char *text, struct gbx_unit *ret, struct gbx_error *err) {
        struct gbx_unit unit = {};
        size_t size = strlen(text), digits = strspn(text, "0123456789"), decimals = 0;
        int64_t steps = 0;

        if (text[digits] == '.')
                decimals = strspn(text + digits + 1, "0123456789");
        if (digits == 0 || digits + decimals > 15 || decimals > GBX_UNIT_DECIMALS_MAX ||
            digits + (text[digits] == '.') + decimals != size || (text[digits] == '.' && decimals == 0))
                return gbx_fail(err, -EINVAL, "a unit is a positive decimal such as 0.001 or 5");
        for (const char *at = text; *at; at++)
                if (*at != '.')
                        steps = steps * 10 + (*at - '0');
        if (steps == 0)
                return gbx_fail(err, -EINVAL, "a unit is a positive decimal such as 0.001 or 5");
        unit.steps = steps;
        unit.decimals = (int)decimals;
        memcpy(unit.text, text, size + 1);
        *ret = unit;
        return 0;
}

static int too_large(struct gbx_error *err) { return gbx_fail(err, -EINVAL, "too large for its unit"); }

static int format_integer(int64_t value, const struct gbx_unit *unit, struct gbx_buffer *buffer, struct gbx_error *err) {
        if (unit->steps) { /* to the nearest multiple, halves away from zero */
                int64_t rest = value % unit->steps, half = unit->steps - unit->steps / 2;

                value -= rest;
                if ((rest >= half && __builtin_add_overflow(value, unit->steps, &value)) ||
                    (-rest >= half && __builtin_sub_overflow(value, unit->steps, &value)))
                        return too_large(err);
        }
        return gbx_buffer_printf(buffer, err, "%lld", (long long)value);
}

/* The shortest text that is read back as the same number. */
static int format_exactly(double value, struct gbx_buffer *buffer, struct gbx_error *err) {
        char text[40];

        for (int digits = 15; digits <= 17; digits++) {
                (void)snprintf(text, sizeof text, "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        return gbx_buffer_append(buffer, text, strlen(text), err);
}

static int format_decimal(double value, const struct gbx_unit *unit, struct gbx_buffer *buffer, struct gbx_error *err) {
        double count;
        int64_t scaled;
        uint64_t magnitude, power;

        if (!isfinite(value))
                return gbx_fail(err, -EINVAL, "not a finite number");
        if (unit->steps == 0)
                return format_exactly(value + 0.0, buffer, err);
        power = (uint64_t)powers_of_ten[unit->decimals];
        count = rint(value * (double)power / (double)unit->steps);
        if (fabs(count) >= 0x1p53 || __builtin_mul_overflow((int64_t)count, unit->steps, &scaled))
                return too_large(err);
        magnitude = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled;
        if (unit->decimals == 0)
                return gbx_buffer_printf(buffer, err, "%lld", (long long)scaled);
        return gbx_buffer_printf(buffer, err, "%s%llu.%0*llu", scaled < 0 ? "-" : "",
                                 (unsigned long long)(magnitude / power), unit->decimals,
                                 (unsigned long long)(magnitude % power));
}

static int format_text(const char *text, size_t size, struct gbx_buffer *buffer, struct gbx_error *err) {
        if (size > GBX_RELEASE_TEXT_MAX)
                return gbx_fail(err, -EINVAL, "text of more than %d bytes", GBX_RELEASE_TEXT_MAX);
        if (!gbx_utf8_valid(text, size) || memchr(text, 0, size))
                return gbx_fail(err, -EINVAL, "text that is not UTF-8, or has a NUL in it");
        return gbx_csv_write_field(buffer, text, size, false, err);
}

int gbx_release_format(const struct gbx_value *value, const struct gbx_unit *unit, struct gbx_buffer *buffer,
                       struct gbx_error *err) {
        if (value->missing)
                return 0;
        switch (value->type) {
        case GBX_VALUE_INTEGER:
                return format_integer(value->integer, unit, buffer, err);
        case GBX_VALUE_DECIMAL:
                return format_decimal(value->decimal, unit, buffer, err);
        case GBX_VALUE_BOOLEAN:
                return gbx_buffer_printf(buffer, err, "%s", value->boolean ? "true" : "false");
        case GBX_VALUE_DATE:
                if (!gbx_typed_date(value->text.data, value->text.size))
                        return gbx_fail(err, -EINVAL, "not a date (YYYY-MM-DD)");
                break;
        case GBX_VALUE_TEXT:
        case GBX_VALUE_COUNT_:
                break;
        }
        return format_text(value->text.data, value->text.size, buffer, err);
}
