#include "gateway/cli/command.h"

#include <stdio.h>
#include <string.h>

const char *gbx_cli_option_at(const struct gbx_cli *cli, const char *name, size_t index) {
        for (size_t i = 0; i < cli->value_count; i++)
                if (strcmp(cli->values[i].name, name) == 0 && index-- == 0)
                        return cli->values[i].value;
        return NULL;
}

const char *gbx_cli_option(const struct gbx_cli *cli, const char *name) {
        return gbx_cli_option_at(cli, name, 0);
}

int gbx_cli_principal(const struct gbx_cli *cli, const char **ret_name, struct gbx_error *err) {
        if (!cli->as)
                return gbx_fail(err, -EINVAL, "who acts? Name the principal with --as NAME (or GBX_AS)");
        *ret_name = cli->as;
        return 0;
}

void gbx_cli_print_json(json_t *value) {
        if (value)
                (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
        putchar('\n');
        json_decref(value);
}
