/* Building verdicts; for the decisions of this folder. */
#pragma once

#include "policy/decision.h"

/* Adds a reason; `code` must be static. Errors: -ENOMEM. */
int gbx_verdict_add(struct gbx_verdict *verdict, struct gbx_error *err, const char *code, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Hands a finished verdict over. */
static inline void gbx_verdict_move(struct gbx_verdict *from, struct gbx_verdict *ret) {
        *ret = *from;
        *from = (struct gbx_verdict){};
}
