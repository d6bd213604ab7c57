#include "gateway/cli/completion.h"

#include "gateway/api/operation.h"
#include "gateway/cli/help.h"

#include <string.h>

/*
 * Both scripts hold one table: of each command its options, and of options with a fixed set of values those. Files are
 * completed wherever nothing else is known.
 */

struct nouns {
        FILE *out;
        const char *last;
};

static int print_noun(void *context, const struct gbx_operation *operation) {
        struct nouns *nouns = context;

        if (!nouns->last || strcmp(nouns->last, operation->noun) != 0)
                fprintf(nouns->out, " %s", operation->noun);
        nouns->last = operation->noun;
        return 0;
}

/* The verbs of one noun, those of the noun of `context`. */
struct verbs {
        FILE *out;
        const char *noun;
};

static int print_verb(void *context, const struct gbx_operation *operation) {
        const struct verbs *verbs = context;

        if (operation->verb && strcmp(operation->noun, verbs->noun) == 0)
                fprintf(verbs->out, " %s", operation->verb);
        return 0;
}

static int print_verbs(void *context, const struct gbx_operation *operation) {
        struct nouns *nouns = context;
        struct verbs verbs = { nouns->out, operation->noun };

        if (nouns->last && strcmp(nouns->last, operation->noun) == 0)
                return 0;
        nouns->last = operation->noun;
        if (!operation->verb)
                return 0;
        fprintf(nouns->out, "                %s) words='", operation->noun);
        (void)gbx_operation_each(print_verb, &verbs);
        fputs("' ;;\n", nouns->out);
        return 0;
}

static int print_options(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE];
        FILE *out = context;

        fprintf(out, "                '%s') words='", gbx_operation_name(operation, name));
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (!f->positional)
                        fprintf(out, " --%s", f->name);
        fputs("' ;;\n", out);
        return 0;
}

/* Options and arguments whose values are known. */
static int print_values(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE];
        FILE *out = context;

        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (f->words && !f->positional)
                        fprintf(out, "                '%s --%s') words='%s' ;;\n", gbx_operation_name(operation, name), f->name, f->words);
        return 0;
}

static void print_bash(FILE *out) {
        struct nouns nouns = { .out = out };

        fputs("# Completion of gbx for bash; made by: gbx completion bash\n"
              "_gbx() {\n"
              "        local current=${COMP_WORDS[COMP_CWORD]} noun='' verb='' words='' i word\n"
              "        for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "                word=${COMP_WORDS[i]}\n"
              "                case $word in\n"
              "                --site | --as) ((i++)) ;;\n"
              "                -*) ;;\n"
              "                *) if [ -z \"$noun\" ]; then noun=$word; elif [ -z \"$verb\" ]; then verb=$word; fi ;;\n"
              "                esac\n"
              "        done\n"
              "        if [ -z \"$noun\" ]; then\n"
              "                words='",
              out);
        (void)gbx_operation_each(print_noun, &nouns);
        for (const struct gbx_help_own *own = gbx_help_own; own->name; own++)
                fprintf(out, " %s", own->name);
        fputs("'\n        elif [ -z \"$verb\" ]; then\n                case $noun in\n                completion) words='bash zsh' ;;\n",
              out);
        nouns.last = NULL;
        (void)gbx_operation_each(print_verbs, &nouns);
        fputs("                esac\n        fi\n"
              "        case \"$noun${verb:+ $verb} ${COMP_WORDS[COMP_CWORD - 1]}\" in\n",
              out);
        (void)gbx_operation_each(print_values, out);
        fputs("                *)\n"
              "                if [[ $current == -* ]]; then\n"
              "                        case \"$noun${verb:+ $verb}\" in\n",
              out);
        (void)gbx_operation_each(print_options, out);
        fputs("                        esac\n"
              "                        words=\"$words --site --as --json --help\"\n"
              "                fi ;;\n"
              "        esac\n"
              "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
              "}\n"
              "complete -o default -o bashdefault -F _gbx gbx\n",
              out);
}

bool gbx_completion_print(FILE *out, const char *shell) {
        bool zsh = strcmp(shell, "zsh") == 0;

        if (!zsh && strcmp(shell, "bash") != 0)
                return false;
        if (zsh) /* zsh runs completions that were written for bash; the first line is what it looks for */
                fputs("#compdef gbx\nautoload -U +X bashcompinit && bashcompinit\n", out);
        print_bash(out);
        return true;
}
