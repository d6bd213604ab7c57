/*
 * What Debian's libjansson.a asks of glibc and musl does not have
 *
 * The archive is compiled with _FORTIFY_SOURCE, so it calls these three
 * instead of the functions they check (Linux Standard Base Core 5.0,
 * "Interfaces for libc"). Like glibc's they end the program where the
 * destination is smaller than what may be written to it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __vsnprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, va_list arguments);
int __snprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, ...);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);

__attribute__((format(printf, 5, 0))) int __vsnprintf_chk(char *text, size_t size, int flag, size_t room,
                                                          const char *format, va_list arguments) {
        (void)flag;
        if (size > room)
                abort();
        return vsnprintf(text, size, format, arguments);
}

__attribute__((format(printf, 5, 6))) int __snprintf_chk(char *text, size_t size, int flag, size_t room,
                                                         const char *format, ...) {
        va_list arguments;
        int length;

        va_start(arguments, format);
        length = __vsnprintf_chk(text, size, flag, room, format, arguments);
        va_end(arguments);
        return length;
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room) {
        if (size > room)
                abort();
        return strncpy(to, from, size);
}
