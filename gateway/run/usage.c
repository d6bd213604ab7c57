#include "gateway/run/usage.h"

#include "base/cleanup.h"
#include "gateway/store/authorise.h"
#include "gateway/store/objects.h"
#include "policy/decision.h"

#define SECOND 1000LL
#define MIB (1024LL * 1024)

static const json_int_t times[] = { SECOND, 10 * SECOND, 60 * SECOND, 600 * SECOND, 3600 * SECOND, 86400 * SECOND };
static const json_int_t sizes[] = { 64 * MIB, 1024 * MIB, 16LL * 1024 * MIB, 256LL * 1024 * MIB };
static const char *const hidden[] = { "denied", "pids_peak", "read_bytes", "written_bytes", "output", "findings", "seq", "state_seq" };

int gbx_usage_exact(struct gbx_site *site, const struct gbx_caller *caller, bool *ret_exact, struct gbx_error *err) {
        unsigned roles;
        int r = gbx_caller_roles(site, caller, &roles, err);

        if (r >= 0)
                *ret_exact = roles & (GBX_ROLE_AUDITOR | GBX_ROLE_ADMIN);
        return r < 0 ? r : 0;
}

void gbx_usage_limits(struct gbx_site *site, const char *policy, struct gbx_policy_limits *ret) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        gbx_auto(gbx_policy_freep) struct gbx_policy *parsed = NULL;

        *ret = (struct gbx_policy_limits){};
        if (policy && gbx_object_get(site->directory, policy, &source, NULL) >= 0 &&
            gbx_policy_parse(&parsed, policy, source.data, source.size, NULL, NULL) >= 0)
                *ret = parsed->limits;
}

/* `limit` 0: none is known. */
static void round_up(json_t *object, const char *key, const json_int_t *steps, size_t count, uint64_t limit) {
        json_t *value = json_object_get(object, key);
        json_int_t told;
        size_t i = 0;

        if (!json_is_integer(value))
                return;
        while (i + 1 < count && json_integer_value(value) > steps[i])
                i++;
        told = steps[i];
        if (limit > 0 && (uint64_t)told > limit)
                told = (json_int_t)limit;
        (void)json_object_set_new(object, key, json_integer(told));
}

void gbx_usage_coarsen(json_t *object, const struct gbx_policy_limits *limits) {
        round_up(object, "cpu_ms", times, gbx_array_size(times), limits->cpu_ms);
        round_up(object, "wall_ms", times, gbx_array_size(times), limits->wall_ms);
        round_up(object, "memory_bytes", sizes, gbx_array_size(sizes), limits->memory_bytes);
        for (size_t i = 0; i < gbx_array_size(hidden); i++)
                (void)json_object_del(object, hidden[i]);
}
