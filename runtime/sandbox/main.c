/*
 * gbx-sandbox: runs one confined job (docs/sandbox.md)
 */
#include "base/process.h"
#include "base/text.h"
#include "runtime/sandbox/check.h"
#include "runtime/sandbox/explain.h"
#include "runtime/sandbox/filter.h"
#include "runtime/sandbox/gc.h"
#include "runtime/sandbox/order_send.h"
#include "runtime/sandbox/pool.h"
#include "runtime/sandbox/run.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
        "usage: gbx-sandbox run SPEC [--result-fd N] [--control-fd N]\n"
        "                                              run one job and, with --result-fd, report on that descriptor;\n"
        "                                              end it when --control-fd can be read or has no other end\n"
        "       gbx-sandbox pool SPEC (--socket PATH | --listen-fd N) [--size N]\n"
        "                                              keep sandboxes ready for jobs that come by a socket\n"
        "       gbx-sandbox order --socket PATH [--result-fd N] [--descriptor N]... (ORDER | -- PROGRAM [ARGUMENT]...)\n"
        "                                              run one job in a pool's sandbox\n"
        "       gbx-sandbox explain SPEC               print the sandbox that a spec asks for; start nothing\n"
        "       gbx-sandbox check                      what this host offers, and the knob for what it does not\n"
        "       gbx-sandbox profiles [NAME]            list the system call profiles, or print one\n"
        "       gbx-sandbox gc [--cgroup PATH]         remove what killed launchers left; PATH: their options.cgroup\n"
        "A SPEC or an ORDER is a JSON file (docs/sandbox.md), or - for standard input.\n";

static int usage_error(void) {
        (void)fputs(usage, stderr);
        return GBX_EXIT_USAGE;
}

static int command_run(int argc, char **argv) {
        int result_fd = -1, control_fd = -1;

        if (argc < 2 || argc % 2 != 0)
                return usage_error();
        for (int i = 2; i < argc; i += 2) {
                bool is_result = strcmp(argv[i], "--result-fd") == 0;
                uint64_t number = 0;

                if (!is_result && strcmp(argv[i], "--control-fd") != 0)
                        return usage_error();
                if (gbx_parse_u64(argv[i + 1], &number, NULL) < 0 || number > 1U << 20 ||
                    fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0) {
                        (void)fprintf(stderr, "gbx-sandbox: %s: '%s' is not an open descriptor\n", argv[i], argv[i + 1]);
                        return GBX_EXIT_USAGE;
                }
                *(is_result ? &result_fd : &control_fd) = (int)number;
        }
        return gbx_run(argv[1], result_fd, control_fd);
}

static int command_pool(int argc, char **argv) {
        uint64_t listener = 0, size = 4;
        const char *path = NULL;
        bool with_listener = false;

        if (argc < 4 || argc % 2 != 0)
                return usage_error();
        for (int i = 2; i < argc; i += 2) {
                int r = 0;

                if (strcmp(argv[i], "--socket") == 0)
                        path = argv[i + 1];
                else if (strcmp(argv[i], "--listen-fd") == 0)
                        r = gbx_parse_u64(argv[i + 1], &listener, NULL), with_listener = true;
                else if (strcmp(argv[i], "--size") == 0)
                        r = gbx_parse_u64(argv[i + 1], &size, NULL);
                else
                        return usage_error();
                if (r < 0 || size == 0 || size > 1024 || listener > 1U << 20)
                        return usage_error();
        }
        if (with_listener == (path != NULL))
                return usage_error();
        return gbx_pool(argv[1], path, with_listener ? (int)listener : -1, (unsigned)size);
}

static int command_order(int argc, char **argv) {
        int descriptors[GBX_ORDER_DESCRIPTORS];
        struct gbx_order_send send = { .descriptors = descriptors, .result_fd = -1 };
        int i = 1;

        for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0 && argv[i][2]; i += 2) {
                uint64_t number = 0;
                bool is_socket = strcmp(argv[i], "--socket") == 0, is_result = strcmp(argv[i], "--result-fd") == 0;

                if (is_socket) {
                        send.socket_path = argv[i + 1];
                        continue;
                }
                if (!is_result && strcmp(argv[i], "--descriptor") != 0)
                        return usage_error();
                if (gbx_parse_u64(argv[i + 1], &number, NULL) < 0 || number > 1U << 20 ||
                    fcntl((int)number, F_GETFD) < 0) {
                        (void)fprintf(stderr, "gbx-sandbox: %s: '%s' is not an open descriptor\n", argv[i], argv[i + 1]);
                        return GBX_EXIT_USAGE;
                }
                if (is_result)
                        send.result_fd = (int)number;
                else if (send.descriptor_count == GBX_ORDER_DESCRIPTORS)
                        return usage_error();
                else
                        descriptors[send.descriptor_count++] = (int)number;
        }
        if (i + 1 < argc && strcmp(argv[i], "--") == 0 && send.descriptor_count == 0)
                send.argv = argv + i + 1;
        else if (i + 1 == argc)
                send.file = argv[i];
        return send.socket_path && (send.file || send.argv) ? gbx_order_send(&send) : usage_error();
}

static int command_explain(int argc, char **argv) {
        return argc == 2 ? gbx_explain(argv[1]) : usage_error();
}

static int command_check(int argc, char **argv) {
        (void)argv;
        return argc == 1 ? gbx_check() : usage_error();
}

static int command_gc(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "--cgroup") == 0 && argv[2][0] == '/')
                return gbx_gc(argv[2]);
        return argc == 1 ? gbx_gc(NULL) : usage_error();
}

static int command_profiles(int argc, char **argv) {
        const struct gbx_filter *filter;

        if (argc > 2)
                return usage_error();
        if (argc == 1) {
                for (size_t i = 0; i < gbx_filter_count; i++)
                        printf("%-16s %s\n", gbx_filters[i].name, gbx_filters[i].digest);
                return GBX_EXIT_DONE;
        }
        filter = gbx_filter_find(argv[1]);
        if (!filter) {
                (void)fprintf(stderr, "gbx-sandbox: there is no profile '%.40s'\n", argv[1]);
                return GBX_EXIT_USAGE;
        }
        (void)fputs(filter->text, stdout);
        return GBX_EXIT_DONE;
}

struct command {
        const char *name;
        int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int main(int argc, char **argv) {
        static const struct command commands[] = {
                { "run", command_run },           { "explain", command_explain }, { "check", command_check },
                { "profiles", command_profiles }, { "gc", command_gc },             { "pool", command_pool },
                { "order", command_order },
        };

        /* Also that none of our descriptors comes to lie at 0 to 2, which are the job's in the end. */
        if (gbx_process_begin("gbx-sandbox", GBX_PROCESS_OPEN_FILES) < 0)
                return GBX_EXIT_FAILED;
        (void)umask(022); /* control groups and a job's files have the modes that are written in the code */
        /* Otherwise jansson opens /dev/urandom to seed its tables; a spec is the caller's own, and its size is bounded. */
        json_object_seed(0x9e3779b9U ^ (size_t)getpid());
        for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return gbx_process_finish("gbx-sandbox", commands[i].run(argc - 1, argv + 1));
        if (argc == 2 && strcmp(argv[1], "--help") == 0) {
                (void)fputs(usage, stdout);
                return gbx_process_finish("gbx-sandbox", GBX_EXIT_DONE);
        }
        (void)fputs(usage, stderr);
        return GBX_EXIT_USAGE;
}
