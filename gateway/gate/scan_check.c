#include "gateway/gate/scan_check.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { ID_LENGTH = 18 };

static bool luhn(const char *text, size_t length) {
        unsigned sum = 0, digits = 0;

        for (size_t i = length; i-- > 0;) {
                unsigned digit;

                if (text[i] == ' ' || text[i] == '-')
                        continue;
                if (text[i] < '0' || text[i] > '9')
                        return false;
                digit = (unsigned)(text[i] - '0');
                if (digits++ % 2 == 1)
                        digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
                sum += digit;
        }
        return digits >= 13 && sum % 10 == 0;
}

static bool resident_id(const char *text, size_t length) {
        static const unsigned weights[] = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 };
        static const char check[] = "10X98765432";
        char birth[11];
        unsigned sum = 0;

        if (length != ID_LENGTH)
                return false;
        for (size_t i = 0; i < ID_LENGTH - 1; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                sum += weights[i] * (unsigned)(text[i] - '0');
        }
        (void)snprintf(birth, sizeof birth, "%.4s-%.2s-%.2s", text + 6, text + 10, text + 12);
        if (!gbx_date_valid(birth))
                return false;
        return (text[ID_LENGTH - 1] == 'x' ? 'X' : text[ID_LENGTH - 1]) == check[sum % 11];
}

static bool credit_code(const char *text, size_t length) {
        static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
        unsigned sum = 0, weight = 1;
        const char *last;

        if (length != ID_LENGTH)
                return false;
        for (size_t i = 0; i < ID_LENGTH - 1; i++) {
                const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

                if (!at)
                        return false;
                sum += (unsigned)(at - alphabet) * weight;
                weight = weight * 3 % 31;
        }
        last = text[ID_LENGTH - 1] ? strchr(alphabet, text[ID_LENGTH - 1]) : NULL;
        return last && (unsigned)(last - alphabet) == (31 - sum % 31) % 31;
}

bool gbx_scan_check(enum gbx_scan_check check, const char *text, size_t length) {
        switch (check) {
        case GBX_SCAN_CHECK_LUHN:
                return luhn(text, length);
        case GBX_SCAN_CHECK_RESIDENT_ID:
                return resident_id(text, length);
        case GBX_SCAN_CHECK_CREDIT_CODE:
                return credit_code(text, length);
        case GBX_SCAN_CHECK_NONE:
                break;
        }
        return true;
}
