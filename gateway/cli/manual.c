#include "gateway/cli/manual.h"

#include "gateway/api/operation.h"
#include "gateway/cli/help.h"

#include <ctype.h>
#include <string.h>

/* Text of roff: no request at the start of a line, hyphens that stay hyphens. */
static void print_text(FILE *out, const char *text) {
        for (bool start = true; *text; text++) {
                if (start && (*text == '.' || *text == '\''))
                        fputs("\\&", out);
                if (*text == '\\')
                        fputs("\\e", out);
                else if (*text == '-')
                        fputs("\\-", out);
                else
                        fputc(*text, out);
                start = *text == '\n';
        }
}

static void print_field(FILE *out, const struct gbx_field *field) {
        char option[64];

        fputs(".TP\n.B ", out);
        print_text(out, gbx_help_option(field, option));
        fputc('\n', out);
        print_text(out, field->help ? field->help : "what it is about");
        if (field->words) {
                fputs("; one of: ", out);
                print_text(out, field->words);
        }
        fprintf(out, "%s%s.\n", field->required ? " (required)" : "", field->repeated ? " (may be repeated)" : "");
}

static void print_head(FILE *out, const char *title, const char *summary) {
        fputs(".TH ", out);
        for (const char *at = title; *at; at++)
                fputc(toupper((unsigned char)*at), out);
        fprintf(out, " 1 \"\" \"Glovebox\"\n.SH NAME\n%s \\- ", title);
        print_text(out, summary);
        fputc('\n', out);
}

static int print_operation(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE], option[64];
        FILE *out = context;

        fputs(".SS \"gbx ", out);
        print_text(out, gbx_operation_name(operation, name));
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (f->positional || f->required) {
                        fputs(f->required ? " " : " [", out);
                        print_text(out, gbx_help_option(f, option));
                        fputs(f->required ? "" : "]", out);
                }
        fputs("\"\n", out);
        print_text(out, operation->summary);
        fputs(".\n", out);
        if (operation->details) {
                fputs(".PP\n", out);
                print_text(out, operation->details);
                fputc('\n', out);
        }
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                print_field(out, f);
        return 0;
}

struct page {
        FILE *out;
        const char *noun, *last;
        bool found;
};

static int print_of_noun(void *context, const struct gbx_operation *operation) {
        struct page *page = context;

        if (strcmp(page->noun, operation->noun) != 0)
                return 0;
        if (!page->found) {
                char title[GBX_OPERATION_NAME_SIZE];

                (void)snprintf(title, sizeof title, "gbx-%s", operation->noun);
                print_head(page->out, title, operation->verb ? "commands of Glovebox" : operation->summary);
                fputs(".SH COMMANDS\n", page->out);
        }
        page->found = true;
        return print_operation(page->out, operation);
}

static int print_line(void *context, const struct gbx_operation *operation) {
        char name[GBX_OPERATION_NAME_SIZE];
        struct page *page = context;

        fputs(".TP\n.B gbx ", page->out);
        print_text(page->out, gbx_operation_name(operation, name));
        fputc('\n', page->out);
        print_text(page->out, operation->summary);
        fprintf(page->out, ".\nSee gbx\\-%s(1).\n", operation->noun);
        return 0;
}

static void print_end(FILE *out) {
        fputs(".SH OPTIONS OF EVERY COMMAND\n", out);
        for (const struct gbx_field *f = gbx_help_globals; f->name; f++)
                print_field(out, f);
        fputs(".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 3 denied by policy, 4 held for review, 5 integrity broken, 6 limit reached.\n"
              ".SH SEE ALSO\ngbx(1), gbx\\-sandbox(1), age(1), ssh\\-keygen(1)\n",
              out);
}

bool gbx_manual_print(FILE *out, const char *noun) {
        struct page page = { .out = out, .noun = noun };

        if (noun) {
                (void)gbx_operation_each(print_of_noun, &page);
        } else {
                print_head(out, "gbx", "data usable, never visible");
                fputs(".SH SYNOPSIS\n.B gbx\n[\\-\\-site DIR] [\\-\\-as NAME] [\\-\\-json] NOUN VERB [ARGUMENT…]\n.SH COMMANDS\n", out);
                page.found = gbx_operation_each(print_line, &page) == 0;
        }
        if (page.found)
                print_end(out);
        return page.found;
}
