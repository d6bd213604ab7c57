#include "gateway/run/executor.h"

#include <stdlib.h>

struct gbx_execution_limits gbx_execution_limits(const struct gbx_policy *policy) {
        const struct gbx_policy_limits *limits = &policy->limits;

        return (struct gbx_execution_limits){ limits->wall_ms, limits->cpu_ms, limits->memory_bytes, limits->processes,
                                              limits->open_files, limits->output_bytes, limits->output_files, limits->scratch_bytes,
                                              limits->cpu_percent };
}

void gbx_execution_result_free(struct gbx_execution_result *result) {
        json_decref(result->sandbox);
        result->out = gbx_delivery_free(result->out);
        free(result->image);
        *result = (struct gbx_execution_result){};
}
