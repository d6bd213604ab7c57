/* log-actions: the table of actions as it stands in docs/log-format.md, made from the schemas. */
#include "gateway/log/format/entry.h"

#include <stdio.h>

int main(void) {
        printf("| action | meaning | fields of `details` |\n| --- | --- | --- |\n");
        for (const struct gbx_entry_action *action = gbx_entry_actions(); action->name; action++) {
                printf("| `%s` | %s | ", action->name, action->summary);
                for (const struct gbx_entry_field *field = action->fields; field->name; field++)
                        printf("%s`%s` %s%s", field == action->fields ? "" : ", ", field->name, gbx_entry_type_name(field->type),
                               field->required ? "" : "?");
                printf("%s |\n", action->fields->name ? "" : "none");
        }
        return 0;
}
