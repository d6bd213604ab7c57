#include "gateway/run/usage.h"

#include "base/cleanup.h"
#include "gateway/store/authorise.h"
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

static void round_up(json_t *object, const char *key, const json_int_t *steps, size_t count) {
        json_t *value = json_object_get(object, key);
        size_t i = 0;

        if (!json_is_integer(value))
                return;
        while (i + 1 < count && json_integer_value(value) > steps[i])
                i++;
        (void)json_object_set_new(object, key, json_integer(steps[i]));
}

void gbx_usage_coarsen(json_t *object) {
        round_up(object, "cpu_ms", times, gbx_array_size(times));
        round_up(object, "wall_ms", times, gbx_array_size(times));
        round_up(object, "memory_bytes", sizes, gbx_array_size(sizes));
        for (size_t i = 0; i < gbx_array_size(hidden); i++)
                (void)json_object_del(object, hidden[i]);
}
