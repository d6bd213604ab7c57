/* Output statements, and requests about outputs as JSON: whatever is read has one form only. */
#include "policy/decision_outputs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(const uint8_t *data, size_t size) {
        json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL), *again = NULL;
        struct gbx_outputs_request request = {};

        if (json && gbx_outputs_request_from_json(json, &request, NULL) >= 0) {
                if (gbx_outputs_request_to_json(&request, &again, NULL) < 0)
                        abort();
                gbx_outputs_request_free(&request);
                if (gbx_outputs_request_from_json(again, &request, NULL) < 0)
                        abort();
        }
        gbx_outputs_request_free(&request);
        json_decref(json);
        json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct gbx_output_statement statement = {};
        struct gbx_buffer text = {};

        if (gbx_output_statement_parse((const char *)data, size, &statement, NULL) >= 0 &&
            (gbx_output_statement_text(&statement, &text, NULL) < 0 || text.size != size || memcmp(text.data, data, size) != 0))
                abort();
        try_request(data, size);
        gbx_buffer_free(&text);
        return 0;
}
