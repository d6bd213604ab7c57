/*
 * Small helpers on JSON values (jansson)
 *
 * Reading a field of an object never fails here: what is missing or of another
 * type is the neutral value. Whoever must tell the difference asks jansson.
 */
#pragma once

#include <jansson.h>

/* For `gbx_auto(gbx_json_freep) json_t *value = NULL;` */
static inline void gbx_json_freep(json_t **json) { json_decref(*json); }

/* The text of a field, or NULL if it is missing or no text. Belongs to the object. */
static inline const char *gbx_json_text(const json_t *object, const char *field) {
        return json_string_value(json_object_get(object, field));
}

/* The whole number of a field, or 0. */
static inline json_int_t gbx_json_number(const json_t *object, const char *field) {
        return json_integer_value(json_object_get(object, field));
}
