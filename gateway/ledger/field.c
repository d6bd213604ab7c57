#include "gateway/ledger/field.h"

#include <stdbool.h>

static bool is_prime(uint32_t number) {
        if (number % 2 == 0)
                return false;
        for (uint32_t i = 3; (uint64_t)i * i <= number; i += 2)
                if (number % i == 0)
                        return false;
        return true;
}

struct gbx_field gbx_field_of(uint64_t seed) {
        uint32_t number = (UINT32_C(1) << 30) + (uint32_t)(gbx_mix(seed) % (UINT32_C(1) << 29));

        while (!is_prime(number))
                number++;
        return (struct gbx_field){ .prime = number, .inverse = UINT64_MAX / number };
}

uint32_t gbx_field_invert(const struct gbx_field *field, uint32_t a) {
        uint32_t result = 1;

        for (uint32_t exponent = field->prime - 2; exponent; exponent >>= 1) { /* Fermat */
                if (exponent & 1)
                        result = gbx_field_multiply(field, result, a);
                a = gbx_field_multiply(field, a, a);
        }
        return result;
}

void gbx_field_subtract(const struct gbx_field *field, uint32_t *restrict target, const uint32_t *restrict source, uint32_t factor,
                        size_t count) {
        uint32_t prime = field->prime;

        if (factor == 0)
                return;
        if (factor == 1) { /* by far the most frequent; the compiler makes vector code of it */
                for (size_t i = 0; i < count; i++) {
                        uint32_t value = target[i] + (prime - source[i]);

                        target[i] = value >= prime ? value - prime : value;
                }
                return;
        }
        if (factor == prime - 1) {
                for (size_t i = 0; i < count; i++) {
                        uint32_t value = target[i] + source[i];

                        target[i] = value >= prime ? value - prime : value;
                }
                return;
        }
        factor = prime - factor;
        for (size_t i = 0; i < count; i++)
                if (source[i])
                        target[i] = gbx_field_reduce(field, (uint64_t)source[i] * factor + target[i]);
}

void gbx_field_scale(const struct gbx_field *field, uint32_t *target, uint32_t factor, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (target[i])
                        target[i] = gbx_field_multiply(field, target[i], factor);
}
