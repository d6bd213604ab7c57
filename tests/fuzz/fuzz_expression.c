/* Expressions of tables: no crash; what is taken evaluates to a value, an error, or something missing that was said to be. */
#include "base/cleanup.h"
#include "gateway/tabulate/expression/expression.h"

#include <stdlib.h>
#include <string.h>

static const struct gbx_scope_column columns[] = {
        { "a", { .kind = GBX_KIND_NUMBER } },           { "b", { .kind = GBX_KIND_NUMBER, .scale = 2, .missing = true } },
        { "t", { .kind = GBX_KIND_TEXT, .missing = true } }, { "d", { .kind = GBX_KIND_DATE } },
        { "k", { .kind = GBX_KIND_BOOLEAN, .missing = true } },
};
static const struct gbx_scope scope = { columns, gbx_array_size(columns) };
static const struct gbx_scalar rows[][gbx_array_size(columns)] = {
        { { .number = 37 }, { .number = 123450 }, { .text = "Çity", .size = 5 }, { .number = 6573 }, { .number = 1 } },
        { { .number = INT64_MIN }, { .missing = true }, { .missing = true }, { .number = -719528 }, { .missing = true } },
        { { .number = 0 }, { .number = INT64_MAX }, { .text = "a", .size = 1 }, { .number = 2932896 }, { .number = 0 } },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        gbx_auto(gbx_expression_freep) struct gbx_expression *expression = NULL;
        gbx_auto(gbx_scratch_free) struct gbx_scratch scratch = {};
        gbx_auto(gbx_buffer_free) struct gbx_buffer sql = {};
        gbx_auto(gbx_free_pointer) char *text = strndup((const char *)data, size);
        struct gbx_expression_mistake mistake = {};
        struct gbx_error err = {};
        bool used[gbx_array_size(columns)] = {};
        int r;

        if (!text)
                return 0;
        r = gbx_expression_parse(&expression, text, &scope, &mistake, &err);
        if (r < 0) {
                if (r == -EINVAL && (mistake.character == 0 || mistake.character > strlen(text) + 1 || !*mistake.message))
                        abort();
                return 0;
        }
        gbx_expression_columns(expression, used);
        for (size_t i = 0; i < gbx_array_size(rows); i++) {
                struct gbx_scalar value = {};

                gbx_scratch_clear(&scratch);
                r = gbx_expression_evaluate(expression, rows[i], &scratch, &value, &err);
                if (r < 0 ? r != -ERANGE && r != -EDQUOT : value.missing && !expression->type.missing)
                        abort();
                if (r >= 0 && !value.missing && expression->type.kind == GBX_KIND_TEXT && value.size == 0)
                        abort();
        }
        if (gbx_expression_sql(expression, &sql, &err) < 0 || sql.size == 0)
                abort();
        return 0;
}
