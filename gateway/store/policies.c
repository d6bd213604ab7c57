#include "gateway/store/policies.h"

#include "base/cleanup.h"
#include "gateway/store/objects.h"
#include "base/json.h"
#include "gateway/store/fact.h"

int gbx_policy_in_force(struct gbx_site *site, const char *purpose, struct gbx_policy **ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer source = {};
        int r = gbx_fact_one(site, &row, err, "policy", "purpose=?1 AND state='in-force'", purpose, NULL);

        if (r < 0)
                return r;
        if (r > 0)
                return gbx_fail(err, -ENOENT, "no policy is in force for the purpose '%s' (gbx policy ls)", purpose);
        r = gbx_object_get(site->directory, json_string_value(json_object_get(row, "digest")), &source, err);
        return r < 0 ? r
                     : gbx_policy_parse(ret, json_string_value(json_object_get(row, "name")), source.data, source.size, NULL, err);
}
