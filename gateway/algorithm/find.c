#include "gateway/algorithm/find.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/objects.h"
#include "gateway/store/fact.h"

#include <string.h>

int gbx_find_algorithm(struct gbx_site *site, const char *what, json_t **ret_row, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        json_t *row, *found = NULL;
        size_t index, matches = 0;
        int r = gbx_fact_rows(site, &rows, err, "algorithm", "1", NULL);

        if (r < 0)
                return r;
        json_array_foreach(rows, index, row) {
                const char *digest = json_string_value(json_object_get(row, "digest"));

                if (gbx_digest_has_prefix(digest, what) || strcmp(json_string_value(json_object_get(row, "name")), what) == 0) {
                        found = row;
                        matches++;
                }
        }
        if (matches == 0)
                return gbx_fail(err, -ENOENT, "no algorithm '%s' was submitted (gbx algo ls shows them)", what);
        if (matches > 1)
                return gbx_fail(err, -EINVAL, "'%s' means %zu algorithms; give the digest", what, matches);
        *ret_row = json_incref(found);
        return 0;
}
