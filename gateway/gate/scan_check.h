/* Check digits: whether what a pattern matched can be such a number at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum gbx_scan_check {
        GBX_SCAN_CHECK_NONE,
        GBX_SCAN_CHECK_LUHN,        /* ISO/IEC 7812-1, annex B; separators are passed over */
        GBX_SCAN_CHECK_RESIDENT_ID, /* GB 11643: ISO 7064 MOD 11-2, and a birth date that exists */
        GBX_SCAN_CHECK_CREDIT_CODE, /* GB 32100: MOD 31 over 17 characters */
};

bool gbx_scan_check(enum gbx_scan_check check, const char *text, size_t length);
