/* The tables of operations, a noun or two each (operations.c lists them); internal to gateway/api. */
#pragma once

#include "gateway/api/operation.h"
#include "gateway/api/session.h"

extern const struct gbx_operation gbx_operations_site[]; /* init, keys, status, heartbeat */
extern const struct gbx_operation gbx_operations_keeping[]; /* keys rotate, backup, restore */
extern const struct gbx_operation gbx_operations_user[];
extern const struct gbx_operation gbx_operations_policy[];
extern const struct gbx_operation gbx_operations_data[];
extern const struct gbx_operation gbx_operations_algo[];
extern const struct gbx_operation gbx_operations_review[];
extern const struct gbx_operation gbx_operations_job[];
extern const struct gbx_operation gbx_operations_service[]; /* in ops_job.c */
extern const struct gbx_operation gbx_operations_release[];
extern const struct gbx_operation gbx_operations_flows[];
extern const struct gbx_operation gbx_operations_trace[];
extern const struct gbx_operation gbx_operations_audit[];
extern const struct gbx_operation gbx_operations_evidence[]; /* audit replay, rebuild, witness, anchor */
