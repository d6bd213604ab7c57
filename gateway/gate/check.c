#include "gateway/gate/check.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/install.h"
#include "policy/output_statement.h"

#include <stdio.h>

int gbx_check_outputs(const char *id, const struct gbx_policy *policy, struct gbx_delivery *out, struct gbx_gate_result *ret,
                      struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *launcher = NULL, *program = NULL, *image = NULL, *digest = NULL, *rules_path = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer rules = {};
        struct gbx_gate gate = { .policy = policy, .outputs = out };
        char name[64];
        int r = gbx_install_program("gbx-sandbox", &launcher, err);

        if (r >= 0)
                r = gbx_install_program("gbx-gate", &program, err);
        if (r >= 0)
                r = gbx_install_image("native-min", &image, &digest, err);
        if (r >= 0)
                r = gbx_install_data("content-scan.yaml", &rules_path, err);
        if (r >= 0)
                r = gbx_read_file(AT_FDCWD, rules_path, 1024UL * 1024, &rules, err);
        if (r < 0)
                return r;
        (void)snprintf(name, sizeof name, "gate-%s", id);
        gate.name = name;
        gate.launcher = launcher;
        gate.program = program;
        gate.image = image;
        gate.image_digest = digest;
        gate.scan_rules = rules.data;
        gate.scan_rules_size = rules.size;
        r = gbx_gate_run(&gate, ret, err);
        return r < 0 ? gbx_context(err, r, "the release gate") : 0;
}

int gbx_output_digest(const struct gbx_gate_result *result, char ret_text[static GBX_SHA256_TEXT_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) struct gbx_output_item *items = calloc(result->table_count + 1, sizeof *items);
        uint8_t digest[GBX_SHA256_SIZE];

        if (!items)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < result->table_count; i++)
                items[i] = (struct gbx_output_item){ result->tables[i].name, result->tables[i].digest };
        if (result->table_count)
                return gbx_outputs_digest(items, result->table_count, ret_text, err);
        gbx_sha256(NULL, 0, digest); /* of no tables at all */
        gbx_sha256_text(digest, ret_text);
        return 0;
}
