/*
 * Performing an operation
 *
 *   check      the request has the fields of the operation and no others: all faults at once, in session.problems
 *   authorise  the caller's roles allow the operation's action; a refusal is an entry of the log. What changes something
 *              is asked again inside its transaction
 *   perform    the operation's function
 *   leave out  rows that are not the caller's own, columns that are kept for other roles, whatever no part declares
 */
#pragma once

#include "base/error.h"
#include "gateway/api/operation.h"
#include "gateway/api/session.h"

/* Returns an exit code (enum gbx_exit) with an answer, or a negative error. `sink` may be NULL. */
int gbx_api_perform(struct gbx_session *session, const struct gbx_operation *operation, const json_t *request, struct gbx_sink *sink,
                    json_t **ret_answer, struct gbx_error *err);

/* Only the check. -EINVAL: the message tells the first faults; `ret_problems` (may be NULL) gets all of them. */
int gbx_api_check(const struct gbx_operation *operation, const json_t *request, json_t **ret_problems, struct gbx_error *err);

/* What is right about one value, for who reads it from elsewhere. -EINVAL. */
int gbx_api_check_value(const struct gbx_field *field, const json_t *value, struct gbx_error *err);

/* Leaves out of an answer what the caller may not see. -ENOENT if that is the whole of it. */
int gbx_api_leave_out(const struct gbx_session *session, const struct gbx_operation *operation, json_t *answer, struct gbx_error *err);
