#include "gateway/cli/own.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/api/openapi.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/completion.h"
#include "gateway/cli/help.h"
#include "gateway/cli/manual.h"

#include <stdio.h>
#include <string.h>

static int help_own(const char *name) {
        for (const struct gbx_help_own *own = gbx_help_own; own->name; own++)
                if (strcmp(own->name, name) == 0) {
                        printf("Usage: gbx %s %s\n\n%s\n", own->name, own->arguments, own->summary);
                        return GBX_EXIT_DONE;
                }
        return GBX_EXIT_USAGE;
}

static bool is_help(int argc, char **argv) {
        return argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
}

static int run_help(int argc, char **argv) {
        const struct gbx_operation *operation;

        if (argc == 0) {
                gbx_help_overview(stdout);
                return GBX_EXIT_DONE;
        }
        if (gbx_own_find(argv[0]))
                return help_own(argv[0]);
        operation = gbx_operation_find(argv[0], argc > 1 ? argv[1] : NULL);
        if (operation) {
                gbx_help_operation(stdout, operation);
                return GBX_EXIT_DONE;
        }
        if (argc == 1 && gbx_help_noun(stdout, argv[0]))
                return GBX_EXIT_DONE;
        fprintf(stderr, "gbx: there is no help for '%s%s%s'\n", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
        (void)gbx_help_noun(stderr, argv[0]);
        return GBX_EXIT_USAGE;
}

static int print_nouns(void *context, const struct gbx_operation *operation) {
        const char **last = context;

        if (!*last || strcmp(*last, operation->noun) != 0)
                puts(operation->noun);
        *last = operation->noun;
        return 0;
}

static int run_api(int argc, char **argv) {
        gbx_auto(gbx_json_freep) json_t *description = NULL;
        const char *last = NULL;

        if (argc == 1 && strcmp(argv[0], "--openapi") == 0 && gbx_api_openapi(&description, NULL) >= 0) {
                gbx_answer_print_json(description);
                return GBX_EXIT_DONE;
        }
        if (argc == 1 && strcmp(argv[0], "--nouns") == 0)
                return gbx_operation_each(print_nouns, &last);
        if (argc >= 1 && argc <= 2 && strcmp(argv[0], "--man") == 0 && gbx_manual_print(stdout, argc == 2 ? argv[1] : NULL))
                return GBX_EXIT_DONE;
        return GBX_EXIT_USAGE;
}

bool gbx_own_find(const char *noun) {
        for (const struct gbx_help_own *own = gbx_help_own; own->name; own++)
                if (strcmp(own->name, noun) == 0)
                        return true;
        return false;
}

int gbx_own_run(struct gbx_invocation *invocation, int argc, char **argv) {
        if (invocation->help || is_help(argc, argv))
                return help_own(invocation->noun);
        if (strcmp(invocation->noun, "help") == 0)
                return run_help(argc, argv);
        if (strcmp(invocation->noun, "completion") == 0 && argc == 1 && gbx_completion_print(stdout, argv[0]))
                return GBX_EXIT_DONE;
        if (strcmp(invocation->noun, "api") == 0 && run_api(argc, argv) == GBX_EXIT_DONE)
                return GBX_EXIT_DONE;
        fprintf(stderr, "gbx: 'gbx %s' wants: ", invocation->noun);
        for (const struct gbx_help_own *own = gbx_help_own; own->name; own++)
                if (strcmp(own->name, invocation->noun) == 0)
                        fprintf(stderr, "%s\n", own->arguments);
        return GBX_EXIT_USAGE;
}
