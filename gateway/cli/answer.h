/*
 * An answer, for people or for machines
 *
 * With --json an answer is printed as it is, one document, whatever happened.
 * For people its parts are shown (gateway/api/operation.h): tables by
 * libsmartcols, fields a line each, sentences filled in. Nothing that comes
 * from others is obeyed by a terminal.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "gateway/api/operation.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Prints the answer of an operation. */
int gbx_answer_print(const struct gbx_operation *operation, const json_t *answer, bool json, struct gbx_error *err);

/* Prints one document; texts that are not UTF-8 never get this far. */
void gbx_answer_print_json(const json_t *value);

/* The one document of a failure: {"error","exit"}, and "problems" where there are any. */
json_t *gbx_answer_error(const struct gbx_error *err, int exit, const json_t *problems);

/* Fills "{member}" and "{member.member}" in; appends. */
int gbx_answer_fill(const char *text, const json_t *value, struct gbx_buffer *ret, struct gbx_error *err);

/* Writes bytes; to a terminal such that it shows them and does not obey them (newlines and tabs pass). */
int gbx_answer_write(FILE *out, const void *data, size_t size, struct gbx_error *err);
