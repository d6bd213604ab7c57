/* Policies and schemas: no crash, no leak, and every refusal has a problem to show; nothing hidden is accepted. */
#include "base/text.h"
#include "policy/policy.h"
#include "policy/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_policy *policy = NULL;
        struct gbx_schema *schema = NULL;
        struct gbx_problems problems = {};
        struct gbx_buffer text = {};
        struct gbx_error err = {};

        if (gbx_policy_parse(&policy, "f", data, size, &problems, &err) < 0) {
                if (problems.count == 0 || policy)
                        abort();
        } else if (gbx_policy_describe(policy, &text, &err) < 0 ||
                   gbx_text_hidden((const char *)data, size, &(struct gbx_text_place){}))
                abort();
        if (gbx_schema_parse(&schema, "f", data, size, &problems, &err) < 0 && (problems.count == 0 || schema))
                abort();
        gbx_policy_free(policy);
        gbx_schema_free(schema);
        gbx_problems_free(&problems);
        gbx_buffer_free(&text);
        return 0;
}
