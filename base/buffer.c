#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct gbx_buffer *buffer, size_t capacity, struct gbx_error *err) {
        uint8_t *data;

        if (!buffer->secret) {
                data = realloc(buffer->data, capacity);
                if (!data)
                        return gbx_fail_memory(err);
        } else {
                data = malloc(capacity);
                if (!data)
                        return gbx_fail_memory(err);
                if (buffer->data) {
                        memcpy(data, buffer->data, buffer->size + 1);
                        explicit_bzero(buffer->data, buffer->capacity);
                        free(buffer->data);
                }
        }
        buffer->data = data;
        buffer->capacity = capacity;
        return 0;
}

int gbx_buffer_reserve(struct gbx_buffer *buffer, size_t extra, struct gbx_error *err) {
        size_t need, capacity = buffer->capacity ? buffer->capacity : 64;
        int r;

        if (__builtin_add_overflow(buffer->size, extra, &need) || need >= SIZE_MAX / 2)
                return gbx_fail_memory(err);
        need++; /* the zero byte behind the content */
        if (need <= buffer->capacity)
                return 0;
        while (capacity < need)
                capacity *= 2;
        r = grow(buffer, capacity, err);
        if (r < 0)
                return r;
        buffer->data[buffer->size] = 0;
        return 0;
}

int gbx_buffer_append(struct gbx_buffer *buffer, const void *data, size_t size, struct gbx_error *err) {
        int r = gbx_buffer_reserve(buffer, size, err);

        if (r < 0)
                return r;
        if (size)
                memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
        buffer->data[buffer->size] = 0;
        return 0;
}

int gbx_buffer_append_text(struct gbx_buffer *buffer, const char *text, struct gbx_error *err) {
        return gbx_buffer_append(buffer, text, strlen(text), err);
}

int gbx_buffer_append_byte(struct gbx_buffer *buffer, uint8_t byte, struct gbx_error *err) {
        return gbx_buffer_append(buffer, &byte, 1, err);
}

int gbx_buffer_printf(struct gbx_buffer *buffer, struct gbx_error *err, const char *format, ...) {
        va_list args;
        int length, r;

        va_start(args, format);
        length = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (length < 0)
                return gbx_fail(err, -EINVAL, "cannot format text with '%s'", format);
        r = gbx_buffer_reserve(buffer, (size_t)length, err);
        if (r < 0)
                return r;
        va_start(args, format);
        (void)vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, args);
        va_end(args);
        buffer->size += (size_t)length;
        return 0;
}

const char *gbx_buffer_text(const struct gbx_buffer *buffer) {
        return buffer->data ? (const char *)buffer->data : "";
}

void gbx_buffer_clear(struct gbx_buffer *buffer) {
        if (!buffer->data)
                return;
        if (buffer->secret)
                explicit_bzero(buffer->data, buffer->capacity);
        buffer->size = 0;
        buffer->data[0] = 0;
}

void gbx_buffer_free(struct gbx_buffer *buffer) {
        gbx_buffer_clear(buffer);
        free(buffer->data);
        buffer->data = NULL;
        buffer->size = buffer->capacity = 0;
}
