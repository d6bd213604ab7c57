/*
 * The gate's report: what goes through the pipe from gbx-gate to its caller
 *
 * One line of JSON, then the tables' bytes one behind the other:
 *
 *   {"version":1,"findings":{…},"opaque":0,"declared_counts":true,"tables":[
 *     {"name":"default-rate.csv","rows":4,"size":123,"columns":[
 *       {"name":"job","type":"text","role":"key"}, …]}]}
 *
 * The reader trusts gbx-gate no more than it must: a parser that was taken
 * over by what it parsed can still only say something of this form, within the
 * policy's limits.
 */
#pragma once

#include "gateway/gate/gate.h"

enum { GBX_REPORT_HEAD_MAX = 4 * 1024 * 1024 };

int gbx_report_write(const struct gbx_gate_result *result, struct gbx_buffer *buffer, struct gbx_error *err);

/* Errors: -EINVAL for anything but such a report within the policy's limits. */
int gbx_report_read(const void *data, size_t size, const struct gbx_policy *policy, struct gbx_gate_result *ret,
                    struct gbx_error *err);
