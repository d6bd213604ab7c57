#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef gbx_fail
#undef gbx_fail_errno
#undef gbx_context
#undef gbx_fail_memory

__attribute__((format(printf, 3, 0)))
static void set_message(struct gbx_error *err, int code, const char *format, va_list args, const char *suffix) {
        char text[sizeof err->message];

        if (!err)
                return;
        /* The analyzer loses sight of va_start. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
        (void)vsnprintf(text, sizeof text, format, args);
        err->code = code;
        if (suffix)
                (void)snprintf(err->message, sizeof err->message, "%.800s: %s", text, suffix);
        else
                memcpy(err->message, text, sizeof text);
}

int gbx_fail(struct gbx_error *err, int code, const char *format, ...) {
        va_list args;

        va_start(args, format);
        set_message(err, code, format, args, NULL);
        va_end(args);
        return code;
}

int gbx_fail_errno(struct gbx_error *err, const char *format, ...) {
        int code = errno > 0 ? -errno : -EIO;
        va_list args;

        va_start(args, format);
        set_message(err, code, format, args, strerror(-code));
        va_end(args);
        return code;
}

int gbx_context(struct gbx_error *err, int code, const char *format, ...) {
        char inner[sizeof err->message];
        va_list args;

        if (!err)
                return code;
        memcpy(inner, err->message, sizeof inner);
        va_start(args, format);
        set_message(err, code, format, args, inner);
        va_end(args);
        return code;
}

int gbx_fail_memory(struct gbx_error *err) {
        return gbx_fail(err, -ENOMEM, "out of memory");
}

enum gbx_exit gbx_error_exit_code(int code) {
        switch (code) {
        case -EINVAL:
                return GBX_EXIT_USAGE;
        case -EKEYREJECTED:
                return GBX_EXIT_DENIED;
        case -EBADMSG:
                return GBX_EXIT_INTEGRITY;
        case -EDQUOT:
                return GBX_EXIT_LIMIT;
        default:
                return code >= 0 ? GBX_EXIT_DONE : GBX_EXIT_FAILED;
        }
}
