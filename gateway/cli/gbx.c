/* gbx: the command line of Glovebox. Finds the operation, makes its request of what was typed, shows its answer. */
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "gateway/api/perform.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/client.h"
#include "gateway/cli/help.h"
#include "gateway/cli/invocation.h"
#include "gateway/cli/output.h"
#include "gateway/cli/own.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define GBX_VERSION "0.1"

/* Problems of a file, each on its line; then what failed. */
static int report(const struct gbx_invocation *invocation, int r, const struct gbx_error *err) {
        enum gbx_exit code = gbx_error_exit_code(r);
        gbx_auto(gbx_json_freep) json_t *document = gbx_answer_error(err, (int)code, invocation->session.problems);
        size_t index;
        json_t *problem;

        if (invocation->json) {
                gbx_answer_print_json(document);
                (void)fflush(stdout);
        }
        json_array_foreach(invocation->session.problems, index, problem) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};

                if (json_object_get(problem, "file") && gbx_answer_fill("{file}:{line}:{column}: {message}", problem, &text, NULL) >= 0)
                        fprintf(stderr, "%s\n", gbx_buffer_text(&text));
        }
        fprintf(stderr, "gbx: %s\n", gbx_json_text(document, "error"));
        return (int)code;
}

/* A command that does not exist: shows what there is. */
static int explain(const char *noun, const char *verb) {
        const char *nearest = gbx_help_nearest(noun, verb);
        char given[256], shown[4 * sizeof given];

        (void)snprintf(given, sizeof given, "%s%s%s", noun, verb ? " " : "", verb ? verb : "");
        gbx_text_printable(given, strlen(given), shown, sizeof shown);
        fprintf(stderr, "gbx: no command '%s'\n", shown);
        if (nearest)
                fprintf(stderr, "perhaps: gbx %s\n", nearest);
        if (!gbx_help_noun(stderr, noun))
                fputs("'gbx --help' lists all commands\n", stderr);
        return GBX_EXIT_USAGE;
}

static int perform(struct gbx_invocation *invocation, struct gbx_output *output, json_t **ret_answer, struct gbx_error *err) {
        const struct gbx_client *client = gbx_client_find(invocation->operation);
        gbx_auto(gbx_json_freep) json_t *request = NULL;
        int r = client ? client->run(invocation, &output->sink, ret_answer, err) : GBX_CLIENT_PASS;

        if (r != GBX_CLIENT_PASS)
                return r;
        r = gbx_invocation_check(invocation, err);
        if (r >= 0)
                r = gbx_invocation_request(invocation, invocation->operation, &request, err);
        return r < 0 ? r : gbx_api_perform(&invocation->session, invocation->operation, request, &output->sink, ret_answer, err);
}

/* Returns an exit code or a negative error. */
static int act(struct gbx_invocation *invocation, struct gbx_error *err) {
        gbx_auto(gbx_output_end) struct gbx_output output = {};
        gbx_auto(gbx_interrupt_end) struct gbx_interrupt interrupt = { .fd = -1 };
        gbx_auto(gbx_json_freep) json_t *answer = NULL;
        int r, outcome = gbx_invocation_environment(invocation, err);

        if (outcome >= 0)
                outcome = gbx_session_act_as(&invocation->session, invocation->as, err);
        if (outcome >= 0)
                outcome = gbx_output_begin(&output, invocation, err);
        if (outcome >= 0 && invocation->operation->kind == GBX_JOB)
                outcome = gbx_interrupt_begin(&interrupt, err);
        if (outcome < 0)
                return outcome;
        invocation->session.site_path = invocation->site_path;
        invocation->session.cancel = interrupt.fd > 0 ? interrupt.fd : 0;
        outcome = perform(invocation, &output, &answer, err);
        if (outcome < 0)
                return outcome;
        if (interrupt.fd > 0 && gbx_interrupt_came(&interrupt) && outcome != GBX_EXIT_FAILED && !json_object_get(answer, "ended"))
                fputs("gbx: the signal came when the job had ended; what follows a job was finished\n", stderr);
        r = gbx_output_finish(&output, answer, err);
        if (r >= 0)
                r = gbx_answer_print(invocation->operation, answer, invocation->json, err);
        return r < 0 ? r : outcome;
}

static int run(int argc, char **argv) {
        gbx_auto(gbx_invocation_end) struct gbx_invocation invocation = {};
        struct gbx_error err = {};
        int used = 1, more, r = gbx_invocation_begin(&invocation, argc - 1, argv + 1, &err);

        if (r < 0)
                return report(&invocation, r, &err);
        used += r;
        if (invocation.version) {
                puts("gbx " GBX_VERSION);
                return GBX_EXIT_DONE;
        }
        if (used == argc) {
                gbx_help_overview(invocation.help ? stdout : stderr);
                return invocation.help ? GBX_EXIT_DONE : GBX_EXIT_USAGE;
        }
        invocation.noun = argv[used++];
        if (gbx_own_find(invocation.noun))
                return gbx_own_run(&invocation, argc - used, argv + used);
        if (!gbx_operation_find(invocation.noun, "") || used < argc) { /* options may stand in front of the verb */
                const struct gbx_operation *alone = gbx_operation_find(invocation.noun, "");

                more = alone ? 0 : gbx_invocation_begin(&invocation, argc - used, argv + used, &err);
                if (more < 0)
                        return report(&invocation, more, &err);
                used += more;
                invocation.verb = used < argc ? argv[used] : NULL;
                if (alone && gbx_operation_find(invocation.noun, invocation.verb) == alone)
                        invocation.verb = NULL; /* its first argument */
                used += invocation.verb != NULL;
        }
        invocation.operation = gbx_operation_find(invocation.noun, invocation.verb);
        if (!invocation.operation)
                return invocation.help && !invocation.verb && gbx_help_noun(stdout, invocation.noun)
                               ? GBX_EXIT_DONE
                               : explain(invocation.noun, invocation.verb);
        r = gbx_invocation_parse(&invocation, argc - used, argv + used, &err);
        if (invocation.help) {
                gbx_help_operation(stdout, invocation.operation);
                return GBX_EXIT_DONE;
        }
        if (r >= 0)
                r = act(&invocation, &err);
        return r < 0 ? report(&invocation, r, &err) : r;
}

/* Keys and tables pass through this process: no memory image of it, nor of what it forks, and no debugger of its user's.
 * Only the soft limit is lowered: a sandbox's launcher needs the hard one (its job's limit may have to be 1, core(5)). */
static int hide_memory(void) {
        struct rlimit core;

        if (getrlimit(RLIMIT_CORE, &core) < 0)
                return -1;
        core.rlim_cur = 0;
        return setrlimit(RLIMIT_CORE, &core) < 0 ? -1 : prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int main(int argc, char **argv) {
        if (gbx_process_begin("gbx", GBX_PROCESS_OPEN_FILES) < 0)
                return GBX_EXIT_FAILED;
        if (hide_memory() < 0) {
                perror("gbx: cannot protect its memory (RLIMIT_CORE, PR_SET_DUMPABLE)");
                return GBX_EXIT_FAILED;
        }
        /* Tables are cut and padded by characters; where the locale knows only ASCII, UTF-8 still comes out right. */
        if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
                (void)setlocale(LC_CTYPE, "C.UTF-8");
        return gbx_process_finish("gbx", run(argc, argv));
}
