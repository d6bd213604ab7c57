#include "gateway/store/witnesses.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/log/witness/witness_client.h"

enum { POLICY_LIMIT = 64 * 1024 };

int gbx_site_witness_policy(const struct gbx_site *site, const char *path, struct gbx_witness_policy *ret,
                            struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = path ? gbx_read_file(AT_FDCWD, path, POLICY_LIMIT, &text, err)
                     : gbx_read_file(site->directory, "witness-policy", POLICY_LIMIT, &text, err);

        if (r == -ENOENT && !path)
                return 1;
        return r < 0 ? r : gbx_witness_policy_parse(gbx_buffer_text(&text), text.size, ret, err);
}

int gbx_site_ask_witnesses(struct gbx_site *site, struct gbx_error *err) {
        struct gbx_witness_status statuses[GBX_POLICY_WITNESSES_MAX];
        gbx_auto(gbx_free_pointer) struct gbx_witness_policy *policy = NULL;
        size_t count;
        int r;

        if (faccessat(site->directory, "witness-policy", F_OK, 0) < 0)
                return 0; /* the usual case, without the policy's memory */
        policy = calloc(1, sizeof *policy);
        if (!policy)
                return gbx_fail_memory(err);
        r = gbx_site_witness_policy(site, NULL, policy, err);
        if (r != 0)
                return r < 0 ? r : 0;
        return gbx_witness_submit(site->log, policy, GBX_SITE_WITNESS_TIMEOUT_MS, statuses, &count, err);
}
