/* Content-scan rules and scanning: no crash, matches lie within the text. */
#include "gateway/gate/scan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(const struct gbx_scan_match *match, void *userdata) {
        if (match->offset > *(size_t *)userdata || match->length > *(size_t *)userdata - match->offset)
                abort();
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct gbx_scan_rules *rules;
        struct gbx_scan_rules *own = NULL;

        if (!rules && gbx_scan_rules_load(&rules, "policy/rules/content-scan.yaml", NULL, NULL) < 0)
                abort();
        if (gbx_scan(rules, data, size, check, &size, NULL) < 0)
                abort();
        if (gbx_scan_rules_parse(&own, "f", data, size, NULL, NULL) >= 0)
                (void)gbx_scan(own, data, size, check, &size, NULL);
        gbx_scan_rules_free(own);
        return 0;
}
