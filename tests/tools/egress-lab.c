/*
 * A run's network without a run, for tests and benchmarks
 *
 *   egress-lab CONFIG.json EVENTS [--control PATH] [--rate BYTES] [--program PATH] -- COMMAND...
 *
 * Starts the egress proxy as the gateway does, runs the command in the job's
 * network namespace with the proxy variables set, and writes the proxy's
 * records to the file EVENTS. The command keeps all privileges, which makes it
 * a stronger attacker than any job: only the network holds it. GBX_PROXY and
 * GBX_GATEWAY tell it the proxy's address and the gateway's.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/flows/start.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct lab {
        const char *config, *events, *control, *program;
        uint64_t rate;
        char **command;
};

static int take(void *userdata, const json_t *record) {
        FILE *file = userdata;

        if (json_dumpf(record, file, JSON_COMPACT | JSON_SORT_KEYS) < 0 || fputc('\n', file) == EOF || fflush(file) != 0)
                return -EIO;
        return 0;
}

static int parse(int argc, char **argv, struct lab *lab, struct gbx_error *err) {
        if (argc < 3)
                return gbx_fail(err, -EINVAL, "usage: egress-lab CONFIG EVENTS [--control PATH] [--rate BYTES] [--program PATH] -- COMMAND...");
        *lab = (struct lab){ .config = argv[1], .events = argv[2] };
        for (int i = 3; i < argc; i += 2) {
                if (strcmp(argv[i], "--") == 0 && i + 1 < argc) {
                        lab->command = argv + i + 1;
                        return 0;
                }
                if (i + 1 >= argc)
                        break;
                if (strcmp(argv[i], "--control") == 0)
                        lab->control = argv[i + 1];
                else if (strcmp(argv[i], "--program") == 0)
                        lab->program = argv[i + 1];
                else if (strcmp(argv[i], "--rate") == 0 && gbx_parse_size(argv[i + 1], &lab->rate, err) < 0)
                        return -EINVAL;
        }
        return gbx_fail(err, -EINVAL, "no command");
}

static int run_command(const struct gbx_egress *egress, char **command, int *ret_status, struct gbx_error *err) {
        json_t *environment = gbx_egress_environment(egress);
        const char *name;
        json_t *value;
        pid_t pid = fork();

        if (pid < 0)
                return gbx_fail_errno(err, "cannot fork");
        if (pid == 0) {
                char gateway[32];

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                json_object_foreach(environment, name, value)
                        (void)setenv(name, json_string_value(value), 1);
                (void)setenv("GBX_PROXY", gbx_egress_address(egress), 1);
                (void)snprintf(gateway, sizeof gateway, "%.*s", (int)strcspn(gbx_egress_address(egress), ":"), gbx_egress_address(egress));
                (void)setenv("GBX_GATEWAY", gateway, 1);
                if (setns(gbx_egress_namespace(egress), CLONE_NEWNET) == 0)
                        (void)execvp(command[0], command);
                perror("egress-lab");
                _exit(127);
        }
        json_decref(environment);
        while (waitpid(pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return gbx_fail_errno(err, "cannot wait");
        return 0;
}

static int run(const struct lab *lab, int *ret_status, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        gbx_auto(gbx_close_file) FILE *events = fopen(lab->events, "we");
        gbx_auto(gbx_free_pointer) char *beside = NULL;
        struct gbx_egress_options options = { .program = lab->program, .control_path = lab->control, .rate = lab->rate,
                                              .take = take, .userdata = events };
        struct gbx_egress *egress;
        const char *build = getenv("BUILD");
        json_t *config;
        int r, stop;

        if (!events)
                return gbx_fail_errno(err, "cannot write '%s'", lab->events);
        r = gbx_read_file(AT_FDCWD, lab->config, 16 << 20, &text, err);
        if (r < 0)
                return r;
        config = json_loadb(gbx_buffer_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
        if (!config || asprintf(&beside, "%s/gbx-egress", build ? build : "build") < 0)
                return gbx_fail(err, -EINVAL, "'%s' is not JSON", lab->config);
        if (!options.program)
                options.program = beside;
        options.config = config;
        r = gbx_egress_start(&egress, &options, err);
        json_decref(config);
        if (r < 0)
                return r;
        r = run_command(egress, lab->command, ret_status, err);
        stop = gbx_egress_stop(egress, r < 0 ? NULL : err);
        return r < 0 ? r : stop;
}

int main(int argc, char **argv) {
        struct gbx_error err = {};
        struct lab lab;
        int status = 0, r = parse(argc, argv, &lab, &err);

        if (r >= 0)
                r = run(&lab, &status, &err);
        if (r < 0) {
                (void)fprintf(stderr, "egress-lab: %s\n", err.message);
                return 125;
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
